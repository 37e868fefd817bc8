// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Which entry this is and what it is about.
///
///      255   216 215   200 199    168 167   120 119  104 103   96 95        64 63      32 31        0
///     +---------+---------+----------+---------+--------+--------+------------+----------+-----------+
///     |  batch  |  index  | merchant |  nonce  |  item  |  kind  | expiryDay  | program  | agreement |
///     +---------+---------+----------+---------+--------+--------+------------+----------+-----------+
type EntryHead is uint256;

/// @notice What moved: points left (or entered, for an issue) `program`; `out` is what entered the target program;
/// `settled` and `fee` are micros.
///
///      255     192 191     128 127      64 63        0
///     +-----------+-----------+-----------+-----------+
///     |  points   |    out    |  settled  |    fee    |
///     +-----------+-----------+-----------+-----------+
type EntryAmounts is uint256;

/// @notice The accepted result of one instruction. Its leaf is the hash of these five words, all of which are in its event.
struct Entry {
    address member;
    EntryHead head;
    EntryAmounts amounts;
    bytes32 ref;
    bytes32 link;
}

/// @notice An earlier entry with its Merkle proof, to be reversed.
struct Evidence {
    Entry entry;
    bytes32[] proof;
}

using EntriesLib for EntryHead global;
using EntriesLib for EntryAmounts global;

library EntriesLib {
    function pack(
        uint256 batch_,
        uint256 index_,
        uint256 merchant_,
        uint256 nonce_,
        uint256 item_,
        uint256 kind_,
        uint256 expiryDay_,
        uint256 program_,
        uint256 agreement_
    ) internal pure returns (EntryHead) {
        return EntryHead.wrap(
            batch_ << 216 | index_ << 200 | merchant_ << 168 | nonce_ << 120 | item_ << 104 | kind_ << 96
                | expiryDay_ << 64 | program_ << 32 | agreement_
        );
    }

    function packAmounts(uint256 points_, uint256 out_, uint256 settled_, uint256 fee_)
        internal
        pure
        returns (EntryAmounts)
    {
        return EntryAmounts.wrap(points_ << 192 | out_ << 128 | settled_ << 64 | fee_);
    }

    function batch(EntryHead head) internal pure returns (uint40) {
        return uint40(EntryHead.unwrap(head) >> 216);
    }

    function kind(EntryHead head) internal pure returns (uint8) {
        return uint8(EntryHead.unwrap(head) >> 96);
    }

    function program(EntryHead head) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(head) >> 32);
    }

    function agreement(EntryHead head) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(head));
    }

    function points(EntryAmounts amounts) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(amounts) >> 192);
    }

    function out(EntryAmounts amounts) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(amounts) >> 128);
    }

    function settled(EntryAmounts amounts) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(amounts) >> 64);
    }

    function fee(EntryAmounts amounts) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(amounts));
    }
}
