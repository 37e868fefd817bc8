// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title MerkleTree
/// @notice Root of a list of leaves. Pairs are hashed in sorted order, so OpenZeppelin's `MerkleProof` checks its proofs.
/// @dev A node without a partner moves up unchanged. Leaves hash 160 bytes and nodes 64, so neither can pass for the other.
library MerkleTree {
    /// @notice The root of the first `count` leaves; zero for none.
    /// @dev Warning: overwrites `leaves`. Each level is written over the front of the level below it. Assembly, because a batch
    /// hashes as many nodes as it has entries, and bounds checks would cost more than the hashes.
    function root(bytes32[] memory leaves, uint256 count) internal pure returns (bytes32 result) {
        if (count == 0) return 0;
        assembly ("memory-safe") {
            let first := add(leaves, 0x20)
            for {} gt(count, 1) { count := shr(1, add(count, 1)) } {
                let to := first
                let end := add(first, shl(6, shr(1, count))) // of the leaves that have a partner
                for { let from := first } lt(from, end) { from := add(from, 0x40) } {
                    let a := mload(from)
                    let b := mload(add(from, 0x20))
                    let place := shl(5, gt(a, b))
                    mstore(place, a)
                    mstore(xor(place, 0x20), b)
                    mstore(to, keccak256(0x00, 0x40))
                    to := add(to, 0x20)
                }
                if and(count, 1) { mstore(to, mload(end)) }
            }
            result := mload(first)
        }
    }

    /// @notice Where in memory `leaves[i]` is.
    function placeOf(bytes32[] memory leaves, uint256 i) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := add(add(leaves, 0x20), shl(5, i))
        }
    }

    /// @notice Puts `leaf` in its place and returns the next.
    /// @dev Warning: the caller has checked that there is such a place.
    function put(uint256 place, bytes32 leaf) internal pure returns (uint256 next) {
        assembly ("memory-safe") {
            mstore(place, leaf)
            next := add(place, 0x20)
        }
    }
}
