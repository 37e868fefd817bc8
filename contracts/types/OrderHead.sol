// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The first word of an order as it travels (see `libraries/Orders.sol`).
///
///      255      224 223   176 175      136 135   128 127   112 111            0
///     +------------+---------+------------+---------+---------+----------------+
///     |  merchant  |  nonce  |  deadline  |  flags  |  count  | beginning of r |
///     +------------+---------+------------+---------+---------+----------------+
///
/// `count` is the number of instructions. The lowest flag says that the order is atomic.
type OrderHead is uint256;

using OrderHeadLib for OrderHead global;

library OrderHeadLib {
    function merchant(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 224;
    }

    function nonce(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 176 & type(uint48).max;
    }

    function deadline(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 136 & type(uint40).max;
    }

    function atomic(OrderHead head) internal pure returns (bool) {
        return OrderHead.unwrap(head) & 1 << 128 != 0;
    }

    function count(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 112 & type(uint16).max;
    }
}
