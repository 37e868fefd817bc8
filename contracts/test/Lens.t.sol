// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {ClearingHouseLens} from "../ClearingHouseLens.sol";
import {
    AgreementTerms,
    Entry,
    Evidence,
    IClearingHouse,
    MerchantStatus,
    ProgramTotals,
    Role
} from "../interfaces/IClearingHouse.sol";
import {IClearingHouseLens} from "../interfaces/IClearingHouseLens.sol";
import {IClearingHouseSuccession} from "../interfaces/IClearingHouseSuccession.sol";
import {Network} from "./support/Network.sol";

/// @notice The lens: the house passes questions on to it, it unpacks every word as it was packed, and it changes nothing.
contract LensTest is Network {
    uint32 private agreement;
    AgreementTerms private terms;

    function setUp() public override {
        super.setUp();
        _accept(GAS_STATION, _issue(FUEL, ann, 10_000));
        _accept(CINEMA, _issue(FILM, ann, 777));
        AgreementTerms memory signed = _exchangeTerms(FUEL, FILM, 3, 7, 11, 13, 3);
        (signed.lifetimeDays, signed.supersedes, signed.graceSeconds) = (17, FUEL_TO_FILM, 19);
        (signed.maxPoints, signed.dailyCap) = (23, 29);
        (signed.acceptBy, signed.keepExpiry) = (uint40(_now() + 31), true);
        agreement = _register(signed);
        signed.document = 0;
        terms = signed;
    }

    // ---------------------------------------------------------------- what it unpacks

    function test_MerchantsAreUnpacked() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10)); // 90,000 and a fee of 90
        _setStatus(GAS_STATION, MerchantStatus.Suspended);
        (MerchantStatus status, int96 position, uint96 limit) = lens.merchantOf(GAS_STATION);
        assertEq(uint256(status), uint256(MerchantStatus.Suspended));
        assertEq(position, int96(DEPOSIT) - 90_090);
        assertEq(limit, CREDIT);
        _withdraw(CINEMA, DEPOSIT);
        (, position,) = lens.merchantOf(CINEMA);
        assertEq(position, 90_000);
        (status, position, limit) = lens.merchantOf(type(uint32).max);
        assertEq(abi.encode(status, position, limit), abi.encode(0, 0, 0));
    }

    function test_NegativePositionsAreUnpacked() public {
        _withdraw(GAS_STATION, DEPOSIT);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        assertEq(_position(GAS_STATION), -90_090);
    }

    function test_KeysAreUnpacked() public {
        uint256 fresh = _key(CINEMA, 1);
        _changeSigner(CINEMA, fresh, 1_111_111_111, 3_333_333_333, keyOf[CINEMA]);
        (uint32 merchant, uint40 from, uint40 until) = lens.signerOf(vm.addr(fresh));
        assertEq(abi.encode(merchant, from, until), abi.encode(CINEMA, 1_111_111_111, 3_333_333_333));
        (merchant, from, until) = lens.signerOf(stranger);
        assertEq(abi.encode(merchant, from, until), abi.encode(0, 0, 0));
    }

    function test_NoncesAreUnpacked() public {
        uint48[5] memory nonces = [uint48(0), 255, 256, type(uint40).max, type(uint48).max];
        for (uint256 i = 0; i < nonces.length; ++i) {
            assertFalse(lens.nonceUsed(SUPERMARKET, nonces[i]));
            OrderDraft memory draft = _order(SUPERMARKET, _issue(MART, bob, 1));
            draft.nonce = nonces[i];
            _execute(draft);
            assertTrue(lens.nonceUsed(SUPERMARKET, nonces[i]));
            assertFalse(lens.nonceUsed(CAR_WASH, nonces[i]));
            assertFalse(lens.nonceUsed(SUPERMARKET, nonces[i] ^ 2));
        }
    }

    function test_ProgramsAreUnpacked() public {
        _setPaused(FLEET, true);
        (uint32 merchant, bool paused, bytes32 code, bytes32 name) = lens.programOf(FLEET);
        assertEq(
            abi.encode(merchant, paused, code, name),
            abi.encode(GAS_STATION, true, bytes32("FLEET"), bytes32("Fleet points"))
        );
        (merchant, paused, code, name) = lens.programOf(PROGRAMS + 1);
        assertEq(abi.encode(merchant, paused, code, name), abi.encode(0, false, 0, 0));
    }

    function test_AgreementsAreUnpacked() public {
        assertEq(abi.encode(lens.agreementOf(agreement)), abi.encode(terms));
        _accept(GAS_STATION, _exchange(agreement, FUEL, ann, 21));
        assertEq(lens.usedToday(agreement), 21);
        assertEq(lens.agreementOf(FUEL_TO_FILM).validUntil, _now() + 19);
    }

    function test_BalancesAndTotalsAreUnpacked() public {
        Entry memory entry = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100)); // for 90
        _accept(CINEMA, _reverse(entry, 10)); // takes 9 back
        _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 1000));
        _accept(GAS_STATION, _redeem(FUEL, ann, 200));
        _accept(GAS_STATION, _expire(FUEL, ann, 30));
        assertEq(lens.balanceOf(ann, FUEL), 8680);
        assertEq(lens.balanceOf(ann, CINE), 81);
        assertEq(lens.balanceOf(ann, FILM), 777); // on the second page
        assertEq(lens.balanceOf(bob, FUEL), 0);
        assertEq(lens.totalSupply(FUEL), 8680);
        assertEq(lens.totalSupply(CINE), 81);
        ProgramTotals memory fuel = ProgramTotals(10_000, 0, 10, 200, 1000, 100, 30, 0);
        assertEq(abi.encode(lens.totalsOf(FUEL)), abi.encode(fuel));
        assertEq(abi.encode(lens.totalsOf(CINE)), abi.encode(ProgramTotals(0, 90, 0, 0, 0, 0, 0, 9)));
    }

    // ---------------------------------------------------------------- who asks whom

    function test_TheLensMayBeAskedDirectly() public {
        IClearingHouseLens direct = IClearingHouseLens(house.lens());
        assertEq(direct.balanceOf(ann, FUEL), 10_000);
        assertEq(abi.encode(direct.agreementOf(agreement)), abi.encode(terms));
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        assertEq(direct.digestOf(_pack(_sign(draft))), _orderDigest(draft));
        (,,,, address verifier,,) = direct.eip712Domain();
        assertEq(verifier, address(house), "wallets sign for the house");
    }

    function test_TheLensBelongsToItsHouse() public {
        ClearingHouseLens orphan = new ClearingHouseLens();
        vm.expectRevert(); // this test is no clearing house
        orphan.balanceOf(ann, FUEL);
        assertEq(
            house.lens(), vm.computeCreateAddress(address(house), 1), "created by the house, as its first contract"
        );
    }

    function test_WalletsCanAskForTheDomain() public view {
        (bytes1 given, string memory title, string memory version, uint256 chainId, address verifier, bytes32 salt,) =
            IERC5267(address(house)).eip712Domain();
        bytes32 named = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256(bytes(title)), keccak256(bytes(version)), chainId, verifier)
        );
        assertEq(keccak256(abi.encodePacked(hex"1901", named, bytes32("x"))), _digest("x"));
        assertEq(uint8(given), 15, "these four");
        assertEq(salt, 0);
    }

    function test_ItIsAClearingHouseAndSaysSo() public view {
        IERC165 asked = IERC165(address(house));
        assertTrue(asked.supportsInterface(type(IERC165).interfaceId));
        assertTrue(asked.supportsInterface(type(IClearingHouse).interfaceId));
        assertTrue(asked.supportsInterface(type(IClearingHouseLens).interfaceId));
        assertTrue(asked.supportsInterface(type(IClearingHouseSuccession).interfaceId));
        assertFalse(asked.supportsInterface(0xffffffff));
    }

    // ---------------------------------------------------------------- what the house does not pass on

    function test_NothingElseIsAnswered() public {
        bytes[4] memory calls = [bytes(""), hex"00", hex"deadbeef", abi.encodeWithSignature("mint(address)", ann)];
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory answer) = address(house).call(calls[i]);
            assertFalse(done);
            assertEq(answer.length, 0);
        }
        vm.deal(address(this), 1 ether);
        (bool paid,) = address(house).call{value: 1}("");
        assertFalse(paid);
        (paid,) = address(house).call{value: 1}(abi.encodeCall(IClearingHouseLens.decimals, (FUEL)));
        assertFalse(paid);
    }

    function test_ErrorsComeThrough() public {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownProgram.selector, 77));
        lens.balanceOf(ann, 77);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.UnknownAgreement.selector, 77));
        lens.agreementOf(77);
    }

    function testFuzz_StorageIsReadAsItIs(bytes32 slot, bytes32 other) public view {
        assertEq(house.extsload(slot), vm.load(address(house), slot));
        bytes32[] memory slots = new bytes32[](3);
        (slots[0], slots[1], slots[2]) = (slot, bytes32(uint256(2) + GAS_STATION), other);
        bytes32[] memory words = house.extsload(slots);
        assertEq(words.length, 3);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(words[i], vm.load(address(house), slots[i]));
        }
        assertTrue(words[1] != 0, "a merchant");
        assertEq(house.extsload(new bytes32[](0)).length, 0);
    }
}
