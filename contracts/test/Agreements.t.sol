// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementKind, AgreementTerms, IClearingHouse, Reason} from "../interfaces/IClearingHouse.sol";
import {Network} from "./support/Network.sol";

/// @notice Terms that two merchants signed: what is refused, how versions follow each other, and how they end.
contract AgreementsTest is Network {
    uint32 private constant NEXT = 8;

    function setUp() public override {
        super.setUp();
        _accept(GAS_STATION, _issue(FUEL, ann, 100_000));
    }

    // ---------------------------------------------------------------- registration

    function test_AgreementRecordsBothSignatures() public {
        AgreementTerms memory t = _exchangeTerms(FUEL, CINE, 3, 4, 5, 6, 3);
        (bytes memory source, bytes memory target) = _signatures(t);
        vm.expectEmit(address(house));
        emit IClearingHouse.AgreementRegistered(NEXT, _termsDigest(t), t, source, target);
        assertEq(_register(t), NEXT);
        assertEq(house.agreementCount(), NEXT);
        t.document = 0; // is in the event only
        assertEq(abi.encode(house.agreementOf(NEXT)), abi.encode(t));
        assertEq(house.usedToday(NEXT), 0);
    }

    function test_AcceptanceTermsReadBackAsSigned() public {
        AgreementTerms memory t = _acceptanceTerms(MART, CAR_WASH, type(uint64).max, 10_000, 3);
        (t.maxPoints, t.dailyCap) = (type(uint64).max, type(uint64).max);
        (t.validFrom, t.validUntil, t.graceSeconds) = (0, FOREVER, 7 days);
        uint32 id = _register(t);
        t.document = 0;
        assertEq(abi.encode(house.agreementOf(id)), abi.encode(t));
    }

    function test_AgreementIdsAreDense() public {
        AgreementTerms memory t = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 9, 8));
        house.registerAgreement(9, t, "", "");
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 0, 8));
        house.registerAgreement(0, t, "", "");
    }

    function test_BothMerchantsMustHaveSigned() public {
        AgreementTerms memory t = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        (bytes memory source, bytes memory target) = _signatures(t);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, GAS_STATION));
        house.registerAgreement(NEXT, t, target, target);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, CINEMA));
        house.registerAgreement(NEXT, t, source, source);
        t.rateNum = 2;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, GAS_STATION));
        house.registerAgreement(NEXT, t, source, target);
    }

    function test_SameSignedTermsAreRegisteredOnce() public {
        AgreementTerms memory t = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        _register(t);
        house.terminateAgreement(NEXT, 0, CINEMA, _terminationBy(CINEMA, NEXT, 0));
        (bytes memory source, bytes memory target) = _signatures(t);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AlreadyRegistered.selector, _termsDigest(t), NEXT));
        vm.prank(operator);
        house.registerAgreement(NEXT + 1, t, source, target);
        t.document = "another copy";
        assertEq(_register(t), NEXT + 1);
    }

    function test_UnknownMerchantsHaveNoAgreements() public {
        AgreementTerms memory t = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        t.sourceMerchant = 9;
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownMerchant.selector, 9));
        house.registerAgreement(NEXT, t, "", "");
        (t.sourceMerchant, t.targetMerchant) = (GAS_STATION, 10);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownMerchant.selector, 10));
        house.registerAgreement(NEXT, t, "", "");
    }

    function test_ExchangeTermsThatMakeNoSense() public {
        AgreementTerms memory t = _good();
        t.kind = AgreementKind.None;
        t.targetProgram = 0;
        _expectBad(t, "kind");
        t = _good();
        t.sourceProgram = CINE;
        _expectBad(t, "sourceProgram");
        t.sourceProgram = 99;
        _expectBad(t, "sourceProgram");
        t.sourceProgram = 0;
        _expectBad(t, "sourceProgram");
        t = _good();
        t.targetProgram = MART;
        _expectBad(t, "targetProgram");
        t.targetProgram = 0;
        _expectBad(t, "targetProgram");
        (t.targetMerchant, t.targetProgram) = (GAS_STATION, FUEL);
        _expectBad(t, "targetProgram");
        t = _good();
        t.initiators = 2; // an exchange is the source merchant's at least
        _expectBad(t, "initiators");
        t.initiators = 0;
        _expectBad(t, "initiators");
        t.initiators = 5;
        _expectBad(t, "initiators");
        t = _good();
        t.rateNum = 0;
        _expectBad(t, "rateNum");
        t = _good();
        t.rateDen = 0;
        _expectBad(t, "rateDen");
        t = _good();
        t.feeBps = 10_001;
        _expectBad(t, "feeBps");
        t = _good();
        t.maxPoints = 0;
        _expectBad(t, "maxPoints");
        t = _good();
        t.dailyCap = t.maxPoints - 1;
        _expectBad(t, "dailyCap");
        t = _good();
        t.validUntil = t.validFrom;
        _expectBad(t, "validUntil");
        (t.validFrom, t.validUntil) = (0, uint40(_now()));
        _expectBad(t, "validUntil");
        t = _good();
        t.graceSeconds = 7 days + 1;
        _expectBad(t, "graceSeconds");
        _register(_good());
    }

    function test_AcceptanceTermsThatMakeNoSense() public {
        AgreementTerms memory t = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 0);
        _expectBad(t, "initiators");
        t = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 1);
        t.targetProgram = CINE;
        _expectBad(t, "targetProgram");
        t = _acceptanceTerms(FUEL, GAS_STATION, 1, 1, 1);
        _expectBad(t, "targetMerchant");
        t = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 1);
        t.rateNum = 2;
        _expectBad(t, "rateNum");
        (t.rateNum, t.rateDen) = (1, 2);
        _expectBad(t, "rateNum");
        t = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 1);
        t.lifetimeDays = 1;
        _expectBad(t, "lifetimeDays");
    }

    function _good() private view returns (AgreementTerms memory) {
        return _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
    }

    function _expectBad(AgreementTerms memory t, string memory field) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadTerms.selector, field));
        vm.prank(operator);
        house.registerAgreement(NEXT, t, "", "");
    }

    function test_UnknownAgreementsCannotBeAskedFor() public {
        uint32[2] memory unknown = [uint32(0), NEXT];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory expected = abi.encodeWithSelector(IClearingHouse.UnknownAgreement.selector, unknown[i]);
            vm.expectRevert(expected);
            house.agreementOf(unknown[i]);
            vm.expectRevert(expected);
            house.usedToday(unknown[i]);
            vm.expectRevert(expected);
            house.terminateAgreement(unknown[i], 0, CINEMA, "");
        }
    }

    // ---------------------------------------------------------------- versions

    function test_OldVersionStaysUsableForTheGrace() public {
        AgreementTerms memory t = _successor(10 minutes);
        uint40 end = uint40(_now() + 10 minutes);
        vm.expectEmit(address(house));
        emit IClearingHouse.AgreementEnds(FUEL_TO_CINE, end, NEXT);
        _register(t);
        assertEq(house.agreementOf(NEXT).supersedes, FUEL_TO_CINE);
        vm.warp(end - 1);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 10));
        vm.warp(end);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.AgreementNotLive);
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 10));
    }

    function test_GraceBeginsWhenTheSuccessorDoes() public {
        AgreementTerms memory t = _successor(1 hours);
        t.validFrom = uint40(_now() + 30 days);
        _register(t);
        assertEq(house.agreementOf(FUEL_TO_CINE).validUntil, t.validFrom + 1 hours);
    }

    function test_GraceNeverExtends() public {
        uint40 end = uint40(_now() + 60);
        house.terminateAgreement(FUEL_TO_CINE, end, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, end));
        _register(_successor(7 days));
        assertEq(house.agreementOf(FUEL_TO_CINE).validUntil, end);
        vm.warp(end + 1 days);
        AgreementTerms memory t = _successor(7 days);
        t.document = "after its end";
        _register(t);
        assertEq(house.agreementOf(FUEL_TO_CINE).validUntil, end, "what has ended stays ended");
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.AgreementNotLive);
    }

    function test_VersionWithoutGraceEndsItsPredecessorAtOnce() public {
        _register(_successor(0));
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.AgreementNotLive);
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 10));
    }

    function test_VersionMustBeOfTheSameRoute() public {
        AgreementTerms memory t = _exchangeTerms(FUEL, FILM, 1, 1, 1, 1, 1);
        t.supersedes = FUEL_TO_CINE;
        _expectBad(t, "supersedes");
        t = _exchangeTerms(FLEET, CINE, 1, 1, 1, 1, 1);
        t.supersedes = FUEL_TO_CINE;
        _expectBad(t, "supersedes");
        t = _acceptanceTerms(FUEL, CINEMA, 1, 1, 1);
        t.supersedes = FUEL_TO_CINE;
        _expectBad(t, "supersedes");
        t = _acceptanceTerms(FUEL, CINEMA, 1, 1, 1); // merchant 2 is not program 2
        t.supersedes = FUEL_AT_CAR_WASH;
        _expectBad(t, "supersedes");
        t.supersedes = NEXT;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownAgreement.selector, NEXT));
        vm.prank(operator);
        house.registerAgreement(NEXT, t, "", "");
    }

    /// @dev Registered on the same day, a version does not open the day's cap again; the next day begins anew for both.
    function test_VersionBeginsWithTheDaysUse() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        AgreementTerms memory t = _successor(2 days);
        (t.maxPoints, t.dailyCap) = (1500, 1500);
        _register(t);
        assertEq(house.usedToday(NEXT), 1000);
        _refuse(GAS_STATION, _exchange(NEXT, FUEL, ann, 510), Reason.OverDailyCap);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100)); // the grace is the old version's own
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 500));
        assertEq(house.usedToday(NEXT), 1500);
        assertEq(house.usedToday(FUEL_TO_CINE), 1100);
        vm.warp(_now() + 1 days);
        assertEq(house.usedToday(NEXT), 0);
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 1500));
    }

    function test_UseOfAnEarlierDayIsNotCarriedOver() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        vm.warp(_now() + 1 days);
        _register(_successor(0));
        assertEq(house.usedToday(NEXT), 0);
    }

    function test_AgreementIsUsableInItsLastSecondAndNotAfter() public {
        AgreementTerms memory t = _good();
        t.validUntil = uint40(_now() + 60);
        _register(t);
        vm.warp(t.validUntil - 1);
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 10));
        vm.warp(t.validUntil);
        _refuse(GAS_STATION, _exchange(NEXT, FUEL, ann, 10), Reason.AgreementNotLive);
    }

    function _successor(uint32 grace) private view returns (AgreementTerms memory t) {
        t = _exchangeTerms(FUEL, CINE, 8, 10, 10_000, 10, 3);
        (t.supersedes, t.graceSeconds) = (FUEL_TO_CINE, grace);
    }

    // ---------------------------------------------------------------- termination

    function test_EitherSideTerminates() public {
        uint40 end = uint40(_now() + 60);
        vm.expectEmit(address(house));
        emit IClearingHouse.AgreementEnds(FUEL_TO_CINE, end, 0);
        vm.prank(stranger); // anyone may bring the signature
        house.terminateAgreement(FUEL_TO_CINE, end, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, end));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        house.terminateAgreement(FUEL_TO_CINE, 0, GAS_STATION, _terminationBy(GAS_STATION, FUEL_TO_CINE, 0));
        assertEq(house.agreementOf(FUEL_TO_CINE).validUntil, _now(), "not before now");
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.AgreementNotLive);
    }

    function test_TerminationNeverExtends() public {
        uint40 end = house.agreementOf(FUEL_TO_CINE).validUntil;
        house.terminateAgreement(FUEL_TO_CINE, FOREVER, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, FOREVER));
        assertEq(house.agreementOf(FUEL_TO_CINE).validUntil, end);
    }

    function test_TerminationKeepsTheDaysUseAndThePrice() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        uint40 end = uint40(_now() + 60);
        house.terminateAgreement(FUEL_TO_CINE, end, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, end));
        assertEq(house.usedToday(FUEL_TO_CINE), 10);
        AgreementTerms memory t = house.agreementOf(FUEL_TO_CINE);
        assertEq(t.validUntil, end);
        assertEq(t.rateNum, 9);
        assertEq(t.sourceProgram, FUEL);
    }

    function test_ThirdPartiesCannotTerminate() public {
        bytes memory signature = _terminationBy(SUPERMARKET, FUEL_TO_CINE, 0);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, SUPERMARKET));
        house.terminateAgreement(FUEL_TO_CINE, 0, SUPERMARKET, signature);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, CINEMA));
        house.terminateAgreement(FUEL_TO_CINE, 0, CINEMA, signature);
        signature = _terminationBy(CINEMA, FUEL_TO_CINE, 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, CINEMA));
        house.terminateAgreement(FUEL_TO_CINE, 0, CINEMA, signature);
    }
}
