// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Registry} from "./Registry.sol";
import {IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {EntryAmounts} from "./types/EntryAmounts.sol";
import {EntryHead} from "./types/EntryHead.sol";
import {Instruction} from "./types/Instruction.sol";
import {NewestBatch} from "./types/NewestBatch.sol";

/// @title Journal
/// @notice What happened, with proof: each entry is a leaf, each batch has a root, and the head chains the roots.
abstract contract Journal is Registry, Pausable {
    /// @dev Declared first, because it shares its slot with the pause, which every batch reads as well.
    NewestBatch internal _newestBatch;
    /// @inheritdoc IClearingHouse
    bytes32 public override head;
    /// @inheritdoc IClearingHouse
    mapping(uint40 batch => bytes32) public override rootOf;
    /// @inheritdoc IClearingHouse
    mapping(bytes32 leaf => uint64 points) public override reversedOf;

    // ---------------------------------------------------------------- pauser

    /// @inheritdoc IClearingHouse
    function pause() external override onlyRole(Role.Pauser) {
        _pause();
    }

    /// @inheritdoc IClearingHouse
    function unpause() external override onlyRole(Role.Pauser) {
        _unpause();
    }

    function _requireRunning() internal view override {
        _requireNotPaused();
    }

    // ---------------------------------------------------------------- entries and batches

    /// @dev Emits the entry and returns its leaf. Assembly, so that the leaf hashes the very bytes of the event and no memory is
    /// allocated. The event's data are the three words after the member.
    function _emitEntry(Instruction instruction, EntryHead entryHead, EntryAmounts amounts)
        internal
        returns (bytes32 leaf)
    {
        (uint256 member, uint256 ref, uint256 link) = (instruction.member(), instruction.ref(), instruction.link());
        bytes32 plainEvent = EntryPosted.selector;
        bytes32 linkedEvent = LinkedEntryPosted.selector;
        assembly ("memory-safe") {
            let entry := mload(0x40)
            let data := add(entry, 0x20)
            mstore(entry, member)
            mstore(data, entryHead)
            mstore(add(entry, 0x40), amounts)
            mstore(add(entry, 0x60), ref)
            mstore(add(entry, 0x80), link)
            leaf := keccak256(entry, 0xa0)
            switch link
            case 0 { log2(data, 0x60, plainEvent, member) }
            default { log3(data, 0x60, linkedEvent, member, link) }
        }
    }

    /// @dev Stores the root of the batch's first `count` leaves and moves the head. Assembly, to write the whole slot of the newest
    /// batch without reading it again: all else that it holds is the pause, which is off while a batch executes.
    function _closeBatch(NewestBatch newest, bytes32[] memory leaves, uint256 count) internal {
        uint40 batch = uint40(newest.number());
        bytes32 root = MerkleTree.root(leaves, count);
        bytes32 newHead = keccak256(abi.encode(head, batch, count, root));

        assembly ("memory-safe") {
            sstore(_newestBatch.slot, shl(shl(3, _newestBatch.offset), newest))
        }
        rootOf[batch] = root;
        head = newHead;

        emit BatchClosed(batch, uint16(count), root, newHead);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function batchCount() external view override returns (uint40) {
        return uint40(_newestBatch.number());
    }

    /// @dev Whether a posted entry of this batch has this leaf.
    function _isPosted(uint256 batch, bytes32 leaf, bytes32[] calldata proof) internal view returns (bool) {
        bytes32 root = rootOf[uint40(batch)];
        return root != 0 && MerkleProof.verifyCalldata(proof, root, leaf);
    }
}
