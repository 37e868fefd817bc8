// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {AgreementTerms, Evidence, MerchantStatus, Role, SignerChange} from "../interfaces/IClearingHouse.sol";
import {Network} from "./support/Network.sol";

/// @notice A pause stops whatever gives somebody more to do or to spend. What takes something away, and what repairs, goes on.
contract PauseTest is Network {
    uint256 private constant BOBS_KEY = uint256(keccak256("bob")); // as `makeAddr` computes it

    function setUp() public override {
        super.setUp();
        _setStatus(SUPERMARKET, MerchantStatus.Suspended);
        vm.prank(operator);
        house.setIssuanceCap(FUEL, 100);
        vm.prank(pauser);
        house.pause();
    }

    function test_NoBatchIsExecuted() public {
        vm.prank(sequencer);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.execute("", new Evidence[](0));
    }

    function test_NoMoneyIsBooked() public {
        vm.startPrank(treasury);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.deposit(CINEMA, 1, "in");
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.withdraw(CINEMA, 1, "out");
        assertFalse(house.bankRefUsed("in"));
        assertFalse(house.bankRefUsed("out"));
    }

    function test_TheOperatorGivesNobodyMore() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 0, 1);
        (bytes memory source, bytes memory target) = _signatures(terms);
        uint32 next = house.agreementCount() + 1;
        vm.startPrank(operator);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.registerMerchant(5, "X", bob, 0);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.registerProgram(7, CINEMA, "X", "X");
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.registerAgreement(next, terms, source, target);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.setCreditLimit(CINEMA, CREDIT + 1);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.setMerchantStatus(SUPERMARKET, MerchantStatus.Active);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.setIssuanceCap(FUEL, 101);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.setIssuanceCap(FUEL, 0);
    }

    /// @dev A stolen key could add another one while it is looked for.
    function test_NoMerchantChangesItsKeys() public {
        SignerChange memory change = SignerChange(CINEMA, bob, 0, FOREVER, 500);
        bytes memory signature = _signature(keyOf[CINEMA], _changeDigest(change));
        bytes memory proof = _signature(BOBS_KEY, _changeDigest(change));
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.changeSigner(change, signature, proof);
        assertFalse(lens.nonceUsed(CINEMA, 500));
    }

    function test_TheOperatorTakesAway() public {
        vm.startPrank(operator);
        house.revokeSigner(vm.addr(keyOf[CINEMA]), 1);
        house.setMerchantStatus(CINEMA, MerchantStatus.Suspended);
        house.setMerchantStatus(CINEMA, MerchantStatus.Closed);
        house.setIssuanceCap(FUEL, 99);
        house.setIssuanceCap(CINE, 1);
        (uint64 points,,,) = lens.issuanceCapOf(FUEL);
        assertEq(points, 99);
    }

    function test_AgreementsCanBeEnded() public {
        house.terminateAgreement(FUEL_TO_CINE, 0, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, 0));
        assertEq(lens.agreementOf(FUEL_TO_CINE).validUntil, _now());
    }

    function test_TheOwnerRepairs() public {
        vm.startPrank(admin);
        house.setRole(Role.Treasury, treasury, false);
        house.setRole(Role.Treasury, stranger, true);
        house.recoverSigner(CINEMA, bob);
        Ownable2Step(address(house)).transferOwnership(bob);
        vm.startPrank(bob);
        Ownable2Step(address(house)).acceptOwnership();
        assertEq(Ownable2Step(address(house)).owner(), bob);
    }

    function test_ProgramsStopAndRestartAndSoDoesTheNetwork() public {
        _setPaused(FUEL, true);
        _setPaused(FUEL, false);
        vm.prank(pauser);
        house.unpause();
        _deposit(CINEMA, 1);
        _accept(CINEMA, _issue(CINE, ann, 1));
    }

    /// @dev Nobody whose key a pause may be about can end it.
    function test_NoOtherRoleRestartsTheNetwork() public {
        address[5] memory others = [admin, operator, sequencer, treasury, stranger];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectPartialRevert(bytes4(keccak256("MissingRole(uint8,address)")));
            house.unpause();
        }
    }
}
