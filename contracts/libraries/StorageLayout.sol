// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BalancePageLib} from "../types/BalancePage.sol";

/// @title StorageLayout
/// @notice Where the clearing house keeps what its lens unpacks. Whoever has a node can read the same slots with `extsload`.
///
///      slot                what                 how many slots
///     +-------------------+--------------------+-----------------------------------------------------------------------+
///     | 2                 | merchants          | 2^32, one for each: `MerchantPosition`                                |
///     | 2 + 2^32          | programs           | 6 * 2^32, six for each: minted, burnt, voided (`ProgramSide`), code,  |
///     |                   |                    | name, `IssuanceCap`                                                   |
///     | 2 + 7 * 2^32      | signer keys        | a mapping from the key; see below                                     |
///     | 3 + 7 * 2^32      | nonces             | a mapping from `merchant << 40 | nonce >> 8`; a bit for each nonce    |
///     | 6 + 7 * 2^32      | agreements         | 3 * 2^32, three for each: `AgreementRoute`, `AgreementPrice`,         |
///     |                   |                    | `AgreementParties`                                                    |
///     | 8 + 10 * 2^32     | balances           | a mapping from `page << 160 | member`: `BalancePage`                  |
///     +-------------------+--------------------+-----------------------------------------------------------------------+
///
///      a signer key
///      255  112 111      72 71       32 31       0
///     +--------+-----------+-----------+----------+
///     |   0    | validUntil| validFrom | merchant |
///     +--------+-----------+-----------+----------+
///
/// @dev The compiler assigns the slots, so nothing but a test can hold these numbers to them: `Lens.t.sol` compares everything that
/// the lens answers with what was registered and moved.
library StorageLayout {
    uint256 private constant MERCHANTS = 2;
    uint256 private constant PROGRAMS = 2 + 2 ** 32;
    uint256 private constant SIGNERS = 2 + 7 * 2 ** 32;
    uint256 private constant NONCES = 3 + 7 * 2 ** 32;
    uint256 private constant AGREEMENTS = 6 + 7 * 2 ** 32;
    uint256 private constant BALANCES = 8 + 10 * 2 ** 32;

    /// @notice The slot of a merchant.
    function ofMerchant(uint32 merchant) internal pure returns (uint256) {
        return MERCHANTS + merchant;
    }

    /// @notice The first of a program's six slots.
    function ofProgram(uint32 program) internal pure returns (uint256) {
        return PROGRAMS + 6 * uint256(program);
    }

    /// @notice The slot of a signer key.
    function ofSigner(address key) internal pure returns (uint256) {
        return _ofMapping(SIGNERS, uint160(key));
    }

    /// @notice The slot with the bit of a nonce, which is bit `nonce % 256`.
    function ofNonce(uint32 merchant, uint48 nonce) internal pure returns (uint256) {
        return _ofMapping(NONCES, uint256(merchant) << 40 | nonce >> 8);
    }

    /// @notice The first of an agreement's three slots.
    function ofAgreement(uint32 agreement) internal pure returns (uint256) {
        return AGREEMENTS + 3 * uint256(agreement);
    }

    /// @notice The slot with a member's balance of a program and of the three other programs of its page.
    function ofBalance(address member, uint32 program) internal pure returns (uint256) {
        return _ofMapping(BALANCES, BalancePageLib.pageOf(program) << 160 | uint160(member));
    }

    function _ofMapping(uint256 slot, uint256 key) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(key, slot)));
    }
}
