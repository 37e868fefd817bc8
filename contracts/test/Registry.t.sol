// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {
    AgreementTerms,
    IClearingHouse,
    MerchantStatus,
    Reason,
    Role,
    SignerChange
} from "../interfaces/IClearingHouse.sol";
import {Network} from "./support/Network.sol";

/// @notice Roles, merchants and their statuses, signer keys, programs, pauses, and the token-style reads.
contract RegistryTest is Network {
    uint256 private constant BOBS_KEY = uint256(keccak256("bob")); // as `makeAddr` computes it

    // ---------------------------------------------------------------- roles

    function test_OnlyTheOwnerGrantsRoles() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, operator));
        vm.prank(operator);
        house.setRole(Role.Sequencer, operator, true);
    }

    function test_RoleIsGivenAndTakenAway() public {
        vm.expectEmit(address(house));
        emit IClearingHouse.RoleChanged(Role.Treasury, stranger, true);
        vm.startPrank(admin);
        house.setRole(Role.Treasury, stranger, true);
        assertTrue(house.hasRole(Role.Treasury, stranger));
        house.setRole(Role.Treasury, stranger, false);
        assertFalse(house.hasRole(Role.Treasury, stranger));
    }

    function test_OwnershipMovesInTwoSteps() public {
        Ownable2Step owned = Ownable2Step(address(house));
        vm.prank(admin);
        owned.transferOwnership(bob);
        assertEq(owned.owner(), admin);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger));
        vm.prank(stranger);
        owned.acceptOwnership();
        vm.prank(bob);
        owned.acceptOwnership();
        assertEq(owned.owner(), bob);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, admin));
        vm.prank(admin);
        house.setRole(Role.Sequencer, stranger, true);
    }

    function test_OwnershipCannotBeGivenToNobody() public {
        Ownable2Step owned = Ownable2Step(address(house));
        address[2] memory callers = [admin, stranger];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(IClearingHouse.OwnerNeeded.selector);
            vm.prank(callers[i]);
            owned.renounceOwnership();
        }
        assertEq(owned.owner(), admin);
    }

    function test_EveryPrivilegedCallNeedsItsRole() public {
        AgreementTerms memory terms = lens.agreementOf(FUEL_TO_CINE);
        vm.startPrank(stranger);
        _expectMissingRole(Role.Operator, stranger);
        house.registerMerchant(5, "X", bob, 0);
        _expectMissingRole(Role.Operator, stranger);
        house.setMerchantStatus(GAS_STATION, MerchantStatus.Suspended);
        _expectMissingRole(Role.Operator, stranger);
        house.revokeSigner(bob, 1);
        _expectMissingRole(Role.Operator, stranger);
        house.registerProgram(7, GAS_STATION, "X", "X");
        _expectMissingRole(Role.Operator, stranger);
        house.setCreditLimit(GAS_STATION, 0);
        _expectMissingRole(Role.Operator, stranger);
        house.registerAgreement(8, terms, "", "");
        _expectMissingRole(Role.Operator, stranger);
        house.setIssuanceCap(FUEL, 1);
        _expectMissingRole(Role.Pauser, stranger);
        house.setProgramPaused(FUEL, true);
        _expectMissingRole(Role.Pauser, stranger);
        house.pause();
        _expectMissingRole(Role.Pauser, stranger);
        house.unpause();
        _expectMissingRole(Role.Treasury, stranger);
        house.deposit(GAS_STATION, 1, "ref");
        _expectMissingRole(Role.Treasury, stranger);
        house.withdraw(GAS_STATION, 1, "ref");
        vm.stopPrank();
        vm.startPrank(admin); // the owner holds no role by itself
        _expectMissingRole(Role.Operator, admin);
        house.registerMerchant(5, "X", bob, 0);
    }

    function _expectMissingRole(Role role, address account) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.MissingRole.selector, role, account));
    }

    // ---------------------------------------------------------------- merchants

    function test_OperatorIsAMerchantFromTheBeginning() public {
        vm.expectEmit();
        emit IClearingHouse.MerchantRegistered(OPERATOR, 0, "Tongdui");
        _openNetwork();
    }

    function test_MerchantIsRegisteredWithItsFirstKey() public {
        assertEq(house.merchantCount(), 5);
        vm.expectEmit(address(house));
        emit IClearingHouse.MerchantRegistered(5, 77, "Bakery");
        vm.expectEmit(address(house));
        emit IClearingHouse.SignerChanged(5, bob, 0, FOREVER, type(uint64).max);
        vm.prank(operator);
        house.registerMerchant(5, "Bakery", bob, 77);
        assertEq(house.merchantCount(), 6);
        (MerchantStatus status, int96 position, uint96 limit) = lens.merchantOf(5);
        assertEq(uint256(status), uint256(MerchantStatus.Active));
        assertEq(position, 0);
        assertEq(limit, 77);
        (uint32 merchant, uint40 from, uint40 until) = lens.signerOf(bob);
        assertEq(merchant, 5);
        assertEq(from, 0);
        assertEq(until, FOREVER);
    }

    function test_MerchantIdsAreDense() public {
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 6, 5));
        house.registerMerchant(6, "X", bob, 0);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 4, 5));
        house.registerMerchant(4, "X", bob, 0);
    }

    function test_MerchantNeedsACreditLimitThatFits() public {
        uint96 most = uint96(uint64(type(int64).max));
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadCreditLimit.selector, 5, most + 1, 0));
        house.registerMerchant(5, "X", bob, most + 1);
        house.registerMerchant(5, "X", bob, most);
    }

    function test_MerchantNeedsAKeyThatNobodyHas() public {
        address taken = vm.addr(keyOf[CINEMA]);
        vm.startPrank(operator);
        vm.expectRevert(IClearingHouse.ZeroKey.selector);
        house.registerMerchant(5, "X", address(0), 0);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.KeyTaken.selector, taken, CINEMA));
        house.registerMerchant(5, "X", taken, 0);
    }

    function test_StatusGoesToAndFroUntilTheMerchantIsClosed() public {
        vm.expectEmit(address(house));
        emit IClearingHouse.MerchantStatusChanged(CINEMA, MerchantStatus.Suspended);
        _setStatus(CINEMA, MerchantStatus.Suspended);
        _setStatus(CINEMA, MerchantStatus.Active);
        _setStatus(CINEMA, MerchantStatus.Closed);
        (MerchantStatus status, int96 position, uint96 limit) = lens.merchantOf(CINEMA);
        assertEq(uint256(status), uint256(MerchantStatus.Closed));
        assertEq(position, int96(DEPOSIT));
        assertEq(limit, CREDIT);
        _expectBadStatus(CINEMA, MerchantStatus.Closed, MerchantStatus.Active);
        _expectBadStatus(CINEMA, MerchantStatus.Closed, MerchantStatus.Suspended);
        _expectBadStatus(CINEMA, MerchantStatus.Closed, MerchantStatus.Closed);
        _expectBadStatus(CAR_WASH, MerchantStatus.Active, MerchantStatus.Active);
        _expectBadStatus(CAR_WASH, MerchantStatus.Active, MerchantStatus.None);
        _expectBadStatus(OPERATOR, MerchantStatus.Active, MerchantStatus.Closed);
    }

    function _expectBadStatus(uint32 merchant, MerchantStatus from, MerchantStatus to) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadStatusChange.selector, merchant, from, to));
        _setStatus(merchant, to);
    }

    function test_UnknownMerchantsAreRefusedEverywhere() public {
        bytes memory unknown = abi.encodeWithSelector(IClearingHouse.UnknownMerchant.selector, 5);
        vm.startPrank(operator);
        vm.expectRevert(unknown);
        house.setMerchantStatus(5, MerchantStatus.Closed);
        vm.expectRevert(unknown);
        house.registerProgram(7, 5, "X", "X");
        vm.expectRevert(unknown);
        house.setCreditLimit(5, 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownProgram.selector, 7));
        house.setIssuanceCap(7, 1);
        vm.startPrank(treasury);
        vm.expectRevert(unknown);
        house.deposit(5, 1, "ref");
        vm.expectRevert(unknown);
        house.withdraw(5, 1, "ref");
        vm.startPrank(admin);
        vm.expectRevert(unknown);
        house.recoverSigner(5, bob);
    }

    // ---------------------------------------------------------------- signer keys

    function test_MerchantAddsAKeyWithAWindow() public {
        uint256 second = _key(GAS_STATION, 1);
        uint40 from = uint40(_now() + 100);
        vm.expectEmit(address(house));
        emit IClearingHouse.SignerChanged(GAS_STATION, vm.addr(second), from, from + 100, nextNonce[GAS_STATION]);
        _changeSigner(GAS_STATION, second, from, from + 100, keyOf[GAS_STATION]);

        vm.warp(from - 1);
        _refuseOrder(_signedWith(second), Reason.UnknownSigner);
        vm.warp(from);
        _execute(_signedWith(second));
        assertEq(posted.length, 1);
        vm.warp(from + 99);
        _execute(_signedWith(second));
        assertEq(posted.length, 1);
        vm.warp(from + 100);
        _refuseOrder(_signedWith(second), Reason.UnknownSigner);
        _accept(GAS_STATION, _issue(FUEL, ann, 1)); // both keys are live at once
    }

    function _signedWith(uint256 key) private returns (OrderDraft memory draft) {
        draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        draft.key = key;
    }

    function test_RotationReopensNoNonce() public {
        uint256 second = _key(GAS_STATION, 1);
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        _execute(draft);
        _changeSigner(GAS_STATION, second, 0, FOREVER, keyOf[GAS_STATION]);
        _changeSigner(GAS_STATION, keyOf[GAS_STATION], 0, 1, second);
        _refuseOrder(draft, Reason.UnknownSigner);
        draft.key = second;
        _refuseOrder(draft, Reason.NonceUsed);
        draft.nonce = nextNonce[GAS_STATION]++;
        _execute(draft);
        assertEq(posted.length, 1);
    }

    function test_KeyChangeAndOrdersShareOneSequenceOfNonces() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        SignerChange memory change = SignerChange(GAS_STATION, bob, 0, FOREVER, draft.nonce);
        bytes memory signature = _signature(draft.key, _changeDigest(change));
        bytes memory proof = _signature(BOBS_KEY, _changeDigest(change));
        house.changeSigner(change, signature, proof);
        _refuseOrder(draft, Reason.NonceUsed);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.NonceAlreadyUsed.selector, GAS_STATION, draft.nonce));
        house.changeSigner(change, signature, proof);
    }

    function test_KeyChangeNeedsALiveKeyOfTheMerchant() public {
        SignerChange memory change = SignerChange(GAS_STATION, bob, 0, FOREVER, 500);
        bytes32 digest = _changeDigest(change);
        _expectBadSignature(change, _signature(keyOf[CINEMA], digest));
        _expectBadSignature(change, _signature(_key(GAS_STATION, 1), digest));
        _expectBadSignature(change, "");
        _expectBadSignature(change, new bytes(65));
        vm.prank(operator);
        house.revokeSigner(vm.addr(keyOf[GAS_STATION]), uint40(_now()));
        _expectBadSignature(change, _signature(keyOf[GAS_STATION], digest));
        assertFalse(lens.nonceUsed(GAS_STATION, 500));
    }

    function test_MirroredAndCompactSignaturesAreRefused() public {
        SignerChange memory change = SignerChange(GAS_STATION, bob, 0, FOREVER, 500);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[GAS_STATION], _changeDigest(change));
        bytes32 high = bytes32(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141 - uint256(s));
        _expectBadSignature(change, abi.encodePacked(r, high, v ^ 7)); // 27 <-> 28
        _expectBadSignature(change, abi.encodePacked(r, uint256(s) | uint256(v - 27) << 255));
        house.changeSigner(change, abi.encodePacked(r, s, v), _signature(BOBS_KEY, _changeDigest(change)));
    }

    function _expectBadSignature(SignerChange memory change, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadSignature.selector, change.merchant));
        house.changeSigner(change, signature, "");
    }

    function test_KeyWindowMustMakeSense() public {
        uint256 by = keyOf[GAS_STATION];
        uint48 nonce = nextNonce[GAS_STATION];
        SignerChange memory change = SignerChange(GAS_STATION, bob, 10, 9, nonce);
        bytes memory signature = _signature(by, _changeDigest(change));
        bytes memory proof = _signature(BOBS_KEY, _changeDigest(change));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadWindow.selector, 10, 9));
        house.changeSigner(change, signature, proof);
        change = SignerChange(GAS_STATION, bob, 0, 0, nonce);
        signature = _signature(by, _changeDigest(change));
        proof = _signature(BOBS_KEY, _changeDigest(change));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadWindow.selector, 0, 0));
        house.changeSigner(change, signature, proof);
        change = SignerChange(GAS_STATION, address(0), 0, FOREVER, nonce);
        signature = _signature(by, _changeDigest(change));
        vm.expectRevert(IClearingHouse.ZeroKey.selector);
        house.changeSigner(change, signature, "");
        assertFalse(lens.nonceUsed(GAS_STATION, nonce), "a failed change costs no nonce");
    }

    function test_KeyMayBeLiveAtNoTime() public {
        _changeSigner(GAS_STATION, BOBS_KEY, 10, 10, keyOf[GAS_STATION]);
        (, uint40 from, uint40 until) = lens.signerOf(bob);
        assertEq(from, 10);
        assertEq(until, 10);
    }

    function test_KeyChangeUsesItsOwnNonce() public {
        nextNonce[GAS_STATION] = 511;
        _changeSigner(GAS_STATION, BOBS_KEY, 0, FOREVER, keyOf[GAS_STATION]);
        assertTrue(lens.nonceUsed(GAS_STATION, 511));
        uint48[4] memory others = [uint48(0), 255, 256, 510];
        for (uint256 i = 0; i < others.length; ++i) {
            assertFalse(lens.nonceUsed(GAS_STATION, others[i]));
        }
    }

    /// @dev Otherwise a merchant could claim the address that another one is about to register, and block it for ever.
    function test_NewKeyMustHaveSignedItsOwnAddition() public {
        SignerChange memory change = SignerChange(GAS_STATION, bob, 0, FOREVER, 500);
        bytes32 digest = _changeDigest(change);
        bytes memory signature = _signature(keyOf[GAS_STATION], digest);
        bytes[3] memory proofs = [signature, bytes(""), _signature(BOBS_KEY, keccak256("another change"))];
        for (uint256 i = 0; i < proofs.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IClearingHouse.KeyNotProven.selector, bob));
            house.changeSigner(change, signature, proofs[i]);
        }
        assertFalse(lens.nonceUsed(GAS_STATION, 500));
        house.changeSigner(change, signature, _signature(BOBS_KEY, digest));
        (uint32 merchant,,) = lens.signerOf(bob);
        assertEq(merchant, GAS_STATION);
    }

    /// @dev So a lost key can be removed although it cannot sign any more.
    function test_OwnKeyNeedsNoProofToChangeItsWindow() public {
        _changeSigner(GAS_STATION, BOBS_KEY, 0, FOREVER, keyOf[GAS_STATION]);
        SignerChange memory change = SignerChange(GAS_STATION, bob, 0, 1, 500);
        house.changeSigner(change, _signature(keyOf[GAS_STATION], _changeDigest(change)), "");
        (,, uint40 until) = lens.signerOf(bob);
        assertEq(until, 1);
    }

    function test_KeyBelongsToOneMerchantForEver() public {
        address old = vm.addr(keyOf[CINEMA]);
        vm.prank(operator);
        house.revokeSigner(old, 1);
        SignerChange memory change = SignerChange(GAS_STATION, old, 0, FOREVER, 500);
        bytes memory signature = _signature(keyOf[GAS_STATION], _changeDigest(change));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.KeyTaken.selector, old, CINEMA));
        house.changeSigner(change, signature, "");
    }

    function test_OperatorOnlyTakesPowerAwayFromKeys() public {
        address key = vm.addr(keyOf[GAS_STATION]);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.KeyUnknown.selector, bob));
        house.revokeSigner(bob, 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadWindow.selector, 0, FOREVER));
        house.revokeSigner(key, FOREVER);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadWindow.selector, 0, 0));
        house.revokeSigner(key, 0);
        vm.expectEmit(address(house));
        emit IClearingHouse.SignerChanged(GAS_STATION, key, 0, 100, type(uint64).max);
        house.revokeSigner(key, 100);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BadWindow.selector, 0, 101));
        house.revokeSigner(key, 101);
        vm.stopPrank();
        _refuseOrder(_order(GAS_STATION, _issue(FUEL, ann, 1)), Reason.UnknownSigner);
    }

    function test_OwnerRecoversAMerchantThatLostItsKeys() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, operator));
        vm.prank(operator);
        house.recoverSigner(GAS_STATION, bob);
        vm.prank(operator);
        house.revokeSigner(vm.addr(keyOf[GAS_STATION]), 1);
        keyOf[GAS_STATION] = _key(GAS_STATION, 1);
        vm.expectEmit(address(house));
        emit IClearingHouse.SignerChanged(
            GAS_STATION, vm.addr(keyOf[GAS_STATION]), uint40(_now()), FOREVER, type(uint64).max
        );
        vm.prank(admin);
        house.recoverSigner(GAS_STATION, vm.addr(keyOf[GAS_STATION]));
        _accept(GAS_STATION, _issue(FUEL, ann, 1));
        address taken = vm.addr(keyOf[CINEMA]);
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.KeyTaken.selector, taken, CINEMA));
        house.recoverSigner(GAS_STATION, taken);
        vm.expectRevert(IClearingHouse.ZeroKey.selector);
        house.recoverSigner(GAS_STATION, address(0));
    }

    // ---------------------------------------------------------------- programs

    function test_ProgramIsRegistered() public {
        vm.expectEmit(address(house));
        emit IClearingHouse.ProgramRegistered(7, CAR_WASH, "WASH", "Wash points");
        assertEq(_openProgram(CAR_WASH, "WASH", "Wash points"), 7);
        (uint32 merchant, bool paused, bytes32 code, bytes32 name) = lens.programOf(7);
        assertEq(merchant, CAR_WASH);
        assertFalse(paused);
        assertEq(code, "WASH");
        assertEq(name, "Wash points");
        assertEq(house.programCount(), 7);
    }

    function test_ProgramIdsAreDense() public {
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 8, 7));
        house.registerProgram(8, CAR_WASH, "X", "X");
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 6, 7));
        house.registerProgram(6, CAR_WASH, "X", "X");
    }

    /// @dev An agreement has 24 bits for a program. Nobody can register so many here, so the house is made to believe that there are.
    function test_ProgramsHaveNumbersOf24Bits() public {
        bytes32 counts = bytes32(uint256(2 + 7 * 2 ** 32 + 3));
        assertEq(uint256(house.extsload(counts)), uint256(PROGRAMS) << 32 | house.merchantCount());
        vm.store(address(house), counts, bytes32(uint256(2 ** 24 - 2) << 32 | house.merchantCount()));
        assertEq(_openProgram(CAR_WASH, "LAST", ""), 2 ** 24 - 1);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnexpectedId.selector, 2 ** 24, 2 ** 24));
        house.registerProgram(2 ** 24, CAR_WASH, "X", "X");
    }

    function test_PausingAProgramKeepsItsTotals() public {
        _accept(GAS_STATION, _issue(FUEL, ann, 9));
        _accept(GAS_STATION, _redeem(FUEL, ann, 4));
        vm.expectEmit(address(house));
        emit IClearingHouse.ProgramPauseChanged(FUEL, true);
        _setPaused(FUEL, true);
        _setPaused(FUEL, true); // a second time is no error
        (uint32 merchant, bool paused,,) = lens.programOf(FUEL);
        assertEq(merchant, GAS_STATION);
        assertTrue(paused);
        assertEq(lens.totalSupply(FUEL), 5);
        _setPaused(FUEL, false);
        assertEq(lens.totalsOf(FUEL).issued, 9);
        _setPaused(PROGRAMS, true); // the last one, too
        assertEq(lens.totalsOf(FUEL).redeemed, 4);
        _accept(GAS_STATION, _redeem(FUEL, ann, 5));
    }

    function test_UnknownProgramsCannotBePausedOrAskedFor() public {
        uint32[2] memory unknown = [uint32(0), 7];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory expected = abi.encodeWithSelector(IClearingHouse.UnknownProgram.selector, unknown[i]);
            vm.prank(pauser);
            vm.expectRevert(expected);
            house.setProgramPaused(unknown[i], true);
            vm.expectRevert(expected);
            lens.name(unknown[i]);
            vm.expectRevert(expected);
            lens.symbol(unknown[i]);
            vm.expectRevert(expected);
            lens.decimals(unknown[i]);
            vm.expectRevert(expected);
            lens.balanceOf(ann, unknown[i]);
            vm.expectRevert(expected);
            lens.totalSupply(unknown[i]);
            vm.expectRevert(expected);
            lens.totalsOf(unknown[i]);
            (uint32 merchant, bool paused, bytes32 code, bytes32 name) = lens.programOf(unknown[i]);
            assertTrue(merchant == 0 && !paused && code == 0 && name == 0, "nothing is registered");
        }
    }

    function test_ProgramReadsLikeAToken() public {
        assertEq(lens.name(FUEL), "Fuel points");
        assertEq(lens.symbol(FUEL), "FUEL");
        assertEq(lens.decimals(FUEL), 0);
        bytes32 full = "thirty-two bytes, not one to end";
        _openProgram(GAS_STATION, full, "");
        assertEq(lens.symbol(7), "thirty-two bytes, not one to end");
        assertEq(lens.name(7), "");
        _openProgram(GAS_STATION, hex"410142", "");
        assertEq(lens.symbol(8), "A\x01B", "only zeros end a text");
        assertEq(lens.balanceOf(ann, 7), 0);
        assertEq(lens.totalSupply(7), 0);
    }

    // ---------------------------------------------------------------- network pause

    function test_NetworkIsPausedOnceAndRestartedOnce() public {
        Pausable network = Pausable(address(house));
        vm.startPrank(pauser);
        vm.expectRevert(Pausable.ExpectedPause.selector);
        house.unpause();
        house.pause();
        assertTrue(network.paused());
        vm.expectRevert(Pausable.EnforcedPause.selector);
        house.pause();
        house.unpause();
        assertFalse(network.paused());
    }
}
