// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementTerms, Entry, Evidence, Kind, MerchantStatus, Reason} from "../interfaces/IClearingHouse.sol";
import {EntryAmounts} from "../types/EntryAmounts.sol";
import {Network, PackedOrder} from "./support/Network.sol";

/// @notice Reversals of all or part of an earlier entry: what flows back to whom, and who may reverse.
contract ReversalsTest is Network {
    function setUp() public override {
        super.setUp();
        _accept(GAS_STATION, _issue(FUEL, ann, 10_000));
    }

    // ---------------------------------------------------------------- each kind

    function test_IssueIsRevoked() public {
        Entry memory issued = _accept(GAS_STATION, _issue(FUEL, bob, 100));
        Entry memory entry = _accept(GAS_STATION, _reverse(issued, 40));
        _assertMoved(entry, 40, 0, 0, 0);
        assertEq(uint256(_kindOf(entry)), uint256(Kind.Reverse));
        assertEq(entry.link, _leaf(issued));
        assertEq(lens.balanceOf(bob, FUEL), 60);
        assertEq(lens.totalsOf(FUEL).revoked, 40);
        assertEq(house.reversedOf(_leaf(issued)), 40);
    }

    function test_RedeemedPointsComeBack() public {
        Entry memory redeemed = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        _accept(GAS_STATION, _reverse(redeemed, 100));
        assertEq(lens.balanceOf(ann, FUEL), 10_000);
        assertEq(lens.totalsOf(FUEL).redeemed, 100);
        assertEq(lens.totalsOf(FUEL).restored, 100);
    }

    /// @dev A run of issues stores its total only when it ends, which must happen before the reversal reads it.
    function test_PointsComeBackBetweenIssuesOfOneOrder() public {
        Entry memory redeemed = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        _execute(_order(GAS_STATION, _list(_issue(FUEL, bob, 3), _reverse(redeemed, 100), _issue(FUEL, bob, 4))));
        assertEq(posted.length, 3);
        assertEq(lens.totalsOf(FUEL).issued, 10_007);
        assertEq(lens.totalsOf(FUEL).restored, 100);
        assertEq(lens.totalSupply(FUEL), 10_007);
        assertEq(lens.balanceOf(bob, FUEL), 7);
    }

    function test_ExpiredPointsComeBack() public {
        Entry memory expired = _accept(GAS_STATION, _expire(FUEL, ann, 100));
        _accept(GAS_STATION, _reverse(expired, 1));
        assertEq(lens.balanceOf(ann, FUEL), 9901);
        assertEq(lens.totalsOf(FUEL).restored, 1);
    }

    function test_TransferGoesBackToTheGiver() public {
        Entry memory given = _accept(GAS_STATION, _transfer(FUEL, ann, bob, 100));
        _accept(GAS_STATION, _reverse(given, 30));
        assertEq(lens.balanceOf(ann, FUEL), 9930);
        assertEq(lens.balanceOf(bob, FUEL), 70);
        assertEq(lens.totalSupply(FUEL), 10_000);
        assertEq(lens.totalsOf(FUEL).restored, 0);
    }

    function test_ExchangeFlowsBackButForTheFee() public {
        Entry memory entry = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 111)); // 110 for 99
        Entry memory undone = _accept(CINEMA, _reverse(entry, 110));
        _assertMoved(undone, 110, 99, 990_000, 0);
        assertEq(_agreementOf(undone), FUEL_TO_CINE);
        assertEq(lens.balanceOf(ann, FUEL), 10_000);
        assertEq(lens.balanceOf(ann, CINE), 0);
        assertEq(lens.totalsOf(FUEL).restored, 110);
        assertEq(lens.totalsOf(CINE).revoked, 99);
        assertEq(_position(GAS_STATION), int96(DEPOSIT) - 990);
        assertEq(_position(CINEMA), int96(DEPOSIT));
        assertEq(_position(OPERATOR), 990);
        assertEq(lens.usedToday(FUEL_TO_CINE), 0);
    }

    function test_SpendFlowsBackWithTheFeeThatItsAcceptorCaused() public {
        Entry memory entry = _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 100)); // fee: 2375
        _assertMoved(_accept(CAR_WASH, _reverse(entry, 99)), 99, 0, 99 * 9500, 2352); // 2351.25, rounded up
        assertEq(lens.balanceOf(ann, FUEL), 9999);
        assertEq(_position(CAR_WASH), int96(DEPOSIT) + 9500 - 2352);
        assertEq(_position(GAS_STATION), int96(DEPOSIT) - 9500 - 23);
        assertEq(_position(OPERATOR), 2375);
        _assertMoved(_accept(CAR_WASH, _reverse(entry, 1)), 1, 0, 9500, 23);
        assertEq(_position(GAS_STATION), int96(DEPOSIT));
    }

    function test_ExchangeWithinOneMerchantFlowsBack() public {
        Entry memory entry = _accept(GAS_STATION, _exchange(FUEL_TO_FLEET, FUEL, ann, 10));
        _accept(GAS_STATION, _reverse(entry, 10));
        assertEq(_position(GAS_STATION), int96(DEPOSIT) - 450);
        assertEq(lens.balanceOf(ann, FLEET), 0);
    }

    // ---------------------------------------------------------------- who bears the fee

    /// @dev Without this rule, the cinema could make the gas station pay fees and use up its cap until the day is over.
    function test_TargetSideCannotWearTheSourceOut() public {
        for (uint256 i = 0; i < 5; ++i) {
            Entry memory entry = _accept(CINEMA, _exchange(FUEL_TO_CINE, FUEL, ann, 10_000));
            _assertMoved(entry, 10_000, 9000, 90e6, 90_000);
            _assertMoved(_accept(CINEMA, _reverse(entry, 10_000)), 10_000, 9000, 90e6, 90_000);
        }
        assertEq(_position(GAS_STATION), int96(DEPOSIT), "it cost the source nothing");
        assertEq(lens.usedToday(FUEL_TO_CINE), 0, "and used up no cap");
        assertEq(lens.balanceOf(ann, FUEL), 10_000);
        assertEq(_position(CINEMA), int96(DEPOSIT) - 5 * 90_000, "whoever initiated bears the fee");
        assertEq(_position(OPERATOR), 5 * 90_000);
    }

    function test_GiverNeedsTheMoneyForTheFeeToo() public {
        Entry memory entry = _accept(CINEMA, _exchange(FUEL_TO_CINE, FUEL, ann, 10)); // 90,000 and a fee of 90
        _withdraw(CINEMA, DEPOSIT);
        _setCreditLimit(CINEMA, 89);
        _refuse(CINEMA, _reverse(entry, 10), Reason.InsufficientLiquidity);
        _setCreditLimit(CINEMA, 90);
        _accept(CINEMA, _reverse(entry, 10));
        assertEq(_position(CINEMA), -90);
    }

    // ---------------------------------------------------------------- the day's cap

    function test_CapComesBackOnTheSameDay() public {
        Entry memory first = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        Entry memory spent = _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 100));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 500));
        _accept(CINEMA, _reverse(first, 400));
        assertEq(lens.usedToday(FUEL_TO_CINE), 1100);
        _accept(CINEMA, _reverse(first, 600));
        assertEq(lens.usedToday(FUEL_TO_CINE), 500);
        _accept(CAR_WASH, _reverse(spent, 99));
        assertEq(lens.usedToday(FUEL_AT_CAR_WASH), 1);
    }

    function test_CapOfAnEarlierDayDoesNotComeBack() public {
        Entry memory late = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        vm.warp(_now() + 1 days);
        _accept(CINEMA, _reverse(late, 300)); // in the first batch of the day
        assertEq(lens.usedToday(FUEL_TO_CINE), 0);
        Entry memory early = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 500));
        _accept(CINEMA, _reverse(late, 300)); // the use of today is not the use of yesterday
        assertEq(lens.usedToday(FUEL_TO_CINE), 500);
        _accept(CINEMA, _reverse(early, 500));
        assertEq(lens.usedToday(FUEL_TO_CINE), 0);
        vm.warp(_now() + 2 days);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10)); // in the first batch of the day, and in the same way back
        _accept(CINEMA, _reverse(posted[0], 10));
        assertEq(lens.usedToday(FUEL_TO_CINE), 0);
    }

    /// @dev Until the batch is closed, the newest one is yesterday's, but today's use has begun.
    function test_CapOfYesterdayDoesNotComeBackInTheFirstBatchOfToday() public {
        Entry memory late = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        vm.warp(_now() + 1 days);
        OrderDraft memory early = _order(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        _execute(_list(early, _order(CINEMA, _reverse(late, 300))));
        assertEq(posted.length, 2);
        assertEq(lens.usedToday(FUEL_TO_CINE), 10);
    }

    /// @dev Midnight in the network's time zone parts the days, not midnight UTC.
    function test_CapComesBackUntilMidnight() public {
        vm.warp(START + 12 hours - 1); // 23:59:59 in Shanghai
        Entry memory entry = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        _accept(CINEMA, _reverse(entry, 400));
        assertEq(lens.usedToday(FUEL_TO_CINE), 600);
        vm.warp(START + 12 hours);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100));
        _accept(CINEMA, _reverse(entry, 400));
        assertEq(lens.usedToday(FUEL_TO_CINE), 100);
    }

    function test_SuccessorKeepsTheUseThatItInherited() public {
        Entry memory entry = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 8, 10, 10_000, 10, 3);
        terms.supersedes = FUEL_TO_CINE;
        uint32 successor = _register(terms);
        _accept(CINEMA, _reverse(entry, 1000));
        assertEq(lens.usedToday(FUEL_TO_CINE), 0);
        assertEq(lens.usedToday(successor), 1000);
    }

    // ---------------------------------------------------------------- parts

    function test_PartsAddUpToExactlyTheWhole() public {
        _accept(SUPERMARKET, _issue(MART, ann, 1000));
        Entry memory entry = _accept(SUPERMARKET, _exchange(MART_TO_CINE, MART, ann, 103)); // 103 for 144, 7 to 5
        assertEq(_pointsOf(entry), 103);
        assertEq(_outOf(entry), 144);
        uint64 points;
        uint64 out;
        uint64 settled;
        for (uint64 part = 1; points < 103; ++part) {
            uint64 next = part > 103 - points ? 103 - points : part;
            Entry memory undone = _accept(CINEMA, _reverse(entry, next));
            (points, out, settled) = (points + next, out + _outOf(undone), settled + _settledOf(undone));
            assertGe(uint256(out) * 103, uint256(points) * 144, "never gives back too much");
        }
        assertEq(out, 144);
        assertEq(settled, _settledOf(entry));
        assertEq(lens.balanceOf(ann, MART), 1000);
        assertEq(lens.balanceOf(ann, CINE), 0);
        _refuse(CINEMA, _reverse(entry, 1), Reason.OverReversal);
    }

    /// forge-config: default.fuzz.runs = 1000
    /// forge-config: nightly.fuzz.runs = 20000
    function testFuzz_PartsAddUpToExactlyTheWhole(
        uint32 rateNum,
        uint32 rateDen,
        uint64 asked,
        uint64 price,
        uint256 cuts
    ) public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        terms.rateNum = uint32(bound(rateNum, 1, 1_000_000));
        terms.rateDen = uint32(bound(rateDen, 1, terms.rateNum * 100));
        terms.unitPriceMicros = uint64(bound(price, 0, 1000));
        terms.feeBps = uint16(cuts % 10_001);
        uint32 id = _register(terms);
        _deposit(GAS_STATION, 1e18);
        uint64 least = (terms.rateDen + terms.rateNum - 1) / terms.rateNum;
        Entry memory entry =
            _accept(GAS_STATION, _exchange(id, FUEL, ann, uint64(bound(asked, least, least > 100 ? 10_000 : 1000))));
        uint64 all = _pointsOf(entry);
        uint64 points;
        uint64 out;
        uint64 settled;
        for (uint256 i = 0; points < all; ++i) {
            uint64 part = i == 4 ? all - points : uint64(uint256(keccak256(abi.encode(cuts, i))) % (all - points) + 1);
            Entry memory undone = _accept(CINEMA, _reverse(entry, part));
            assertEq(_settledOf(undone), _outOf(undone) * terms.unitPriceMicros);
            (points, out, settled) = (points + part, out + _outOf(undone), settled + _settledOf(undone));
        }
        assertEq(out, _outOf(entry));
        assertEq(settled, _settledOf(entry));
        assertEq(lens.balanceOf(ann, FUEL), 10_000);
        assertEq(lens.balanceOf(ann, CINE), 0);
    }

    function test_NoMoreThanTheOriginalIsReversed() public {
        Entry memory entry = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        _refuse(GAS_STATION, _reverse(entry, 101), Reason.OverReversal);
        _refuse(GAS_STATION, _reverse(entry, type(uint64).max), Reason.OverReversal);
        _accept(GAS_STATION, _reverse(entry, 60));
        _refuse(GAS_STATION, _reverse(entry, 41), Reason.OverReversal);
        _accept(GAS_STATION, _reverse(entry, 40));
        _refuse(GAS_STATION, _reverse(entry, 1), Reason.OverReversal);
    }

    function test_SameReversalTwiceInABatchCountsTwice() public {
        Entry memory entry = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        Instruction memory instruction = _reverse(entry, 60);
        _execute(_order(GAS_STATION, _list(instruction, instruction)));
        assertEq(posted.length, 1);
        assertEq(uint256(refusals[0].reason), uint256(Reason.OverReversal));
        assertEq(house.reversedOf(_leaf(entry)), 60);
    }

    // ---------------------------------------------------------------- who and when

    function test_OnlyTheGiverReverses() public {
        Entry memory issued = _accept(GAS_STATION, _issue(FUEL, ann, 100));
        _refuse(CINEMA, _reverse(issued, 1), Reason.NotGiver);
        Entry memory moved = _accept(GAS_STATION, _transfer(FUEL, ann, bob, 1));
        _refuse(CINEMA, _reverse(moved, 1), Reason.NotGiver);
        Entry memory exchanged = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        _refuse(GAS_STATION, _reverse(exchanged, 1), Reason.NotGiver);
        Entry memory spent = _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 10));
        _refuse(GAS_STATION, _reverse(spent, 1), Reason.NotGiver);
    }

    function test_ReversalCannotBeReversed() public {
        Entry memory entry = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        Entry memory undone = _accept(GAS_STATION, _reverse(entry, 100));
        _refuse(GAS_STATION, _reverse(undone, 1), Reason.NotReversible);
    }

    function test_SuspendedMerchantReverses() public {
        Entry memory entry = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        _setStatus(CINEMA, MerchantStatus.Suspended);
        _setStatus(GAS_STATION, MerchantStatus.Closed);
        _accept(CINEMA, _reverse(entry, 10)); // the other side may even be closed, because it is paid
        assertEq(lens.balanceOf(ann, FUEL), 10_000);
    }

    function test_ReversalOutlivesItsAgreement() public {
        Entry memory entry = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        house.terminateAgreement(FUEL_TO_CINE, 0, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, 0));
        _accept(CINEMA, _reverse(entry, 10));
    }

    function test_ReversalWaitsForPausedPrograms() public {
        Entry memory issued = _accept(GAS_STATION, _issue(FUEL, ann, 1));
        Entry memory exchanged = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        Entry memory spent = _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 10));
        _setPaused(CINE, true);
        _refuse(CINEMA, _reverse(exchanged, 10), Reason.ProgramPaused);
        _setPaused(CINE, false);
        _setPaused(FUEL, true);
        _refuse(CINEMA, _reverse(exchanged, 10), Reason.ProgramPaused);
        _refuse(CAR_WASH, _reverse(spent, 10), Reason.ProgramPaused);
        _refuse(GAS_STATION, _reverse(issued, 1), Reason.ProgramPaused);
    }

    function test_PointsThatAreGoneCannotBeTakenBack() public {
        Entry memory issued = _accept(GAS_STATION, _issue(FUEL, bob, 10));
        Entry memory moved = _accept(GAS_STATION, _transfer(FUEL, ann, cat, 10));
        Entry memory exchanged = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10)); // 9
        _accept(GAS_STATION, _redeem(FUEL, bob, 1));
        _accept(GAS_STATION, _redeem(FUEL, cat, 1));
        _accept(CINEMA, _redeem(CINE, ann, 1));
        _refuse(GAS_STATION, _reverse(issued, 10), Reason.InsufficientPoints);
        _refuse(GAS_STATION, _reverse(moved, 10), Reason.InsufficientPoints);
        _refuse(CINEMA, _reverse(exchanged, 10), Reason.InsufficientPoints);
        _accept(GAS_STATION, _reverse(issued, 9));
        _accept(GAS_STATION, _reverse(moved, 9));
        _accept(CINEMA, _reverse(exchanged, 8));
        assertEq(lens.balanceOf(ann, CINE), 0);
    }

    function test_GiverNeedsTheMoney() public {
        Entry memory exchanged = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10)); // 90,000
        Entry memory spent = _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 10)); // 95,000
        _withdraw(CINEMA, DEPOSIT + 1);
        _withdraw(CAR_WASH, DEPOSIT + 1);
        _setCreditLimit(CINEMA, 0);
        _setCreditLimit(CAR_WASH, 0);
        _refuse(CINEMA, _reverse(exchanged, 10), Reason.InsufficientLiquidity);
        _refuse(CAR_WASH, _reverse(spent, 10), Reason.InsufficientLiquidity);
        _setCreditLimit(CINEMA, 1);
        _setCreditLimit(CAR_WASH, 1 + 238); // it initiated the spend, so it bears the fee
        _accept(CINEMA, _reverse(exchanged, 10));
        _accept(CAR_WASH, _reverse(spent, 10));
        assertEq(_position(CINEMA), -1);
    }

    function test_RestoredPointsCountForTheProgramsLife() public {
        uint64 rest = type(uint64).max - 10_000;
        _accept(GAS_STATION, _issue(FUEL, bob, rest - 1));
        Entry memory redeemed = _accept(GAS_STATION, _redeem(FUEL, ann, 10));
        Entry memory exchanged = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        Entry memory spent = _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 10));
        _refuse(GAS_STATION, _reverse(redeemed, 2), Reason.SupplyOverflow);
        _refuse(CINEMA, _reverse(exchanged, 2), Reason.SupplyOverflow);
        _refuse(CAR_WASH, _reverse(spent, 2), Reason.SupplyOverflow);
        _accept(GAS_STATION, _reverse(redeemed, 1));
    }

    // ---------------------------------------------------------------- evidence

    function test_ReversalNeedsEvidence() public {
        Entry memory entry = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        Instruction memory instruction = _reverse(entry, 1);
        instruction.link = keccak256("unknown");
        _refuse(GAS_STATION, instruction, Reason.UnknownEntry);
        instruction.link = 0;
        _refuse(GAS_STATION, instruction, Reason.UnknownEntry);
        _execute(_sign(_order(GAS_STATION, _reverse(entry, 1)))); // it names the first evidence, and there is none
        assertEq(uint256(refusals[0].reason), uint256(Reason.UnknownEntry));
    }

    function test_EvidenceMustProveTheSignedEntry() public {
        _execute(_order(GAS_STATION, _list(_redeem(FUEL, ann, 100), _redeem(FUEL, ann, 50), _redeem(FUEL, ann, 7))));
        Entry memory signed = posted[0];
        Evidence memory good = _evidence(_leaf(signed));
        Evidence memory other = _evidence(_leaf(posted[1]));
        _tryEvidence(signed, other, "another entry");
        _tryEvidence(signed, Evidence(signed, other.proof), "another entry's proof");
        _tryEvidence(signed, Evidence(signed, new bytes32[](0)), "no proof");
        Evidence memory inflated = Evidence(_evidence(_leaf(signed)).entry, good.proof);
        inflated.entry.amounts = EntryAmounts.wrap(EntryAmounts.unwrap(signed.amounts) + (1 << 192));
        _tryEvidence(inflated.entry, inflated, "an entry that was not posted");
        Instruction memory instruction = _reverse(signed, 1);
        instruction.member = bob;
        _refuse(GAS_STATION, instruction, Reason.UnknownEntry);
        instruction = _reverse(signed, 1);
        instruction.program = FLEET;
        _refuse(GAS_STATION, instruction, Reason.UnknownEntry);
        _accept(GAS_STATION, _reverse(signed, 1));
    }

    function _tryEvidence(Entry memory signed, Evidence memory shown, string memory why) private {
        PackedOrder[] memory orders = new PackedOrder[](1);
        orders[0] = _sign(_order(GAS_STATION, _reverse(signed, 1)));
        Evidence[] memory evidence = new Evidence[](1);
        evidence[0] = shown;
        _execute(orders, evidence);
        assertEq(posted.length, 0, why);
        assertEq(uint256(refusals[0].reason), uint256(Reason.UnknownEntry), why);
        assertEq(house.reversedOf(_leaf(signed)), 0, why);
    }

    function test_EntryCannotBeReversedInItsOwnBatch() public {
        OrderDraft memory first = _order(GAS_STATION, _redeem(FUEL, ann, 100));
        uint256 snapshot = vm.snapshotState();
        _execute(first);
        Entry memory entry = posted[0];
        vm.revertToState(snapshot);
        OrderDraft memory second = _order(GAS_STATION, _reverse(entry, 100));
        PackedOrder[] memory orders = new PackedOrder[](2);
        (orders[0], orders[1]) = (_sign(first), _sign(second));
        Evidence[] memory evidence = new Evidence[](1);
        evidence[0] = Evidence(entry, new bytes32[](0));
        _execute(orders, evidence);
        assertEq(_leaf(posted[0]), _leaf(entry));
        assertEq(uint256(refusals[0].reason), uint256(Reason.UnknownEntry));
    }

    function test_OneEvidenceServesSeveralReversals() public {
        Entry memory entry = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        PackedOrder[] memory orders = new PackedOrder[](1);
        orders[0] = _sign(_order(GAS_STATION, _list(_reverse(entry, 10), _reverse(entry, 20), _reverse(entry, 30))));
        Evidence[] memory evidence = new Evidence[](1);
        evidence[0] = _evidence(_leaf(entry));
        _execute(orders, evidence);
        assertEq(posted.length, 3);
        assertEq(house.reversedOf(_leaf(entry)), 60);
    }
}
