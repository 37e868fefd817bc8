// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WordCopy} from "./WordCopy.sol";

/// @notice Where in memory the copies lie that a batch made of stored words: 61 buckets, to find a copy by its slot, and the newest.
///
///     +----------+-----+-----------+--------+
///     | bucket 0 | ... | bucket 60 | newest |
///     +----------+-----+-----------+--------+
///     0x00             0x780       0x7a0    0x7c0
///
/// A slot has at most one copy, so whoever asks for it finds what others did to it before. Nothing else may read or write the slot
/// until `storeAll`.
type CopyTable is uint256;

using CopyTableLib for CopyTable global;

library CopyTableLib {
    uint256 private constant BUCKETS = 61;
    uint256 private constant NEWEST = 0x7a0;
    uint256 private constant TABLE_BYTES = 0x7c0;
    uint256 private constant COPY_BYTES = 0x140;

    /// @notice A table without copies.
    function create() internal pure returns (CopyTable table) {
        uint256 size = TABLE_BYTES;
        assembly ("memory-safe") {
            table := mload(0x40)
            mstore(0x40, add(table, size))
            calldatacopy(table, calldatasize(), size) // zeros
        }
    }

    /// @notice The copy of the word in `slot`, which is not 0. If there is none, makes it, behind the free memory pointer.
    function copyOf(CopyTable table, uint256 slot) internal view returns (WordCopy copy) {
        (uint256 buckets, uint256 place, uint256 size) = (BUCKETS, NEWEST, COPY_BYTES);
        assembly ("memory-safe") {
            let bucket := add(table, shl(5, mod(slot, buckets)))
            copy := mload(bucket)
            mstore(0x00, 0) // what would be the slot of copy 0
            for {} xor(mload(copy), slot) {} {
                if iszero(copy) { break }
                copy := mload(add(copy, 0x40))
            }
            // Not within the loop, from which the compiler would move `sload` to before it.
            if iszero(copy) {
                let newest := add(table, place)
                copy := mload(0x40)
                mstore(0x40, add(copy, size))
                mstore(copy, slot)
                mstore(add(copy, 0x20), sload(slot))
                mstore(add(copy, 0x40), mload(bucket))
                mstore(add(copy, 0x60), mload(newest))
                calldatacopy(add(copy, 0x80), calldatasize(), sub(size, 0x80)) // zeros
                mstore(bucket, copy)
                mstore(newest, copy)
            }
        }
    }

    /// @notice Stores all copies and forgets them.
    function storeAll(CopyTable table) internal {
        (uint256 place, uint256 size) = (NEWEST, TABLE_BYTES);
        assembly ("memory-safe") {
            for { let copy := mload(add(table, place)) } copy { copy := mload(add(copy, 0x60)) } {
                sstore(mload(copy), mload(add(copy, 0x20)))
            }
            calldatacopy(table, calldatasize(), size) // zeros
        }
    }
}
