// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry} from "./Registry.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {BalancePage, BalancePageLib} from "./libraries/BalancePage.sol";
import {ProgramSide, ProgramSideLib} from "./libraries/ProgramSide.sol";

/// @title Points
/// @notice Members' balances, four programs a word. Totals live with the program (`Registry`); the caller counts them.
abstract contract Points is Registry {
    /// @dev One slot. It is a struct so that a reference to it can be kept: where it lies is then hashed once.
    struct Pocket {
        BalancePage page;
    }

    mapping(uint256 memberAndPage => Pocket) private _pockets;

    // ---------------------------------------------------------------- movements

    /// @dev Warning: the caller has made sure that the program can mint `points`, or that they came out of another balance of the
    /// same program.
    function _credit(uint256 member, uint256 program, uint256 points) internal {
        Pocket storage pocket = _pocketOf(member, program);
        pocket.page = pocket.page.credit(program, points);
    }

    /// @dev Takes `points` from a balance if it covers them; else returns false and has changed nothing.
    function _tryDebit(uint256 member, uint256 program, uint256 points) internal returns (bool) {
        Pocket storage pocket = _pocketOf(member, program);
        BalancePage page = pocket.page;
        if (page.balance(program) < points) return false;
        pocket.page = page.debit(program, points);
        return true;
    }

    /// @dev Warning: the caller has checked that the balance covers `points`.
    function _debit(uint256 member, uint256 program, uint256 points) internal {
        Pocket storage pocket = _pocketOf(member, program);
        pocket.page = pocket.page.debit(program, points);
    }

    /// @dev Takes `points` of `source` from the member's pocket, which holds `page`, and adds `out` of `target`. Two programs of one
    /// page cost one write.
    /// Warning: the caller has checked that the page covers `points` and that `target` can mint `out`.
    function _swap(
        uint256 member,
        Pocket storage pocket,
        BalancePage page,
        uint256 source,
        uint256 points,
        uint256 target,
        uint256 out
    ) internal {
        page = page.debit(source, points);
        if (BalancePageLib.pageOf(source) != BalancePageLib.pageOf(target)) {
            pocket.page = page;
            pocket = _pocketOf(member, target);
            page = pocket.page;
        }
        pocket.page = page.credit(target, out);
    }

    function _balance(uint256 member, uint256 program) internal view returns (uint256) {
        return _pocketOf(member, program).page.balance(program);
    }

    /// @dev Where `member` keeps its points of `program`, and of the three others of the same page.
    function _pocketOf(uint256 member, uint256 program) internal view returns (Pocket storage) {
        return _pockets[BalancePageLib.pageOf(program) << 160 | member];
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function balanceOf(address member, uint32 program) external view override returns (uint64) {
        _knownProgram(program);
        return uint64(_balance(uint160(member), program));
    }

    /// @inheritdoc IClearingHouse
    function totalSupply(uint32 program) external view override returns (uint64) {
        Program storage p = _knownProgram(program);
        (ProgramSide burnt, ProgramSide voided) = (p.burnt, p.voided);
        uint256 supply = p.minted.total(ProgramSideLib.MINTED);
        supply -= burnt.total(ProgramSideLib.REDEEMED) + burnt.total(ProgramSideLib.SPENT);
        supply -= burnt.total(ProgramSideLib.EXCHANGED_OUT) + voided.total(ProgramSideLib.EXPIRED);
        return uint64(supply - voided.total(ProgramSideLib.REVOKED));
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
}
