// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OrderHead} from "./Orders.sol";

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
    /// @notice The head of a batch's first entry, still without an order.
    function begin(uint256 batch_) internal pure returns (EntryHead) {
        return EntryHead.wrap(batch_ << 216);
    }

    /// @notice The head for the first item of an order.
    /// @dev Merchant and nonce lie side by side in both heads, so they move together.
    function enter(EntryHead head, OrderHead order) internal pure returns (EntryHead) {
        return EntryHead.wrap(EntryHead.unwrap(head) >> 200 << 200 | OrderHead.unwrap(order) >> 176 << 120);
    }

    /// @notice The head with what the entry is about.
    function about(EntryHead head, uint256 kind_, uint256 expiryDay_, uint256 program_, uint256 agreement_)
        internal
        pure
        returns (EntryHead)
    {
        uint256 filled = EntryHead.unwrap(head) | kind_ << 96 | expiryDay_ << 64 | program_ << 32 | agreement_;
        return EntryHead.wrap(filled);
    }

    /// @notice The head for the order's next item, after this one became an entry. Both numbers have 16 bits and stay below 2^16.
    function afterEntry(EntryHead head) internal pure returns (EntryHead) {
        unchecked {
            return EntryHead.wrap(EntryHead.unwrap(head) + (1 << 200 | 1 << 104));
        }
    }

    /// @notice The head after an atomic order, of which all `count` items became entries in a frame of their own.
    function afterFrame(EntryHead head, uint256 count) internal pure returns (EntryHead) {
        unchecked {
            return EntryHead.wrap(EntryHead.unwrap(head) + (count << 200));
        }
    }

    /// @notice The head for the order's next item, after this one was refused.
    function afterRefusal(EntryHead head) internal pure returns (EntryHead) {
        unchecked {
            return EntryHead.wrap(EntryHead.unwrap(head) + (1 << 104));
        }
    }

    function packAmounts(uint256 points_, uint256 out_, uint256 settled_, uint256 fee_)
        internal
        pure
        returns (EntryAmounts)
    {
        return EntryAmounts.wrap(points_ << 192 | out_ << 128 | settled_ << 64 | fee_);
    }

    function batch(EntryHead head) internal pure returns (uint256) {
        return EntryHead.unwrap(head) >> 216;
    }

    function index(EntryHead head) internal pure returns (uint256) {
        return EntryHead.unwrap(head) >> 200 & type(uint16).max;
    }

    function merchant(EntryHead head) internal pure returns (uint256) {
        return EntryHead.unwrap(head) >> 168 & type(uint32).max;
    }

    function nonce(EntryHead head) internal pure returns (uint256) {
        return EntryHead.unwrap(head) >> 120 & type(uint48).max;
    }

    function item(EntryHead head) internal pure returns (uint256) {
        return EntryHead.unwrap(head) >> 104 & type(uint16).max;
    }

    function kind(EntryHead head) internal pure returns (uint256) {
        return EntryHead.unwrap(head) >> 96 & type(uint8).max;
    }

    function program(EntryHead head) internal pure returns (uint256) {
        return EntryHead.unwrap(head) >> 32 & type(uint32).max;
    }

    function agreement(EntryHead head) internal pure returns (uint256) {
        return EntryHead.unwrap(head) & type(uint32).max;
    }

    function points(EntryAmounts amounts) internal pure returns (uint256) {
        return EntryAmounts.unwrap(amounts) >> 192;
    }

    function out(EntryAmounts amounts) internal pure returns (uint256) {
        return EntryAmounts.unwrap(amounts) >> 128 & type(uint64).max;
    }

    function settled(EntryAmounts amounts) internal pure returns (uint256) {
        return EntryAmounts.unwrap(amounts) >> 64 & type(uint64).max;
    }

    function fee(EntryAmounts amounts) internal pure returns (uint256) {
        return EntryAmounts.unwrap(amounts) & type(uint64).max;
    }
}
