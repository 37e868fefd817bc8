// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementKind, AgreementTerms, IClearingHouse, Reason} from "../interfaces/IClearingHouse.sol";
import {Network} from "./support/Network.sol";

/// @notice Terms that two merchants signed: which are refused, how a version supersedes another, and how agreements end.
contract AgreementsTest is Network {
    uint32 private constant NEXT = 8;

    function setUp() public override {
        super.setUp();
        _accept(GAS_STATION, _issue(FUEL, ann, 100_000));
    }

    // ---------------------------------------------------------------- registration

    function test_AgreementRecordsBothSignatures() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 3, 4, 5, 6, 3);
        (terms.acceptBy, terms.keepExpiry) = (uint40(_now()), true);
        (bytes memory source, bytes memory target) = _signatures(terms);
        vm.expectEmit(address(house));
        emit IClearingHouse.AgreementRegistered(NEXT, _termsDigest(terms), terms, source, target);
        assertEq(_register(terms), NEXT);
        assertEq(house.agreementCount(), NEXT);
        terms.document = 0; // only the event has it
        assertEq(abi.encode(lens.agreementOf(NEXT)), abi.encode(terms));
        assertEq(lens.usedToday(NEXT), 0);
    }

    function test_AgreementThatSupersedesNoneEndsNone() public {
        vm.recordLogs();
        _register(_validTerms());
        assertEq(vm.getRecordedLogs().length, 1, "only the registration");
    }

    function test_AcceptanceTermsReadBackAsSigned() public {
        AgreementTerms memory terms = _acceptanceTerms(MART, CAR_WASH, type(uint64).max, 10_000, 3);
        (terms.maxPoints, terms.dailyCap) = (type(uint64).max, type(uint64).max);
        (terms.validFrom, terms.validUntil, terms.graceSeconds) = (0, FOREVER, 7 days);
        uint32 id = _register(terms);
        terms.document = 0;
        assertEq(abi.encode(lens.agreementOf(id)), abi.encode(terms));
    }

    function test_AgreementIdsAreDense() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 9, 8));
        house.registerAgreement(9, terms, "", "");
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 0, 8));
        house.registerAgreement(0, terms, "", "");
    }

    function test_BothMerchantsMustHaveSigned() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        (bytes memory source, bytes memory target) = _signatures(terms);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, GAS_STATION));
        house.registerAgreement(NEXT, terms, target, target);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, CINEMA));
        house.registerAgreement(NEXT, terms, source, source);
        terms.rateNum = 2;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, GAS_STATION));
        house.registerAgreement(NEXT, terms, source, target);
    }

    function test_SameSignedTermsAreRegisteredOnce() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        _register(terms);
        house.terminateAgreement(NEXT, 0, CINEMA, _terminationBy(CINEMA, NEXT, 0));
        (bytes memory source, bytes memory target) = _signatures(terms);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AlreadyRegistered.selector, _termsDigest(terms), NEXT));
        vm.prank(operator);
        house.registerAgreement(NEXT + 1, terms, source, target);
        terms.document = "another copy";
        assertEq(_register(terms), NEXT + 1);
    }

    function test_SignaturesAreWorthNothingAfterTheirTime() public {
        AgreementTerms memory terms = _validTerms();
        terms.acceptBy = uint40(_now() + 1 hours);
        (bytes memory source, bytes memory target) = _signatures(terms);
        vm.startPrank(operator);
        vm.warp(terms.acceptBy + 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadTerms.selector, "acceptBy"));
        house.registerAgreement(NEXT, terms, source, target);
        vm.warp(terms.acceptBy);
        house.registerAgreement(NEXT, terms, source, target);
        assertEq(lens.agreementOf(NEXT).acceptBy, terms.acceptBy);
    }

    function test_UnknownMerchantsHaveNoAgreements() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        terms.sourceMerchant = 9;
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownMerchant.selector, 9));
        house.registerAgreement(NEXT, terms, "", "");
        (terms.sourceMerchant, terms.targetMerchant) = (GAS_STATION, 10);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownMerchant.selector, 10));
        house.registerAgreement(NEXT, terms, "", "");
    }

    function test_ExchangeTermsThatMakeNoSense() public {
        AgreementTerms memory terms = _validTerms();
        terms.kind = AgreementKind.None;
        terms.targetProgram = 0;
        _expectBadTerms(terms, "kind");
        terms = _validTerms();
        terms.sourceProgram = CINE;
        _expectBadTerms(terms, "sourceProgram");
        terms.sourceProgram = 99;
        _expectBadTerms(terms, "sourceProgram");
        terms.sourceProgram = 0;
        _expectBadTerms(terms, "sourceProgram");
        terms = _validTerms();
        terms.targetProgram = MART;
        _expectBadTerms(terms, "targetProgram");
        terms.targetProgram = 0;
        _expectBadTerms(terms, "targetProgram");
        (terms.targetMerchant, terms.targetProgram) = (GAS_STATION, FUEL);
        _expectBadTerms(terms, "targetProgram");
        terms = _validTerms();
        terms.initiators = 2; // in an exchange, at least the source merchant may initiate
        _expectBadTerms(terms, "initiators");
        terms.initiators = 0;
        _expectBadTerms(terms, "initiators");
        terms.initiators = 5;
        _expectBadTerms(terms, "initiators");
        terms = _validTerms();
        terms.rateNum = 0;
        _expectBadTerms(terms, "rateNum");
        terms = _validTerms();
        terms.rateDen = 0;
        _expectBadTerms(terms, "rateDen");
        terms = _validTerms();
        terms.feeBps = 10_001;
        _expectBadTerms(terms, "feeBps");
        terms = _validTerms();
        terms.maxPoints = 0;
        _expectBadTerms(terms, "maxPoints");
        terms = _validTerms();
        terms.dailyCap = terms.maxPoints - 1;
        _expectBadTerms(terms, "dailyCap");
        terms = _validTerms();
        terms.validUntil = terms.validFrom;
        _expectBadTerms(terms, "validUntil");
        terms.validUntil = terms.validFrom = uint40(_now() + 100);
        _expectBadTerms(terms, "validUntil");
        (terms.validFrom, terms.validUntil) = (0, uint40(_now()));
        _expectBadTerms(terms, "validUntil");
        terms = _validTerms();
        terms.graceSeconds = 7 days + 1;
        _expectBadTerms(terms, "graceSeconds");
        terms = _validTerms();
        terms.acceptBy = uint40(_now() - 1);
        _expectBadTerms(terms, "acceptBy");
        _register(_validTerms());
    }

    function test_AcceptanceTermsThatMakeNoSense() public {
        AgreementTerms memory terms = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 0);
        _expectBadTerms(terms, "initiators");
        terms = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 1);
        terms.targetProgram = CINE;
        _expectBadTerms(terms, "targetProgram");
        terms = _acceptanceTerms(FUEL, GAS_STATION, 1, 1, 1);
        _expectBadTerms(terms, "targetMerchant");
        terms = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 1);
        terms.rateNum = 2;
        _expectBadTerms(terms, "rateNum");
        (terms.rateNum, terms.rateDen) = (1, 2);
        _expectBadTerms(terms, "rateNum");
        terms = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 1);
        terms.lifetimeDays = 1;
        _expectBadTerms(terms, "lifetimeDays");
        terms = _acceptanceTerms(FUEL, CAR_WASH, 1, 1, 1);
        terms.keepExpiry = true;
        _expectBadTerms(terms, "keepExpiry");
    }

    function _validTerms() private view returns (AgreementTerms memory) {
        return _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
    }

    function _expectBadTerms(AgreementTerms memory terms, string memory field) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadTerms.selector, field));
        vm.prank(operator);
        house.registerAgreement(NEXT, terms, "", "");
    }

    function test_UnknownAgreementsCannotBeAskedFor() public {
        uint32[2] memory unknown = [uint32(0), NEXT];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory expected = abi.encodeWithSelector(IClearingHouse.UnknownAgreement.selector, unknown[i]);
            vm.expectRevert(expected);
            lens.agreementOf(unknown[i]);
            vm.expectRevert(expected);
            lens.usedToday(unknown[i]);
            vm.expectRevert(expected);
            house.terminateAgreement(unknown[i], 0, CINEMA, "");
        }
    }

    // ---------------------------------------------------------------- versions

    function test_OldVersionStaysUsableForTheGrace() public {
        AgreementTerms memory terms = _successorTerms(10 minutes);
        uint40 end = uint40(_now() + 10 minutes);
        vm.expectEmit(address(house));
        emit IClearingHouse.AgreementEnds(FUEL_TO_CINE, end, NEXT);
        _register(terms);
        assertEq(lens.agreementOf(NEXT).supersedes, FUEL_TO_CINE);
        vm.warp(end - 1);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 10));
        vm.warp(end);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.AgreementNotLive);
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 10));
    }

    function test_GraceBeginsWhenTheSuccessorDoes() public {
        AgreementTerms memory terms = _successorTerms(1 hours);
        terms.validFrom = uint40(_now() + 30 days);
        _register(terms);
        assertEq(lens.agreementOf(FUEL_TO_CINE).validUntil, terms.validFrom + 1 hours);
    }

    function test_GraceBeginsNowIfTheSuccessorHasBegun() public {
        AgreementTerms memory terms = _successorTerms(1 hours);
        terms.validFrom = uint40(_now() - 30 days);
        _register(terms);
        assertEq(lens.agreementOf(FUEL_TO_CINE).validUntil, _now() + 1 hours);
    }

    function test_GraceNeverExtends() public {
        uint40 end = uint40(_now() + 60);
        house.terminateAgreement(FUEL_TO_CINE, end, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, end));
        _register(_successorTerms(7 days));
        assertEq(lens.agreementOf(FUEL_TO_CINE).validUntil, end);
        vm.warp(end + 1 days);
        AgreementTerms memory terms = _successorTerms(7 days);
        terms.document = "after its end";
        _register(terms);
        assertEq(lens.agreementOf(FUEL_TO_CINE).validUntil, end, "what has ended stays ended");
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.AgreementNotLive);
    }

    function test_VersionWithoutGraceEndsItsPredecessorAtOnce() public {
        _register(_successorTerms(0));
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.AgreementNotLive);
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 10));
    }

    function test_VersionMustBeOfTheSameRoute() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, FILM, 1, 1, 1, 1, 1);
        terms.supersedes = FUEL_TO_CINE;
        _expectBadTerms(terms, "supersedes");
        terms = _exchangeTerms(FLEET, CINE, 1, 1, 1, 1, 1);
        terms.supersedes = FUEL_TO_CINE;
        _expectBadTerms(terms, "supersedes");
        terms = _acceptanceTerms(FUEL, CINEMA, 1, 1, 1);
        terms.supersedes = FUEL_TO_CINE;
        _expectBadTerms(terms, "supersedes");
        terms = _acceptanceTerms(FUEL, CINEMA, 1, 1, 1); // merchant 2, not program 2
        terms.supersedes = FUEL_AT_CAR_WASH;
        _expectBadTerms(terms, "supersedes");
        terms.supersedes = NEXT;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownAgreement.selector, NEXT));
        vm.prank(operator);
        house.registerAgreement(NEXT, terms, "", "");
    }

    /// @dev A new version does not restart the day's cap. The next day starts at zero for both versions.
    function test_VersionBeginsWithTheDaysUse() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        AgreementTerms memory terms = _successorTerms(2 days);
        (terms.maxPoints, terms.dailyCap) = (1500, 1500);
        _register(terms);
        assertEq(lens.usedToday(NEXT), 1000);
        _refuse(GAS_STATION, _exchange(NEXT, FUEL, ann, 510), Reason.OverDailyCap);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100)); // during the grace the old version counts on its own
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 500));
        assertEq(lens.usedToday(NEXT), 1500);
        assertEq(lens.usedToday(FUEL_TO_CINE), 1100);
        vm.warp(_now() + 1 days);
        assertEq(lens.usedToday(NEXT), 0);
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 1500));
    }

    function test_UseOfAnEarlierDayIsNotCarriedOver() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        vm.warp(_now() + 1 days);
        _register(_successorTerms(0));
        assertEq(lens.usedToday(NEXT), 0);
    }

    function test_AgreementIsUsableInItsLastSecondAndNotAfter() public {
        AgreementTerms memory terms = _validTerms();
        terms.validUntil = uint40(_now() + 60);
        _register(terms);
        vm.warp(terms.validUntil - 1);
        _accept(GAS_STATION, _exchange(NEXT, FUEL, ann, 10));
        vm.warp(terms.validUntil);
        _refuse(GAS_STATION, _exchange(NEXT, FUEL, ann, 10), Reason.AgreementNotLive);
    }

    function _successorTerms(uint32 grace) private view returns (AgreementTerms memory terms) {
        terms = _exchangeTerms(FUEL, CINE, 8, 10, 10_000, 10, 3);
        (terms.supersedes, terms.graceSeconds) = (FUEL_TO_CINE, grace);
    }

    // ---------------------------------------------------------------- termination

    function test_EitherSideTerminates() public {
        uint40 end = uint40(_now() + 60);
        vm.expectEmit(address(house));
        emit IClearingHouse.AgreementEnds(FUEL_TO_CINE, end, 0);
        vm.prank(stranger); // anyone may send the signature
        house.terminateAgreement(FUEL_TO_CINE, end, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, end));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        house.terminateAgreement(FUEL_TO_CINE, 0, GAS_STATION, _terminationBy(GAS_STATION, FUEL_TO_CINE, 0));
        assertEq(lens.agreementOf(FUEL_TO_CINE).validUntil, _now(), "not before now");
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.AgreementNotLive);
    }

    function test_TerminationNeverExtends() public {
        uint40 end = lens.agreementOf(FUEL_TO_CINE).validUntil;
        house.terminateAgreement(FUEL_TO_CINE, FOREVER, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, FOREVER));
        assertEq(lens.agreementOf(FUEL_TO_CINE).validUntil, end);
    }

    function test_TerminationKeepsTheDaysUseAndThePrice() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        uint40 end = uint40(_now() + 60);
        house.terminateAgreement(FUEL_TO_CINE, end, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, end));
        assertEq(lens.usedToday(FUEL_TO_CINE), 10);
        AgreementTerms memory terms = lens.agreementOf(FUEL_TO_CINE);
        assertEq(terms.validUntil, end);
        assertEq(terms.rateNum, 9);
        assertEq(terms.sourceProgram, FUEL);
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
