// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, Evidence, IClearingHouse, MerchantStatus, Reason} from "../interfaces/IClearingHouse.sol";
import {EntryHead} from "../types/EntryHead.sol";
import {Network, PackedOrder} from "./support/Network.sol";

/// @notice Atomic orders: they apply whole or not at all.
contract AtomicTest is Network {
    function setUp() public override {
        super.setUp();
        _accept(GAS_STATION, _issue(FUEL, ann, 1000));
    }

    function test_ExchangeThenRedeemInOneGo() public {
        _accept(CINEMA, _issue(CINE, ann, 1));
        OrderDraft memory draft =
            _atomic(CINEMA, _list(_exchange(FUEL_TO_CINE, FUEL, ann, 100), _redeem(CINE, ann, 91)));
        _execute(draft);
        assertEq(posted.length, 2);
        assertEq(_itemOf(posted[1]), 1);
        assertEq(lens.balanceOf(ann, FUEL), 900);
        assertEq(lens.balanceOf(ann, CINE), 0);
    }

    function test_OneRefusalUndoesTheOrder() public {
        Instruction[] memory instructions =
            _list(_issue(FUEL, bob, 5), _exchange(FUEL_TO_CINE, FUEL, ann, 100), _redeem(FUEL, ann, 1000));
        OrderDraft memory draft = _atomic(GAS_STATION, instructions);
        _executeWithoutEffect(draft, 3);
        assertEq(refusals.length, 2);
        assertEq(refusals[0].item, 2);
        assertEq(uint256(refusals[0].reason), uint256(Reason.InsufficientPoints));
        _assertOrderRefusal(1, draft, Reason.AtomicFailed);
        assertTrue(lens.nonceUsed(GAS_STATION, draft.nonce), "its nonce is used up");
        _refuseOrder(draft, Reason.NonceUsed);
    }

    function test_NeighboursOfAFailedOrderAreUntouched() public {
        OrderDraft[] memory drafts = new OrderDraft[](4);
        drafts[0] = _order(GAS_STATION, _list(_issue(FUEL, bob, 5), _redeem(FUEL, bob, 1)));
        drafts[1] = _atomic(GAS_STATION, _list(_issue(FUEL, bob, 5), _redeem(FUEL, cat, 1)));
        drafts[2] = _atomic(GAS_STATION, _list(_issue(FUEL, bob, 7), _transfer(FUEL, bob, cat, 11)));
        drafts[3] = _order(SUPERMARKET, _issue(MART, bob, 9));
        _execute(drafts);
        assertEq(posted.length, 5);
        assertEq(refusals.length, 2);
        assertEq(_nonceOf(posted[2]), drafts[2].nonce);
        assertEq(_itemOf(posted[3]), 1);
        assertEq(lens.balanceOf(bob, FUEL), 0);
        assertEq(lens.balanceOf(cat, FUEL), 11);
        assertEq(lens.balanceOf(bob, MART), 9);
        assertEq(lens.totalSupply(FUEL), 1000 + 5 - 1 + 7);
    }

    /// @dev The hashes of its instructions lie in memory where the frame's calldata are put together.
    function test_LongAtomicOrderIsExecuted() public {
        Instruction[] memory instructions = new Instruction[](24);
        for (uint256 i = 0; i < instructions.length; ++i) {
            instructions[i] = _issue(FUEL, bob, uint64(i + 1));
        }
        _execute(_atomic(GAS_STATION, instructions));
        assertEq(posted.length, instructions.length);
        assertEq(lens.balanceOf(bob, FUEL), 300);
    }

    function test_AtomicOrderReverses() public {
        Entry memory first = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        Entry memory second = _accept(GAS_STATION, _redeem(FUEL, ann, 50));
        OrderDraft memory other = _order(GAS_STATION, _reverse(second, 1));
        OrderDraft memory draft = _atomic(GAS_STATION, _list(_reverse(first, 100), _reverse(second, 49)));
        _execute(_list(other, draft));
        assertEq(posted.length, 3);
        assertEq(lens.balanceOf(ann, FUEL), 1000);

        Entry memory third = _accept(GAS_STATION, _redeem(FUEL, ann, 10));
        draft = _atomic(GAS_STATION, _list(_reverse(third, 10), _reverse(second, 1)));
        _executeWithoutEffect(draft, 3);
        assertEq(uint256(refusals[0].reason), uint256(Reason.OverReversal));
        assertEq(house.reversedOf(_leaf(third)), 0, "the reversal was undone, too");
    }

    function test_SuspendedMerchantMayWindDownAtomically() public {
        _setStatus(GAS_STATION, MerchantStatus.Suspended);
        _execute(_atomic(GAS_STATION, _list(_redeem(FUEL, ann, 1), _expire(FUEL, ann, 1))));
        assertEq(posted.length, 2);
        _executeWithoutEffect(_atomic(GAS_STATION, _list(_redeem(FUEL, ann, 1), _issue(FUEL, ann, 1))), 3);
        assertEq(uint256(refusals[0].reason), uint256(Reason.MerchantSuspended));
        assertEq(refusals[0].item, 1);
    }

    function test_AtomicOrderWithoutInstructionsIsRefused() public {
        _refuseOrder(_atomic(GAS_STATION, new Instruction[](0)), Reason.EmptyOrder);
    }

    function test_AtomicAndOrdinaryOrdersAreSignedApart() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        PackedOrder memory order = _sign(draft);
        draft.atomic = true;
        order.head = _packOrderHead(draft);
        _execute(order);
        _assertOrderRefusal(0, draft, Reason.UnknownSigner);
    }

    /// @dev Otherwise the sender of a batch could get an order refused, and its nonce used up, by giving it too little gas.
    function test_RunningOutOfGasInsideFailsTheBatchAndNotTheOrder() public {
        Instruction[] memory instructions = new Instruction[](60);
        for (uint256 i = 0; i < instructions.length; ++i) {
            instructions[i] = _issue(FUEL, address(uint160(i + 1)), 1);
        }
        OrderDraft memory draft = _atomic(GAS_STATION, instructions);
        (PackedOrder[] memory orders, Evidence[] memory evidence) = _sign(_list(draft));
        bytes memory data = abi.encodeCall(IClearingHouse.execute, (_pack(orders), evidence));
        uint256 starved;
        for (uint256 gas = 100_000; gas <= 2_400_000; gas += 100_000) {
            uint256 snapshot = vm.snapshotState();
            vm.recordLogs();
            vm.prank(sequencer);
            (bool done,) = address(house).call{gas: gas}(data);
            if (done) _readEvents(vm.getRecordedLogs());
            assertEq(refusals.length, 0, "refused for want of gas");
            if (!done) ++starved;
            vm.revertToState(snapshot);
        }
        assertGt(starved, 5);
        assertLt(starved, 24);
        _execute(draft);
        assertEq(posted.length, 60);
    }

    /// @dev Evidence that cannot be read is the sender's fault, not the merchant's.
    function test_UnreadableEvidenceFailsTheBatchAndNotTheOrder() public {
        Entry memory entry = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        OrderDraft memory draft = _atomic(GAS_STATION, _list(_reverse(entry, 1)));
        (PackedOrder[] memory orders, Evidence[] memory evidence) = _sign(_list(draft));
        bytes memory data = abi.encodeCall(IClearingHouse.execute, (_pack(orders), evidence));
        uint256 last = data.length; // where the last word begins, counted with the word of the length: that of no proof
        assembly ("memory-safe") {
            mstore(add(data, last), not(0))
        }
        vm.prank(sequencer);
        (bool done,) = address(house).call(data);
        assertFalse(done);
        _execute(draft);
        assertEq(posted.length, 1);
    }

    function test_NobodyElseRunsAnAtomicFrame() public {
        address[3] memory callers = [stranger, sequencer, admin];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(IClearingHouse.OnlySelf.selector);
            vm.prank(callers[i]);
            house.executeAtomic(EntryHead.wrap(0), 0, "", new Evidence[](0));
        }
    }

    function test_FrameSaysWhichItemWasRefusedAndWhy() public {
        OrderDraft memory draft = _order(GAS_STATION, _list(_issue(FUEL, ann, 1), _redeem(FUEL, bob, 1)));
        bytes memory instructions = _pack(_sign(draft).instructions);
        EntryHead start = EntryHead.wrap(uint256(GAS_STATION) << 168);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.AtomicRefused.selector, uint16(1), Reason.InsufficientPoints)
        );
        vm.prank(address(house));
        house.executeAtomic(start, 2, instructions, new Evidence[](0));
    }
}
