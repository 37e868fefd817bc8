// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {BalancePage, BalancePageLib} from "./libraries/BalancePage.sol";
import {Registry} from "./Registry.sol";

/// @title Points
/// @notice Members' balances, four programs a word. Totals live with the program (`Registry`); the caller counts them.
abstract contract Points is Registry {
    mapping(address member => mapping(uint256 page => BalancePage)) private _pages;

    // ---------------------------------------------------------------- movements

    /// @dev Warning: the caller has made sure that the program can mint `points` (`_canMint`), or that they came out of another
    /// balance of the same program.
    function _credit(address member, uint256 program, uint256 points) internal {
        uint256 page = BalancePageLib.pageOf(program);
        _pages[member][page] = _pages[member][page].credit(program, points);
    }

    /// @dev Warning: the caller has checked that the balance covers `points`.
    function _debit(address member, uint256 program, uint256 points) internal {
        uint256 page = BalancePageLib.pageOf(program);
        _pages[member][page] = _pages[member][page].debit(program, points);
    }

    // ---------------------------------------------------------------- checks

    function _balance(address member, uint256 program) internal view returns (uint256) {
        return _pages[member][BalancePageLib.pageOf(program)].balance(program);
    }

    /// @dev Whether all that `p` ever minted, with `points` more, fits 64 bits. No balance can then outgrow its lane.
    function _canMint(Program storage p, uint256 points) internal view returns (bool) {
        unchecked {
            return uint256(p.issued) + p.exchangedIn + p.restored + points <= type(uint64).max;
        }
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function balanceOf(address member, uint32 program) external view override returns (uint64) {
        if (program == 0) revert UnknownProgram(program);
        return uint64(_balance(member, program));
    }

    /// @inheritdoc IClearingHouse
    function totalSupply(uint32 program) external view override returns (uint64) {
        Program memory p = _programs[program];
        return p.issued + p.exchangedIn + p.restored - p.redeemed - p.spent - p.exchangedOut - p.expired - p.revoked;
    }

    /// @inheritdoc IClearingHouse
    function name(uint32 program) external view override returns (string memory) {
        return _text(_knownProgram(program).name);
    }

    /// @inheritdoc IClearingHouse
    function symbol(uint32 program) external view override returns (string memory) {
        return _text(_knownProgram(program).code);
    }

    /// @inheritdoc IClearingHouse
    function decimals(uint32 program) external view override returns (uint8) {
        _knownProgram(program);
        return 0;
    }

    /// @dev UTF-8 text from a zero-padded word.
    function _text(bytes32 word) private pure returns (string memory) {
        uint256 length = 0;
        while (length < 32 && word[length] != 0) ++length;
        bytes memory text = abi.encodePacked(word);
        assembly ("memory-safe") {
            mstore(text, length)
        }
        return string(text);
    }
}
