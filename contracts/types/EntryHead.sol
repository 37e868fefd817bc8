// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OrderHead} from "./OrderHead.sol";

/// @notice Where an entry stands (batch, index, order, item) and what it moved.
///
///      255   216 215   200 199    168 167   120 119  104 103   96 95        64 63      32 31        0
///     +---------+---------+----------+---------+--------+--------+------------+----------+-----------+
///     |  batch  |  index  | merchant |  nonce  |  item  |  kind  | expiryDay  | program  | agreement |
///     +---------+---------+----------+---------+--------+--------+------------+----------+-----------+
///
/// `index` counts the entries of a batch, `item` the instructions of an order.
type EntryHead is uint256;

using EntryHeadLib for EntryHead global;

/// @dev Index and item have 16 bits and never reach 2^16, because `execute` bounds the instructions of a batch.
library EntryHeadLib {
    /// @notice The head of a batch's first entry, before its first order.
    function forBatch(uint256 batch_) internal pure returns (EntryHead) {
        return EntryHead.wrap(batch_ << 216);
    }

    /// @notice The head for the first item of `order`.
    /// @dev Merchant and nonce are neighbours in both heads, so they move together.
    function forOrder(EntryHead head, OrderHead order) internal pure returns (EntryHead) {
        return EntryHead.wrap(EntryHead.unwrap(head) >> 200 << 200 | OrderHead.unwrap(order) >> 176 << 120);
    }

    /// @notice The head with the fields that say what moved.
    function withMovement(EntryHead head, uint256 kind_, uint256 expiryDay_, uint256 program_, uint256 agreement_)
        internal
        pure
        returns (EntryHead)
    {
        uint256 filled = EntryHead.unwrap(head) | kind_ << 96 | expiryDay_ << 64 | program_ << 32 | agreement_;
        return EntryHead.wrap(filled);
    }

    /// @notice The head for the order's next item, after this item became an entry.
    function afterEntry(EntryHead head) internal pure returns (EntryHead) {
        unchecked {
            return EntryHead.wrap(EntryHead.unwrap(head) + (1 << 200 | 1 << 104));
        }
    }

    /// @notice The head after an atomic order whose `count` items all became entries in a frame of their own.
    function afterFrame(EntryHead head, uint256 count) internal pure returns (EntryHead) {
        unchecked {
            return EntryHead.wrap(EntryHead.unwrap(head) + (count << 200));
        }
    }

    /// @notice The head for the order's next item, after this item was refused.
    function afterRefusal(EntryHead head) internal pure returns (EntryHead) {
        unchecked {
            return EntryHead.wrap(EntryHead.unwrap(head) + (1 << 104));
        }
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
}
