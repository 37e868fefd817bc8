// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementTerms, IClearingHouse, MerchantStatus, Reason, SignerChange} from "../interfaces/IClearingHouse.sol";
import {Network} from "./support/Network.sol";

/// @notice A closed merchant signs nothing and gets no key. A suspended one begins no new business, but winds down what there is.
contract InactiveTest is Network {
    uint256 private constant BOBS_KEY = uint256(keccak256("bob")); // as `makeAddr` computes it

    function _inactive(uint32 merchant, MerchantStatus status) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IClearingHouse.MerchantInactive.selector, merchant, status);
    }

    // ---------------------------------------------------------------- closed

    function test_ClosedMerchantSignsNoOrder() public {
        OrderDraft memory draft = _order(CINEMA, _issue(CINE, ann, 1));
        _setStatus(CINEMA, MerchantStatus.Closed);
        _refuseOrder(draft, Reason.MerchantClosed);
    }

    function test_ClosedMerchantSignsNoTerms() public {
        _expectNoAgreement(CINEMA, MerchantStatus.Closed);
    }

    function test_SuspendedMerchantSignsNoTerms() public {
        _expectNoAgreement(CINEMA, MerchantStatus.Suspended);
    }

    /// @dev As the source, as the target, and as the merchant that only accepts points.
    function _expectNoAgreement(uint32 merchant, MerchantStatus status) private {
        AgreementTerms[3] memory terms = [
            _exchangeTerms(CINE, FUEL, 1, 1, 1, 0, 1),
            _exchangeTerms(FUEL, CINE, 1, 1, 1, 0, 1),
            _acceptanceTerms(FUEL, merchant, 1, 0, 1)
        ];
        uint32 next = house.agreementCount() + 1;
        for (uint256 i = 0; i < terms.length; ++i) {
            (bytes memory source, bytes memory target) = _signatures(terms[i]);
            uint256 before = vm.snapshotState();
            _setStatus(merchant, status);
            vm.prank(operator);
            vm.expectRevert(_inactive(merchant, status));
            house.registerAgreement(next, terms[i], source, target);
            vm.revertToState(before);
            vm.prank(operator);
            house.registerAgreement(next, terms[i], source, target);
            vm.revertToState(before);
        }
    }

    function test_ClosedMerchantEndsNoAgreement() public {
        bytes memory signature = _terminationBy(CINEMA, FUEL_TO_CINE, 0);
        _setStatus(CINEMA, MerchantStatus.Closed);
        vm.expectRevert(_inactive(CINEMA, MerchantStatus.Closed));
        house.terminateAgreement(FUEL_TO_CINE, 0, CINEMA, signature);
        house.terminateAgreement(FUEL_TO_CINE, 0, GAS_STATION, _terminationBy(GAS_STATION, FUEL_TO_CINE, 0));
    }

    function test_ClosedMerchantChangesNoKeyAndGetsNone() public {
        SignerChange memory change = SignerChange(CINEMA, bob, 0, FOREVER, 500);
        bytes memory signature = _signature(keyOf[CINEMA], _changeDigest(change));
        bytes memory proof = _signature(BOBS_KEY, _changeDigest(change));
        _setStatus(CINEMA, MerchantStatus.Closed);
        vm.expectRevert(_inactive(CINEMA, MerchantStatus.Closed));
        house.changeSigner(change, signature, proof);
        vm.prank(admin);
        vm.expectRevert(_inactive(CINEMA, MerchantStatus.Closed));
        house.recoverSigner(CINEMA, bob);
    }

    function test_MerchantThatIsNotActiveGetsNoProgram() public {
        MerchantStatus[2] memory statuses = [MerchantStatus.Suspended, MerchantStatus.Closed];
        for (uint256 i = 0; i < 2; ++i) {
            _setStatus(CAR_WASH, statuses[i]);
            vm.prank(operator);
            vm.expectRevert(_inactive(CAR_WASH, statuses[i]));
            house.registerProgram(7, CAR_WASH, "WASH", "");
        }
    }

    /// @dev Its debts stay payable, its claims too, and its keys can only become fewer.
    function test_ClosedMerchantIsStillWoundUp() public {
        _setStatus(CINEMA, MerchantStatus.Closed);
        _deposit(CINEMA, 1);
        _withdraw(CINEMA, DEPOSIT + 1);
        _setCreditLimit(CINEMA, 0);
        vm.prank(operator);
        house.revokeSigner(vm.addr(keyOf[CINEMA]), 1);
    }

    // ---------------------------------------------------------------- suspended

    function test_SuspendedMerchantWindsDown() public {
        _setStatus(CINEMA, MerchantStatus.Suspended);
        house.terminateAgreement(FUEL_TO_CINE, 0, CINEMA, _terminationBy(CINEMA, FUEL_TO_CINE, 0));
        _changeSigner(CINEMA, BOBS_KEY, 0, FOREVER, keyOf[CINEMA]);
        address fresh = vm.addr(_key(CINEMA, 1));
        vm.prank(admin);
        house.recoverSigner(CINEMA, fresh);
    }
}
