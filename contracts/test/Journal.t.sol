// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, Evidence, IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {EntryHead} from "../types/EntryHead.sol";
import {Network, PackedOrder} from "./support/Network.sol";

/// @notice Roots, proofs and the head. Besides, every test that executes a batch rebuilds both from events: see `Network._readEvents`.
contract JournalTest is Network {
    function test_EmptyBatchIsClosedWithoutRoot() public {
        vm.expectEmit(address(house));
        emit IClearingHouse.BatchClosed(1, 0, 0, keccak256(abi.encode(bytes32(0), 1, 0, bytes32(0))));
        _execute(new PackedOrder[](0), new Evidence[](0));
        assertEq(house.rootOf(1), 0);
        assertEq(house.batchCount(), 1);
    }

    function test_EveryEntryOfBatchesOfEverySizeIsProven() public {
        for (uint256 size = 1; size <= 17; ++size) {
            _executeIssues(size);
            bytes32[] memory leaves = leavesOf[closedBatches];
            assertEq(leaves.length, size);
            for (uint256 i = 0; i < size; ++i) {
                Evidence memory shown = _evidence(leaves[i]);
                assertTrue(lens.verifyEntry(shown.entry, shown.proof));
                shown.entry.ref = ~shown.entry.ref;
                assertFalse(lens.verifyEntry(shown.entry, shown.proof));
            }
        }
    }

    function _executeIssues(uint256 count) private {
        Instruction[] memory instructions = new Instruction[](count);
        for (uint256 i = 0; i < count; ++i) {
            instructions[i] = _issue(FUEL, ann, uint64(i + 1));
        }
        _execute(_order(GAS_STATION, instructions));
    }

    function test_EntryOfNoBatchIsNotProven() public {
        _executeIssues(1);
        Entry memory entry = posted[0];
        assertTrue(lens.verifyEntry(entry, new bytes32[](0)));
        entry.head = EntryHead.wrap(EntryHead.unwrap(entry.head) + (1 << 216));
        assertFalse(lens.verifyEntry(entry, new bytes32[](0)));
        assertFalse(lens.verifyEntry(Entry(ann, EntryHead.wrap(0), entry.amounts, 0, 0), new bytes32[](0)));
    }

    function test_EntryIsProvenInItsOwnBatchOnly() public {
        _executeIssues(2);
        Evidence memory first = _evidence(_leaf(posted[0]));
        _executeIssues(2);
        Evidence memory second = _evidence(_leaf(posted[0]));
        assertTrue(lens.verifyEntry(first.entry, first.proof));
        assertFalse(lens.verifyEntry(first.entry, second.proof));
    }

    function test_InnerNodeCannotPassForAnEntry() public {
        _executeIssues(4);
        Evidence memory shown = _evidence(_leaf(posted[0]));
        bytes32[] memory shorter = new bytes32[](1);
        shorter[0] = shown.proof[1];
        assertFalse(lens.verifyEntry(shown.entry, shorter));
    }

    function test_HeadChainsEveryBatch() public {
        bytes32 before = house.head();
        _executeIssues(3);
        bytes32 root = house.rootOf(closedBatches);
        assertEq(house.head(), keccak256(abi.encode(before, closedBatches, 3, root)));
        before = house.head();
        _execute(new PackedOrder[](0), new Evidence[](0));
        assertEq(house.head(), keccak256(abi.encode(before, closedBatches, 0, bytes32(0))));
    }

    function test_FreeLinkIsRecordedWithItsEntry() public {
        Instruction memory instruction = _issue(FUEL, ann, 5);
        instruction.link = keccak256("receipt 5");
        Entry memory entry = _accept(GAS_STATION, instruction);
        assertEq(entry.link, instruction.link);
        assertTrue(lens.verifyEntry(entry, new bytes32[](0)));
    }
}
