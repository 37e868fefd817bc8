// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title MerkleTree
/// @notice Root of a list of leaves. Pairs are hashed in sorted order, so that OpenZeppelin's `MerkleProof` can check the proofs.
/// @dev A node without a partner moves up unchanged. A leaf hashes 160 bytes and a node 64, so neither can pass for the other.
library MerkleTree {
    /// @notice The root of the first `count` leaves, or zero if there are none.
    /// @dev Warning: overwrites `leaves`, each level over the front of the level below it. Assembly, because a batch hashes as
    /// many nodes as it has entries, and bounds checks would cost more than the hashes.
    function root(bytes32[] memory leaves, uint256 count) internal pure returns (bytes32 result) {
        if (count == 0) return 0;
        assembly ("memory-safe") {
            let first := add(leaves, 0x20)
            for {} gt(count, 1) { count := shr(1, add(count, 1)) } {
                let to := first
                let end := add(first, shl(6, shr(1, count))) // of the nodes that have a partner
                for { let from := first } lt(from, end) { from := add(from, 0x40) } {
                    let left := mload(from)
                    let right := mload(add(from, 0x20))
                    let scratch := shl(5, gt(left, right))
                    mstore(scratch, left)
                    mstore(xor(scratch, 0x20), right)
                    mstore(to, keccak256(0x00, 0x40))
                    to := add(to, 0x20)
                }
                if and(count, 1) { mstore(to, mload(end)) }
            }
            result := mload(first)
        }
    }

    /// @notice Where in memory `leaves[index]` is.
    function pointerTo(bytes32[] memory leaves, uint256 index) internal pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := add(add(leaves, 0x20), shl(5, index))
        }
    }

    /// @notice The pointer `count` leaves beyond `pointer`.
    function skip(uint256 pointer, uint256 count) internal pure returns (uint256 next) {
        unchecked {
            return pointer + (count << 5);
        }
    }

    /// @notice Writes `leaf` at `pointer` and returns the pointer to the next leaf.
    /// @dev Warning: the caller makes sure that the pointer is inside the list.
    function write(uint256 pointer, bytes32 leaf) internal pure returns (uint256 next) {
        assembly ("memory-safe") {
            mstore(pointer, leaf)
            next := add(pointer, 0x20)
        }
    }
}
