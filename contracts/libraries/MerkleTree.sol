// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @title MerkleTree
/// @notice Root of a list of leaves. Pairs are hashed in sorted order, so OpenZeppelin's `MerkleProof` checks its proofs.
/// @dev A node without a partner moves up unchanged. Leaves hash 160 bytes and nodes 64, so neither can pass for the other.
library MerkleTree {
    /// @notice The root of the first `count` leaves; zero for none.
    /// @dev Warning: overwrites `leaves`. Each level is written over the front of the level below it.
    function root(bytes32[] memory leaves, uint256 count) internal pure returns (bytes32) {
        if (count == 0) return 0;
        unchecked {
            while (count > 1) {
                uint256 parents = 0;
                for (uint256 i = 0; i < count; i += 2) {
                    bytes32 node = _at(leaves, i);
                    if (i + 1 < count) node = Hashes.commutativeKeccak256(node, _at(leaves, i + 1));
                    _put(leaves, parents++, node);
                }
                count = parents;
            }
        }
        return leaves[0];
    }

    /// @dev `leaves[i]` without the bounds check: `root` reads and writes each leaf once a level.
    function _at(bytes32[] memory leaves, uint256 i) private pure returns (bytes32 leaf) {
        assembly ("memory-safe") {
            leaf := mload(add(add(leaves, 0x20), shl(5, i)))
        }
    }

    /// @dev `leaves[i] = leaf` without the bounds check.
    function _put(bytes32[] memory leaves, uint256 i, bytes32 leaf) private pure {
        assembly ("memory-safe") {
            mstore(add(add(leaves, 0x20), shl(5, i)), leaf)
        }
    }
}
