// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Registry} from "./Registry.sol";
import {IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {Entry, EntryAmounts, EntryHead} from "./libraries/Entries.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {Item} from "./libraries/Orders.sol";

/// @title Journal
/// @notice What happened, provably: a leaf an entry, a root a batch, and a head that chains the roots.
abstract contract Journal is Registry, Pausable {
    /// @inheritdoc IClearingHouse
    /// @dev First, because it shares its slot with the pause, which every batch reads as well.
    uint40 public override batchCount;
    /// @inheritdoc IClearingHouse
    bytes32 public override head;
    /// @inheritdoc IClearingHouse
    mapping(uint40 batch => bytes32) public override rootOf;
    /// @dev Source points of an entry that were reversed so far.
    mapping(bytes32 leaf => uint64 points) internal _reversed;

    // ---------------------------------------------------------------- network pause

    /// @inheritdoc IClearingHouse
    function pause() external override onlyRole(Role.Pauser) {
        _pause();
    }

    /// @inheritdoc IClearingHouse
    function unpause() external override onlyRole(Role.Pauser) {
        _unpause();
    }

    // ---------------------------------------------------------------- writing

    /// @dev Emits the entry and returns its leaf. Assembly, so that the leaf is hashed from the very bytes the event carries and
    /// no memory is left behind: the event's data are the three words after the member.
    function _record(Item i, EntryHead entryHead, EntryAmounts amounts) internal returns (bytes32 leaf) {
        (uint256 member, uint256 ref, uint256 link) = (i.member(), i.ref(), i.link());
        bytes32 plain = EntryPosted.selector;
        bytes32 linked = LinkedEntryPosted.selector;
        assembly ("memory-safe") {
            let m := mload(0x40)
            let data := add(m, 0x20)
            mstore(m, member)
            mstore(data, entryHead)
            mstore(add(m, 0x40), amounts)
            mstore(add(m, 0x60), ref)
            mstore(add(m, 0x80), link)
            leaf := keccak256(m, 0xa0)
            switch link
            case 0 { log2(data, 0x60, plain, member) }
            default { log3(data, 0x60, linked, member, link) }
        }
    }

    /// @dev Stores the root of the batch's `count` leaves and chains the head.
    function _closeBatch(uint40 batch, bytes32[] memory leaves, uint256 count) internal {
        bytes32 root = MerkleTree.root(leaves, count);
        bytes32 newHead = keccak256(abi.encode(head, batch, count, root));

        batchCount = batch;
        rootOf[batch] = root;
        head = newHead;

        emit BatchClosed(batch, uint16(count), root, newHead);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function verifyEntry(Entry calldata entry, bytes32[] calldata proof) public view override returns (bool) {
        bytes32 root = rootOf[uint40(entry.head.batch())];
        return root != 0 && MerkleProof.verifyCalldata(proof, root, _leafOf(entry));
    }

    /// @inheritdoc IClearingHouse
    function reversedOf(bytes32 leaf) external view override returns (uint64) {
        return _reversed[leaf];
    }

    function _leafOf(Entry calldata entry) internal pure returns (bytes32) {
        return keccak256(abi.encode(entry));
    }
}
