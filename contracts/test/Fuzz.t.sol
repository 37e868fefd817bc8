// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Entry} from "../interfaces/IClearingHouse.sol";
import {MerkleTree} from "../libraries/MerkleTree.sol";
import {Orders} from "../libraries/Orders.sol";
import {RateMath} from "../libraries/RateMath.sol";
import {BalancePage, BalancePageLib} from "../types/BalancePage.sol";
import {EntryAmounts} from "../types/EntryAmounts.sol";
import {EntryHead} from "../types/EntryHead.sol";
import {Instruction as UnpackedInstruction} from "../types/Instruction.sol";
import {OrderHead} from "../types/OrderHead.sol";
import {Network, PackedInstruction} from "./support/Network.sol";

/// @notice Arithmetic and packing, for all inputs that they can meet.
contract FuzzTest is Network {
    // ---------------------------------------------------------------- rates

    function testFuzz_RoundTripNeverGains(uint64 points, uint32 rateNum, uint32 rateDen) public pure {
        vm.assume(rateNum != 0 && rateDen != 0);
        uint256 out = RateMath.targetPointsDown(points, rateNum, rateDen);
        uint256 burnt = RateMath.sourcePointsUp(out, rateNum, rateDen);
        assertLe(burnt, points, "never more is burnt than was asked");
        uint256 back = RateMath.targetPointsDown(out, rateDen, rateNum);
        assertLe(back, burnt, "the way back at the inverse rate gives no more");
        assertEq(RateMath.targetPointsDown(burnt, rateNum, rateDen), out, "what is burnt buys the same");
        if (burnt != 0) {
            assertLt(RateMath.targetPointsDown(burnt - 1, rateNum, rateDen), out, "and one point less does not");
        }
    }

    function testFuzz_CycleOfThreeRatesNeverGains(uint64 points, uint32 first, uint32 second, uint32 third)
        public
        pure
    {
        vm.assume(first != 0 && second != 0 && third != 0);
        uint256 there = RateMath.targetPointsDown(points, first, second);
        uint256 further = RateMath.targetPointsDown(there, second, third);
        assertLe(RateMath.targetPointsDown(further, third, first), points);
    }

    function testFuzz_RoundingIsWhatItsNameSays(
        uint64 points,
        uint32 rateNum,
        uint32 rateDen,
        uint64 amount,
        uint16 feeBps
    ) public pure {
        vm.assume(rateNum != 0 && rateDen != 0);
        feeBps = uint16(bound(feeBps, 0, 10_000));
        assertEq(RateMath.targetPointsDown(points, rateNum, rateDen), Math.mulDiv(points, rateNum, rateDen));
        assertEq(
            RateMath.sourcePointsUp(points, rateNum, rateDen), Math.mulDiv(points, rateDen, rateNum, Math.Rounding.Ceil)
        );
        assertEq(RateMath.product(points, amount), uint256(points) * amount);
        assertEq(RateMath.feeUp(amount, feeBps), Math.mulDiv(amount, feeBps, 10_000, Math.Rounding.Ceil));
        assertLe(RateMath.feeUp(amount, feeBps), amount, "a fee is at most the whole");
    }

    function testFuzz_SharesOfAReversalAddUp(uint64 whole, uint64 total, uint64 cut) public pure {
        vm.assume(total != 0);
        cut = uint64(bound(cut, 0, total));
        uint256 first = RateMath.shareUp(whole, cut, total);
        assertEq(first, Math.mulDiv(whole, cut, total, Math.Rounding.Ceil));
        assertLe(first, whole);
        assertEq(RateMath.shareUp(whole, 0, total), 0);
        assertEq(RateMath.shareUp(whole, total, total), whole);
        assertEq(RateMath.shareBetween(whole, 0, cut, total), first);
        assertEq(RateMath.shareBetween(whole, 0, cut, total) + RateMath.shareBetween(whole, cut, total, total), whole);
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
        OrderDraft memory draft;
        (draft.merchant, draft.nonce, draft.deadline, draft.atomic) = (merchant, nonce, deadline, atomic);
        OrderHead head = OrderHead.wrap(uint256(bytes32(_packOrderHead(draft))));
        assertEq(head.merchant(), merchant);
        assertEq(head.nonce(), nonce);
        assertEq(head.deadline(), deadline);
        assertEq(head.atomic(), atomic);
    }

    function testFuzz_InstructionsUnpackOneAfterAnother(Instruction[3] memory instructions, uint16[3] memory evidence)
        public
        view
    {
        PackedInstruction[] memory packed = new PackedInstruction[](3);
        for (uint256 i = 0; i < 3; ++i) {
            packed[i] = PackedInstruction(
                _packInstructionHead(instructions[i], evidence[i]),
                instructions[i].member,
                instructions[i].link,
                instructions[i].ref
            );
        }
        this.assertUnpacked(_pack(packed), instructions, evidence);
    }

    /// @dev External, because `unpack` reads the calldata.
    function assertUnpacked(bytes calldata packed, Instruction[3] memory instructions, uint16[3] memory evidence)
        external
        pure
    {
        uint256 offset;
        assembly {
            offset := packed.offset
        }
        (UnpackedInstruction instruction, UnpackedInstruction last,, uint256 end) = Orders.unpack(offset, 3);
        for (uint256 i = 0; i < 3; ++i) {
            Instruction memory expected = instructions[i];
            assertTrue(instruction.isBefore(last));
            assertEq(instruction.kind(), expected.kind);
            assertEq(instruction.program(), expected.program);
            assertEq(instruction.agreement(), expected.agreement);
            assertEq(instruction.member(), uint160(expected.member));
            assertEq(instruction.points(), expected.points);
            assertEq(instruction.minOut(), expected.minOut);
            assertEq(instruction.expiryDay(), expected.expiryDay);
            assertEq(instruction.link(), uint256(expected.link));
            assertEq(instruction.ref(), uint256(expected.ref));
            assertEq(instruction.evidence(), evidence[i]);
            instruction = instruction.next();
        }
        assertFalse(instruction.isBefore(last));
        assertEq(end - offset, packed.length);
    }

    function testFuzz_EntryWordsRoundTrip(uint256 word, uint64[4] memory amounts) public pure {
        EntryHead head = EntryHead.wrap(word);
        Entry memory entry;
        entry.head = head;
        assertEq(head.batch(), _batchOf(entry));
        assertEq(head.index(), _indexOf(entry));
        assertEq(head.merchant(), _merchantOf(entry));
        assertEq(head.nonce(), _nonceOf(entry));
        assertEq(head.item(), _itemOf(entry));
        assertEq(head.kind(), uint8(word >> 96));
        assertEq(head.program(), _programOf(entry));
        assertEq(head.agreement(), _agreementOf(entry));
        bytes memory packed = abi.encodePacked(amounts[0], amounts[1], amounts[2], amounts[3]);
        EntryAmounts unpacked = EntryAmounts.wrap(uint256(bytes32(packed)));
        assertEq(unpacked.points(), amounts[0]);
        assertEq(unpacked.out(), amounts[1]);
        assertEq(unpacked.settled(), amounts[2]);
        assertEq(unpacked.fee(), amounts[3]);
    }

    function testFuzz_DigestIsThatOfTheReadableOrder(
        uint32 merchant,
        uint48 nonce,
        uint40 deadline,
        bool atomic,
        Instruction[4] memory drawn,
        uint16[4] memory evidenceIndexes,
        uint256 count
    ) public view {
        Instruction[] memory instructions = new Instruction[](bound(count, 0, 4));
        uint16[] memory evidence = new uint16[](instructions.length);
        for (uint256 i = 0; i < instructions.length; ++i) {
            (instructions[i], evidence[i]) = (drawn[i], evidenceIndexes[i]);
        }
        OrderDraft memory draft = OrderDraft(merchant, nonce, deadline, atomic, instructions, 1);
        assertEq(lens.digestOf(_pack(_sign(draft, evidence))), _orderDigest(draft));
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

    /// @dev Public, so that each call starts with fresh memory.
    function checkTree(uint256 count, uint256 seed) public pure {
        bytes32[] memory leaves = new bytes32[](count);
        bytes32[] memory row = new bytes32[](count + 3); // longer than the list, which must not matter
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
            MerkleTree.write(MerkleTree.pointerTo(row, i), leaves[i]);
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
        uint64 got = lens.balanceOf(ann, CINE);
        _execute(_order(CINEMA, _exchange(CINE_TO_FUEL, CINE, ann, got)));
        uint256 fuel = lens.balanceOf(ann, FUEL);
        uint256 cine = lens.balanceOf(ann, CINE);
        assertLe(fuel * 9 + cine * 10, uint256(points) * 9, "at 9 for 10, in tenths of a point");
    }
}
