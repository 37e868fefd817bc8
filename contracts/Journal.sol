// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Registry} from "./Registry.sol";
import {Entry, IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {EntryAmounts} from "./types/EntryAmounts.sol";
import {EntryHead} from "./types/EntryHead.sol";
import {Instruction} from "./types/Instruction.sol";

/// @title Journal
/// @notice What happened, with proof: each entry is a leaf, each batch has a root, and the head chains the roots.
abstract contract Journal is Registry, Pausable {
    /// @inheritdoc IClearingHouse
    /// @dev This and the next two are declared first, because they share their slot with the pause, which every batch reads as well.
    uint40 public override batchCount;
    /// @dev The network day of the newest batch.
    uint32 private _dayOfNewestBatch;
    /// @dev The first batch of that day.
    uint40 private _firstBatchOfDay;
    /// @inheritdoc IClearingHouse
    bytes32 public override head;
    /// @inheritdoc IClearingHouse
    mapping(uint40 batch => bytes32) public override rootOf;
    /// @dev Source points of an entry that were reversed so far.
    mapping(bytes32 leaf => uint64 points) internal _reversedPoints;

    // ---------------------------------------------------------------- pauser

    /// @inheritdoc IClearingHouse
    function pause() external override onlyRole(Role.Pauser) {
        _pause();
    }

    /// @inheritdoc IClearingHouse
    function unpause() external override onlyRole(Role.Pauser) {
        _unpause();
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

    /// @dev Stores the root of the batch's first `count` leaves and moves the head.
    function _closeBatch(uint40 batch, uint256 day, bytes32[] memory leaves, uint256 count) internal {
        bytes32 root = MerkleTree.root(leaves, count);
        bytes32 newHead = keccak256(abi.encode(head, batch, count, root));

        batchCount = batch;
        if (_dayOfNewestBatch != day) (_dayOfNewestBatch, _firstBatchOfDay) = (uint32(day), batch);
        rootOf[batch] = root;
        head = newHead;

        emit BatchClosed(batch, uint16(count), root, newHead);
    }

    /// @dev Whether a closed batch is of `today`. No batch of today was closed before the first of today, nor on a day without one.
    function _isOfToday(uint256 batch, uint256 today_) internal view returns (bool) {
        return _dayOfNewestBatch == today_ && batch >= _firstBatchOfDay;
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function verifyEntry(Entry calldata entry, bytes32[] calldata proof) public view override returns (bool) {
        bytes32 root = rootOf[uint40(entry.head.batch())];
        return root != 0 && MerkleProof.verifyCalldata(proof, root, _leafOf(entry));
    }

    /// @inheritdoc IClearingHouse
    function reversedOf(bytes32 leaf) external view override returns (uint64) {
        return _reversedPoints[leaf];
    }

    function _leafOf(Entry calldata entry) internal pure returns (bytes32) {
        return keccak256(abi.encode(entry));
    }
}
