// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {BalancePage, BalancePageLib} from "../libraries/BalancePage.sol";
import {Entry, EntryAmounts, EntryHead} from "../libraries/Entries.sol";
import {MerkleTree} from "../libraries/MerkleTree.sol";
import {Item, OrderHead, OrdersLib} from "../libraries/Orders.sol";
import {RateMath} from "../libraries/RateMath.sol";
import {Instruction, Network} from "./support/Network.sol";

/// @notice The pieces of arithmetic and packing, for all inputs that they can meet.
contract FuzzTest is Network {
    // ---------------------------------------------------------------- rates

    function testFuzz_RoundTripNeverGains(uint64 points, uint32 num, uint32 den) public pure {
        vm.assume(num != 0 && den != 0);
        uint256 out = RateMath.targetPointsDown(points, num, den);
        uint256 burnt = RateMath.sourcePointsUp(out, num, den);
        assertLe(burnt, points, "never more is burnt than was asked");
        uint256 back = RateMath.targetPointsDown(out, den, num);
        assertLe(back, burnt, "the way back at the inverse rate gives no more");
        assertEq(RateMath.targetPointsDown(burnt, num, den), out, "what is burnt buys the same");
        if (burnt != 0) assertLt(RateMath.targetPointsDown(burnt - 1, num, den), out, "and one point less does not");
    }

    function testFuzz_CycleOfThreeRatesNeverGains(uint64 points, uint32 a, uint32 b, uint32 c) public pure {
        vm.assume(a != 0 && b != 0 && c != 0);
        uint256 there = RateMath.targetPointsDown(points, a, b);
        uint256 further = RateMath.targetPointsDown(there, b, c);
        assertLe(RateMath.targetPointsDown(further, c, a), points);
    }

    function testFuzz_RoundingIsWhatItsNameSays(uint64 points, uint32 num, uint32 den, uint64 amount, uint16 bps)
        public
        pure
    {
        vm.assume(num != 0 && den != 0);
        bps = uint16(bound(bps, 0, 10_000));
        assertEq(RateMath.targetPointsDown(points, num, den), Math.mulDiv(points, num, den));
        assertEq(RateMath.sourcePointsUp(points, num, den), Math.mulDiv(points, den, num, Math.Rounding.Ceil));
        assertEq(RateMath.product(points, amount), uint256(points) * amount);
        assertEq(RateMath.feeUp(amount, bps), Math.mulDiv(amount, bps, 10_000, Math.Rounding.Ceil));
        assertLe(RateMath.feeUp(amount, bps), amount, "a fee is at most the whole");
    }

    function testFuzz_SharesOfAReversalAddUp(uint64 whole, uint64 total, uint64 cut) public pure {
        vm.assume(total != 0);
        cut = uint64(bound(cut, 0, total));
        uint256 first = RateMath.shareUp(whole, cut, total);
        assertEq(first, Math.mulDiv(whole, cut, total, Math.Rounding.Ceil));
        assertLe(first, whole);
        assertEq(RateMath.shareUp(whole, 0, total), 0);
        assertEq(RateMath.shareUp(whole, total, total), whole);
    }

    // ---------------------------------------------------------------- balance pages

    function testFuzz_LanesDoNotInterfere(uint64[4] memory balances, uint32 program, uint64 plus, uint64 minus)
        public
        pure
    {
        program = uint32(bound(program, 1, type(uint24).max));
        uint256 lane = (program - 1) % 4;
        plus = uint64(bound(plus, 0, type(uint64).max - balances[lane]));
        minus = uint64(bound(minus, 0, balances[lane] + plus));
        uint256 word;
        for (uint256 i = 0; i < 4; ++i) {
            word |= uint256(balances[i]) << 64 * i;
        }
        BalancePage page = BalancePage.wrap(word).credit(program, plus).debit(program, minus);
        balances[lane] = balances[lane] + plus - minus;
        uint256 first = program - lane;
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(page.balance(first + i), balances[i]);
            assertEq(BalancePageLib.pageOf(first + i), (first + i - 1) / 4);
        }
    }

    // ---------------------------------------------------------------- heads

    function testFuzz_OrderHeadRoundTrips(uint32 merchant, uint48 nonce, uint40 deadline, bool atomic) public pure {
        Draft memory d;
        (d.merchant, d.nonce, d.deadline, d.atomic) = (merchant, nonce, deadline, atomic);
        OrderHead head = OrderHead.wrap(uint256(bytes32(_packOrderHead(d))));
        assertEq(head.merchant(), merchant);
        assertEq(head.nonce(), nonce);
        assertEq(head.deadline(), deadline);
        assertEq(head.atomic(), atomic);
    }

    function testFuzz_InstructionsUnpackOneAfterAnother(Line[3] memory lines, uint16[3] memory evidence) public view {
        Instruction[] memory packed = new Instruction[](3);
        for (uint256 i = 0; i < 3; ++i) {
            packed[i] = Instruction(_packLineHead(lines[i], evidence[i]), lines[i].member, lines[i].link, lines[i].ref);
        }
        this.assertUnpacked(_pack(packed), lines, evidence);
    }

    /// @dev Called from outside, because what is unpacked lies in the calldata.
    function assertUnpacked(bytes calldata packed, Line[3] memory lines, uint16[3] memory evidence) external pure {
        uint256 place;
        assembly {
            place := packed.offset
        }
        (Item item, Item last,, uint256 end) = OrdersLib.unpack(place, 3);
        for (uint256 i = 0; i < 3; ++i) {
            Line memory l = lines[i];
            assertTrue(item.isBefore(last));
            assertEq(item.kind(), l.kind);
            assertEq(item.program(), l.program);
            assertEq(item.agreement(), l.agreement);
            assertEq(item.member(), uint160(l.member));
            assertEq(item.points(), l.points);
            assertEq(item.minOut(), l.minOut);
            assertEq(item.expiryDay(), l.expiryDay);
            assertEq(item.link(), uint256(l.link));
            assertEq(item.ref(), uint256(l.ref));
            assertEq(item.evidence(), evidence[i]);
            item = item.next();
        }
        assertFalse(item.isBefore(last));
        assertEq(end - place, packed.length);
    }

    function testFuzz_EntryWordsRoundTrip(uint256 head, uint64[4] memory amounts) public pure {
        EntryHead h = EntryHead.wrap(head);
        Entry memory e;
        e.head = h;
        assertEq(h.batch(), _batchOf(e));
        assertEq(h.index(), _indexOf(e));
        assertEq(h.merchant(), _merchantOf(e));
        assertEq(h.nonce(), _nonceOf(e));
        assertEq(h.item(), _itemOf(e));
        assertEq(h.kind(), uint8(head >> 96));
        assertEq(h.program(), _programOf(e));
        assertEq(h.agreement(), _agreementOf(e));
        bytes memory packed = abi.encodePacked(amounts[0], amounts[1], amounts[2], amounts[3]);
        EntryAmounts a = EntryAmounts.wrap(uint256(bytes32(packed)));
        assertEq(a.points(), amounts[0]);
        assertEq(a.out(), amounts[1]);
        assertEq(a.settled(), amounts[2]);
        assertEq(a.fee(), amounts[3]);
    }

    function testFuzz_DigestIsThatOfTheReadableOrder(
        uint32 merchant,
        uint48 nonce,
        uint40 deadline,
        bool atomic,
        Line[4] memory drawn,
        uint16[4] memory slots,
        uint256 count
    ) public view {
        Line[] memory lines = new Line[](bound(count, 0, 4));
        uint16[] memory evidence = new uint16[](lines.length);
        for (uint256 i = 0; i < lines.length; ++i) {
            (lines[i], evidence[i]) = (drawn[i], slots[i]);
        }
        Draft memory d = Draft(merchant, nonce, deadline, atomic, lines, 1);
        assertEq(house.digestOf(_pack(_sign(d, evidence))), _orderDigest(d));
    }

    // ---------------------------------------------------------------- Merkle trees

    function test_RootsOfOneTo65LeavesAreNaiveOnesAndProveEveryLeaf() public view {
        for (uint256 count = 0; count <= 65; ++count) {
            this.checkTree(count, count);
        }
    }

    function testFuzz_RootsAreNaiveOnesAndProveEveryLeaf(uint256 count, uint256 seed) public pure {
        checkTree(bound(count, 0, 12), seed);
    }

    /// @dev Public, so that one call's memory is gone before the next.
    function checkTree(uint256 count, uint256 seed) public pure {
        bytes32[] memory leaves = new bytes32[](count);
        bytes32[] memory row = new bytes32[](count + 3); // with room that must not count
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
            MerkleTree.put(MerkleTree.placeOf(row, i), leaves[i]);
        }
        bytes32 root = MerkleTree.root(row, count);
        assertEq(root, _root(leaves));
        for (uint256 i = 0; i < count; ++i) {
            assertTrue(MerkleProof.verify(_proof(leaves, i), root, leaves[i]));
            assertFalse(MerkleProof.verify(_proof(leaves, i), root, keccak256(abi.encode(leaves[i]))));
        }
    }

    // ---------------------------------------------------------------- exchanges, whole

    /// forge-config: default.fuzz.runs = 1000
    /// forge-config: nightly.fuzz.runs = 20000
    function testFuzz_ThereAndBackNeverGains(uint64 points) public {
        points = uint64(bound(points, 20, 100_000));
        _accept(GAS_STATION, _issue(FUEL, ann, points));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, points));
        uint64 got = house.balanceOf(ann, CINE);
        _execute(_order(CINEMA, _exchange(CINE_TO_FUEL, CINE, ann, got)));
        uint256 fuel = house.balanceOf(ann, FUEL);
        uint256 cine = house.balanceOf(ann, CINE);
        assertLe(fuel * 9 + cine * 10, uint256(points) * 9, "at 9 for 10, in tenths of a point");
    }
}
