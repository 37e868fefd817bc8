// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BalancePageLib} from "../types/BalancePage.sol";

/// @title StorageLayout
/// @notice Where the clearing house keeps what its lens unpacks and its successor takes over. Whoever has a node can read the same slots
/// with `extsload`.
///
///      slot                what                 how many slots
///     +-------------------+--------------------+-----------------------------------------------------------------------+
///     | 0, 1              | owner, next owner  | 2                                                                     |
///     | 2                 | merchants          | 2^32, one for each: `MerchantPosition`                                |
///     | 2 + 2^32          | programs           | 6 * 2^32, six for each: minted, burnt, voided (`ProgramSide`), code,  |
///     |                   |                    | name, `IssuanceCap`                                                   |
///     | 2 + 7 * 2^32      | signer keys        | a mapping from the key; see below                                     |
///     | 3 + 7 * 2^32      | nonces             | a mapping from `merchant << 40 | nonce >> 8`; a bit for each nonce    |
///     | 5 + 7 * 2^32      | counts             | 1: merchants, and programs from bit 32 on                             |
///     | 6 + 7 * 2^32      | agreements         | 3 * 2^32, three for each: `AgreementRoute`, `AgreementPrice`,         |
///     |                   |                    | `AgreementParties`                                                    |
///     | 6 + 10 * 2^32     | signed terms       | a mapping from the digest: the agreement                              |
///     | 7 + 10 * 2^32     | agreement count    | 1                                                                     |
///     | 8 + 10 * 2^32     | balances           | a mapping from `page << 160 | member`: `BalancePage`                  |
///     | 9 + 10 * 2^32     | funds              | 1                                                                     |
///     | 10 + 10 * 2^32    | bank references    | a mapping from the reference: 1 if it was used                        |
///     | 11 + 10 * 2^32    | newest batch       | 1: the pause in 8 bits, then `NewestBatch`                            |
///     | 12 + 10 * 2^32    | head               | 1                                                                     |
///     | 13 + 10 * 2^32    | roots              | a mapping from the batch                                              |
///     | 14 + 10 * 2^32    | reversed points    | a mapping from the entry's leaf                                       |
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
    uint256 internal constant PROGRAM_SLOTS = 6;
    uint256 internal constant AGREEMENT_SLOTS = 3;

    uint256 internal constant OWNER = 0;
    uint256 internal constant PENDING_OWNER = 1;
    uint256 private constant MERCHANTS = 2;
    uint256 private constant PROGRAMS = 2 + 2 ** 32;
    uint256 internal constant SIGNERS = PROGRAMS + PROGRAM_SLOTS * 2 ** 32;
    uint256 internal constant NONCES = SIGNERS + 1;
    uint256 internal constant COUNTS = SIGNERS + 3;
    uint256 private constant AGREEMENTS = SIGNERS + 4;
    uint256 internal constant DIGESTS = AGREEMENTS + AGREEMENT_SLOTS * 2 ** 32;
    uint256 internal constant AGREEMENT_COUNT = DIGESTS + 1;
    uint256 internal constant BALANCES = DIGESTS + 2;
    uint256 internal constant FUNDS = DIGESTS + 3;
    uint256 internal constant BANK_REFERENCES = DIGESTS + 4;
    uint256 internal constant NEWEST_BATCH = DIGESTS + 5;
    uint256 internal constant HEAD = DIGESTS + 6;
    uint256 internal constant ROOTS = DIGESTS + 7;
    uint256 internal constant REVERSED = DIGESTS + 8;

    /// @dev The number of the funds among what there is one of. See `ofNetwork`.
    uint256 internal constant NETWORK_FUNDS = 2;

    /// @notice The slots of what there is one of, in the order of a snapshot: counts, agreement count, funds, newest batch, head.
    function ofNetwork(uint256 number) internal pure returns (uint256) {
        if (number == 0) return COUNTS;
        if (number == 1) return AGREEMENT_COUNT;
        if (number == NETWORK_FUNDS) return FUNDS;
        return number == 3 ? NEWEST_BATCH : HEAD;
    }

    /// @notice The slot of a merchant.
    function ofMerchant(uint32 merchant) internal pure returns (uint256) {
        return MERCHANTS + merchant;
    }

    /// @notice The first of a program's six slots.
    function ofProgram(uint32 program) internal pure returns (uint256) {
        return PROGRAMS + PROGRAM_SLOTS * uint256(program);
    }

    /// @notice The slot of a signer key.
    function ofSigner(address key) internal pure returns (uint256) {
        return ofMapping(SIGNERS, uint160(key));
    }

    /// @notice The slot with the bit of a nonce, which is bit `nonce % 256`.
    function ofNonce(uint32 merchant, uint48 nonce) internal pure returns (uint256) {
        return ofMapping(NONCES, uint256(merchant) << 40 | nonce >> 8);
    }

    /// @notice The first of an agreement's three slots.
    function ofAgreement(uint32 agreement) internal pure returns (uint256) {
        return AGREEMENTS + AGREEMENT_SLOTS * uint256(agreement);
    }

    /// @notice The slot with a member's balance of a program and of the three other programs of its page.
    function ofBalance(address member, uint32 program) internal pure returns (uint256) {
        return ofMapping(BALANCES, BalancePageLib.pageOf(program) << 160 | uint160(member));
    }

    /// @notice The slot of a key in the mapping at `slot`.
    function ofMapping(uint256 slot, uint256 key) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(key, slot)));
    }
}
