// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, IClearingHouse, MerchantStatus, ProgramTotals, Reason} from "../interfaces/IClearingHouse.sol";
import {Network} from "./support/Network.sol";

/// @notice The most points that a program issues in a network day: a lower cap at once, a higher one with notice, and no cap for free.
contract IssuanceCapTest is Network {
    function _cap(uint32 program, uint64 points) private {
        vm.prank(operator);
        house.setIssuanceCap(program, points);
    }

    function _assertCap(uint64 points, uint64 used, uint64 nextPoints, uint32 nextDay) private view {
        (uint64 p, uint64 u, uint64 n, uint32 d) = lens.issuanceCapOf(FUEL);
        assertEq(abi.encode(p, u, n, d), abi.encode(points, used, nextPoints, nextDay));
    }

    /// @dev One stolen key could otherwise mint 2^64 points in one order.
    function test_StolenKeyMintsNoMoreThanTheDaysCap() public {
        _cap(FUEL, 1000);
        _refuse(GAS_STATION, _issue(FUEL, ann, type(uint64).max), Reason.OverIssuanceCap);
        _refuse(GAS_STATION, _issue(FUEL, ann, 1001), Reason.OverIssuanceCap);
        _accept(GAS_STATION, _issue(FUEL, ann, 600));
        _refuse(GAS_STATION, _issue(FUEL, bob, 401), Reason.OverIssuanceCap);
        _accept(GAS_STATION, _issue(FUEL, bob, 400));
        _refuse(GAS_STATION, _issue(FUEL, cat, 1), Reason.OverIssuanceCap);
        _assertCap(1000, 1000, 0, 0);
        _accept(GAS_STATION, _issue(FLEET, ann, 5000)); // another program of the same merchant
        vm.warp(START + 12 hours); // midnight in Shanghai
        _assertCap(1000, 0, 0, 0);
        _accept(GAS_STATION, _issue(FUEL, cat, 1000));
    }

    function test_WithinABatchAndAnOrderToo() public {
        _cap(FUEL, 10);
        OrderDraft memory draft =
            _order(GAS_STATION, _list(_issue(FUEL, ann, 7), _issue(FUEL, bob, 4), _issue(FUEL, cat, 3)));
        _execute(_list(draft, _order(GAS_STATION, _issue(FUEL, ann, 1))));
        assertEq(posted.length, 2);
        assertEq(refusals.length, 2);
        _assertCap(10, 10, 0, 0);
    }

    function test_AtomicOrderUsesAllOrNothing() public {
        _cap(FUEL, 10);
        _execute(_atomic(GAS_STATION, _list(_issue(FUEL, ann, 7), _issue(FUEL, bob, 4))));
        assertEq(posted.length, 0);
        _assertCap(10, 0, 0, 0);
        _execute(_atomic(GAS_STATION, _list(_issue(FUEL, ann, 7), _issue(FUEL, bob, 3))));
        assertEq(posted.length, 2);
        _assertCap(10, 10, 0, 0);
    }

    /// @dev The stolen key of an operator can lift a cap only where everybody sees it coming.
    function test_HigherCapTakesNotice() public {
        _cap(FUEL, 10);
        uint32 day = house.today();
        vm.expectEmit(address(house));
        emit IClearingHouse.IssuanceCapChanged(FUEL, 30, day + 2);
        _cap(FUEL, 30);
        _assertCap(10, 0, 30, day + 2);
        _refuse(GAS_STATION, _issue(FUEL, ann, 11), Reason.OverIssuanceCap);
        vm.warp(START + 36 hours - 1);
        _refuse(GAS_STATION, _issue(FUEL, ann, 11), Reason.OverIssuanceCap);
        vm.warp(START + 36 hours);
        _assertCap(30, 0, 0, 0);
        _accept(GAS_STATION, _issue(FUEL, ann, 30));
        _refuse(GAS_STATION, _issue(FUEL, ann, 1), Reason.OverIssuanceCap);
    }

    function test_NoCapAfterOneTakesNoticeToo() public {
        _cap(FUEL, 10);
        _cap(FUEL, 0);
        _refuse(GAS_STATION, _issue(FUEL, ann, 11), Reason.OverIssuanceCap);
        vm.warp(START + 36 hours);
        _accept(GAS_STATION, _issue(FUEL, ann, type(uint64).max));
        _assertCap(0, type(uint64).max, 0, 0);
        _cap(FUEL, 0); // from here on it is as if there had never been one
        _assertCap(0, type(uint64).max, 0, 0);
    }

    function test_LowerCapCountsAtOnceAndCallsOffAHigherOne() public {
        _cap(FUEL, 10);
        _cap(FUEL, 30);
        uint32 day = house.today();
        vm.expectEmit(address(house));
        emit IClearingHouse.IssuanceCapChanged(FUEL, 10, day);
        _cap(FUEL, 10);
        _assertCap(10, 0, 0, 0);
        _cap(FUEL, 30);
        _cap(FUEL, 9);
        _assertCap(9, 0, 0, 0);
        vm.warp(START + 3 days);
        _refuse(GAS_STATION, _issue(FUEL, ann, 10), Reason.OverIssuanceCap);
    }

    function test_LaterHigherCapTakesThePlaceOfTheFirst() public {
        _cap(FUEL, 10);
        _cap(FUEL, 30);
        vm.warp(START + 24 hours);
        uint32 day = house.today();
        _cap(FUEL, 20);
        _assertCap(10, 0, 20, day + 2);
        vm.warp(START + 36 hours); // when the first one would have counted
        _refuse(GAS_STATION, _issue(FUEL, ann, 11), Reason.OverIssuanceCap);
    }

    function test_OnlyWhatIsIssuedUnderTheCapCounts() public {
        _accept(GAS_STATION, _issue(FUEL, ann, 1000));
        _cap(FUEL, 10);
        _accept(GAS_STATION, _issue(FUEL, ann, 10));
        _cap(FUEL, 5); // less than was issued already
        _assertCap(5, 10, 0, 0);
        _refuse(GAS_STATION, _issue(FUEL, ann, 1), Reason.OverIssuanceCap);
    }

    /// @dev Neither does no cap count, nor a cap that has come to its end.
    function test_NoCapCountsNothing() public {
        _cap(FUEL, 0);
        _accept(GAS_STATION, _issue(FUEL, ann, 1000));
        _cap(FUEL, 10);
        _assertCap(10, 0, 0, 0);
        _cap(FUEL, 0);
        vm.warp(START + 36 hours);
        _cap(FUEL, 0);
        _accept(GAS_STATION, _issue(FUEL, ann, 1000));
        _cap(FUEL, 10);
        _assertCap(10, 0, 0, 0);
    }

    function test_ReversalGivesNothingBack() public {
        _cap(FUEL, 10);
        Entry memory entry = _accept(GAS_STATION, _issue(FUEL, ann, 10));
        _accept(GAS_STATION, _reverse(entry, 10));
        _assertCap(10, 10, 0, 0);
        _refuse(GAS_STATION, _issue(FUEL, ann, 1), Reason.OverIssuanceCap);
    }

    function test_OtherMovementsUseNothing() public {
        _accept(GAS_STATION, _issue(FUEL, ann, 1000));
        _cap(FUEL, 1);
        _cap(CINE, 1);
        _accept(GAS_STATION, _transfer(FUEL, ann, bob, 10));
        Entry memory redeemed = _accept(GAS_STATION, _redeem(FUEL, ann, 10));
        _accept(GAS_STATION, _reverse(redeemed, 10));
        _accept(GAS_STATION, _expire(FUEL, ann, 1));
        Entry memory exchanged = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100));
        _accept(CINEMA, _reverse(exchanged, 100));
        _assertCap(1, 0, 0, 0);
        _accept(GAS_STATION, _issue(FUEL, ann, 1));
    }

    function test_CapLeavesTheProgramAsItWas() public {
        _accept(GAS_STATION, _issue(FUEL, ann, 9));
        _accept(GAS_STATION, _redeem(FUEL, ann, 4));
        ProgramTotals memory before = lens.totalsOf(FUEL);
        _cap(FUEL, 10);
        _setPaused(FUEL, true);
        _refuse(GAS_STATION, _issue(FUEL, ann, 1), Reason.ProgramPaused);
        _setPaused(FUEL, false);
        (uint32 merchant, bool paused, bytes32 code, bytes32 name) = lens.programOf(FUEL);
        assertEq(
            abi.encode(merchant, paused, code, name),
            abi.encode(GAS_STATION, false, bytes32("FUEL"), bytes32("Fuel points"))
        );
        assertEq(abi.encode(lens.totalsOf(FUEL)), abi.encode(before));
        _accept(GAS_STATION, _issue(FUEL, ann, 10));
        _setStatus(GAS_STATION, MerchantStatus.Suspended);
        _refuse(GAS_STATION, _issue(FUEL, ann, 1), Reason.MerchantSuspended);
    }

    /// forge-config: default.fuzz.runs = 500
    /// @notice Whatever the operator announces, no more is issued in a day than was allowed two days ago or has been lowered to since.
    function testFuzz_NoSequenceOfChangesLiftsACapWithoutNotice(uint64[6] memory caps, uint8[6] memory hoursBetween)
        public
    {
        uint64 first = uint64(_bound(caps[0], 1, 1000));
        _cap(FUEL, first);
        for (uint256 i = 1; i < caps.length; ++i) {
            uint256 at = _now() + (hoursBetween[i] % 12) * 1 hours;
            if (at >= START + 36 hours) break;
            vm.warp(at);
            _cap(FUEL, caps[i] % 2000);
        }
        (uint64 points,,,) = lens.issuanceCapOf(FUEL);
        assertTrue(points != 0 && points <= first, "lifted within two midnights");
    }
}
