// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Vm} from "forge-std/Vm.sol";

import {
    AgreementKind,
    AgreementTerms,
    Entry,
    Evidence,
    IClearingHouse,
    Kind,
    MerchantStatus,
    ProgramTotals,
    Reason,
    Role,
    SignerChange
} from "../../interfaces/IClearingHouse.sol";
import {IClearingHouseLens} from "../../interfaces/IClearingHouseLens.sol";
import {EntryAmounts} from "../../types/EntryAmounts.sol";
import {EntryHead} from "../../types/EntryHead.sol";

/// @notice The first 32 bytes of an instruction as it travels: all its numbers.
type InstructionHead is bytes32;

/// @notice An instruction as it travels.
struct PackedInstruction {
    InstructionHead head;
    address member;
    bytes32 link;
    bytes32 ref;
}

/// @notice An order as it travels; `head` is its first 18 bytes.
struct PackedOrder {
    bytes18 head;
    bytes32 r;
    bytes32 vs;
    PackedInstruction[] instructions;
}

/// @notice The small network with which every test starts. It computes digests, packs words, builds Merkle trees and reads events
/// on its own, with none of the contract's libraries, so that a mistake in those cannot hide.
/// @dev Deploys the contract by name, not with `new`, so that its code is compiled once and not into every test contract.
abstract contract Network is Test {
    /// @dev An instruction as it is signed: the fields of the EIP-712 type.
    struct Instruction {
        uint8 kind;
        uint32 program;
        uint32 agreement;
        address member;
        uint64 points;
        uint64 minOut;
        uint32 expiryDay;
        bytes32 link;
        bytes32 ref;
    }

    /// @dev An order before its signature. `key` will sign it.
    struct OrderDraft {
        uint32 merchant;
        uint48 nonce;
        uint40 deadline;
        bool atomic;
        Instruction[] instructions;
        uint256 key;
    }

    /// @dev An instruction that a batch refused, or an order if `item` is `WHOLE_ORDER`.
    struct Refusal {
        uint32 merchant;
        uint48 nonce;
        uint256 item;
        Reason reason;
        bytes32 digest;
    }

    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant INSTRUCTION_TYPEHASH = keccak256(
        "Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );
    bytes32 private constant ORDER_TYPEHASH = keccak256(
        "Order(uint32 merchant,uint48 nonce,uint40 deadline,bool atomic,Instruction[] instructions)Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );
    bytes32 private constant TERMS_TYPEHASH = keccak256(
        "AgreementTerms(uint8 kind,uint8 initiators,uint16 feeBps,uint16 lifetimeDays,uint32 sourceMerchant,uint32 targetMerchant,uint32 sourceProgram,uint32 targetProgram,uint40 validFrom,uint40 validUntil,uint32 rateNum,uint32 rateDen,uint64 unitPriceMicros,uint64 maxPoints,uint64 dailyCap,uint32 supersedes,uint32 graceSeconds,uint40 acceptBy,bool keepExpiry,bytes32 document)"
    );
    bytes32 private constant TERMINATION_TYPEHASH = keccak256("Termination(uint32 agreement,uint40 effectiveAt)");
    bytes32 private constant SIGNER_CHANGE_TYPEHASH =
        keccak256("SignerChange(uint32 merchant,address key,uint40 validFrom,uint40 validUntil,uint48 nonce)");

    uint256 internal constant WHOLE_ORDER = type(uint256).max;
    uint40 internal constant FOREVER = type(uint40).max;

    // 2026-01-01 12:00 in Shanghai.
    uint256 internal constant START = 1_767_240_000;
    int32 internal constant UTC_OFFSET = 8 hours;

    uint32 internal constant OPERATOR = 0;
    uint32 internal constant GAS_STATION = 1;
    uint32 internal constant CINEMA = 2;
    uint32 internal constant SUPERMARKET = 3;
    uint32 internal constant CAR_WASH = 4; // a pure acceptor: it runs no program

    // Programs 1 to 4 and 5 to 8 share a page of balances each.
    uint32 internal constant FUEL = 1;
    uint32 internal constant CINE = 2;
    uint32 internal constant MART = 3;
    uint32 internal constant VIDEO = 4;
    uint32 internal constant FLEET = 5; // the gas station's second program
    uint32 internal constant FILM = 6; // the cinema's second program
    uint32 internal constant PROGRAMS = 6;

    uint32 internal constant FUEL_TO_CINE = 1; // 9/10, either side may initiate, 0.10 % fee
    uint32 internal constant CINE_TO_FUEL = 2; // 10/9, the way back
    uint32 internal constant FUEL_TO_FILM = 3; // 3/2, across pages
    uint32 internal constant FUEL_AT_CAR_WASH = 4; // the car wash initiates, 0.25 % fee
    uint32 internal constant CINE_AT_GAS_STATION = 5; // the cinema initiates, no fee
    uint32 internal constant FUEL_TO_FLEET = 6; // between programs of one merchant
    uint32 internal constant MART_TO_CINE = 7; // 7/5, uneven

    uint96 internal constant CREDIT = 1000e6;
    uint96 internal constant DEPOSIT = 5000e6;

    IClearingHouse internal house;
    IClearingHouseLens internal lens; // at the house's own address
    address internal admin = makeAddr("admin");
    address internal operator = makeAddr("operator");
    address internal sequencer = makeAddr("sequencer");
    address internal treasury = makeAddr("treasury");
    address internal pauser = makeAddr("pauser");
    address internal stranger = makeAddr("stranger");
    address internal ann = makeAddr("ann");
    address internal bob = makeAddr("bob");
    address internal cat = makeAddr("cat");
    address[] internal members;

    mapping(uint32 merchant => uint256) internal keyOf;
    mapping(uint32 merchant => uint48) internal nextNonce;
    uint256 internal bankRefs;

    /// @dev What the last batch posted and refused.
    Entry[] internal posted;
    Refusal[] internal refusals;

    /// @dev Every entry ever posted, by leaf and by batch, and the head. All of it comes from events.
    mapping(bytes32 leaf => Entry) internal entryOf;
    mapping(uint40 batch => bytes32[]) internal leavesOf;
    mapping(bytes32 order => bool) private _isUndone;
    bytes32 internal chainedHead;
    uint40 internal closedBatches;

    // ---------------------------------------------------------------- the network

    function setUp() public virtual {
        _openNetwork();
    }

    function _openNetwork() internal {
        vm.warp(START);
        house = IClearingHouse(
            deployCode("ClearingHouse.sol:ClearingHouse", abi.encode(admin, bytes32("Tongdui"), UTC_OFFSET))
        );
        lens = IClearingHouseLens(address(house));
        members = [ann, bob, cat];
        vm.startPrank(admin);
        house.setRole(Role.Operator, operator, true);
        house.setRole(Role.Sequencer, sequencer, true);
        house.setRole(Role.Treasury, treasury, true);
        house.setRole(Role.Pauser, pauser, true);
        vm.stopPrank();
        for (uint32 merchant = GAS_STATION; merchant <= CAR_WASH; ++merchant) {
            keyOf[merchant] = _key(merchant, 0);
            vm.prank(operator);
            house.registerMerchant(merchant, bytes32(uint256(merchant)), vm.addr(keyOf[merchant]), CREDIT);
            _deposit(merchant, DEPOSIT);
        }
        _openProgram(GAS_STATION, "FUEL", "Fuel points");
        _openProgram(CINEMA, "CINE", "Cinema points");
        _openProgram(SUPERMARKET, "MART", "Supermarket points");
        _openProgram(SUPERMARKET, "VIDEO", "Video points");
        _openProgram(GAS_STATION, "FLEET", "Fleet points");
        _openProgram(CINEMA, "FILM", "Film club points");
        _register(_exchangeTerms(FUEL, CINE, 9, 10, 10_000, 10, 3));
        _register(_exchangeTerms(CINE, FUEL, 10, 9, 9000, 10, 1));
        _register(_exchangeTerms(FUEL, FILM, 3, 2, 6000, 33, 3));
        _register(_acceptanceTerms(FUEL, CAR_WASH, 9500, 25, 2));
        _register(_acceptanceTerms(CINE, GAS_STATION, 10_000, 0, 1));
        _register(_exchangeTerms(FUEL, FLEET, 1, 1, 9000, 50, 1));
        _register(_exchangeTerms(MART, CINE, 7, 5, 10_000, 7, 3));
    }

    function _openProgram(uint32 merchant, bytes32 code, bytes32 name) internal returns (uint32 program) {
        program = house.programCount() + 1;
        vm.prank(operator);
        house.registerProgram(program, merchant, code, name);
    }

    function _deposit(uint32 merchant, uint96 micros) internal {
        vm.prank(treasury);
        house.deposit(merchant, micros, bytes32(++bankRefs));
    }

    function _withdraw(uint32 merchant, uint96 micros) internal {
        vm.prank(treasury);
        house.withdraw(merchant, micros, bytes32(++bankRefs));
    }

    function _setStatus(uint32 merchant, MerchantStatus status) internal {
        vm.prank(operator);
        house.setMerchantStatus(merchant, status);
    }

    function _setPaused(uint32 program, bool paused) internal {
        vm.prank(pauser);
        house.setProgramPaused(program, paused);
    }

    function _setCreditLimit(uint32 merchant, uint96 micros) internal {
        vm.prank(operator);
        house.setCreditLimit(merchant, micros);
    }

    function _key(uint32 merchant, uint256 generation) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("key", merchant, generation)));
    }

    /// @dev Asks the cheatcode, because the compiler assumes that `block.timestamp` is constant within a function, even after a warp.
    function _now() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function _position(uint32 merchant) internal view returns (int256 micros) {
        (, micros,) = lens.merchantOf(merchant);
    }

    // ---------------------------------------------------------------- agreements

    function _merchantOfProgram(uint32 program) internal view returns (uint32 merchant) {
        (merchant,,,) = lens.programOf(program);
    }

    function _exchangeTerms(
        uint32 source,
        uint32 target,
        uint32 rateNum,
        uint32 rateDen,
        uint64 price,
        uint16 feeBps,
        uint8 initiators
    ) internal view returns (AgreementTerms memory terms) {
        terms.kind = AgreementKind.Exchange;
        terms.initiators = initiators;
        terms.feeBps = feeBps;
        terms.lifetimeDays = 365;
        terms.sourceMerchant = _merchantOfProgram(source);
        terms.targetMerchant = _merchantOfProgram(target);
        terms.sourceProgram = source;
        terms.targetProgram = target;
        terms.validFrom = uint40(_now());
        terms.validUntil = uint40(_now() + 365 days);
        terms.rateNum = rateNum;
        terms.rateDen = rateDen;
        terms.unitPriceMicros = price;
        terms.maxPoints = 100_000;
        terms.dailyCap = 250_000;
        terms.document = keccak256("paper");
    }

    function _acceptanceTerms(uint32 source, uint32 acceptor, uint64 price, uint16 feeBps, uint8 initiators)
        internal
        view
        returns (AgreementTerms memory terms)
    {
        terms = _exchangeTerms(source, 0, 1, 1, price, feeBps, initiators);
        terms.kind = AgreementKind.Acceptance;
        terms.targetMerchant = acceptor;
        terms.lifetimeDays = 0;
    }

    /// @dev Registers terms that both sides signed, and returns the agreement's id.
    function _register(AgreementTerms memory terms) internal returns (uint32 id) {
        id = house.agreementCount() + 1;
        (bytes memory source, bytes memory target) = _signatures(terms);
        vm.prank(operator);
        house.registerAgreement(id, terms, source, target);
    }

    function _signatures(AgreementTerms memory terms) internal view returns (bytes memory source, bytes memory target) {
        bytes32 digest = _digest(keccak256(abi.encode(TERMS_TYPEHASH, terms)));
        source = _signature(keyOf[terms.sourceMerchant], digest);
        target = _signature(keyOf[terms.targetMerchant], digest);
    }

    function _termsDigest(AgreementTerms memory terms) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(TERMS_TYPEHASH, terms)));
    }

    function _terminationBy(uint32 merchant, uint32 agreement, uint40 effectiveAt)
        internal
        view
        returns (bytes memory)
    {
        bytes32 digest = _digest(keccak256(abi.encode(TERMINATION_TYPEHASH, agreement, effectiveAt)));
        return _signature(keyOf[merchant], digest);
    }

    // ---------------------------------------------------------------- signatures

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Tongdui"), keccak256("1"), block.chainid, address(house)));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _changeDigest(SignerChange memory change) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(SIGNER_CHANGE_TYPEHASH, change)));
    }

    /// @dev Gives `merchant` a key, or moves the window of one. `by` signs the change.
    function _changeSigner(uint32 merchant, uint256 key, uint40 from, uint40 until, uint256 by) internal {
        SignerChange memory change = SignerChange(merchant, vm.addr(key), from, until, nextNonce[merchant]++);
        bytes32 digest = _changeDigest(change);
        house.changeSigner(change, _signature(by, digest), _signature(key, digest));
    }

    // ---------------------------------------------------------------- instructions

    function _instruction(Kind kind, uint32 program, address member, uint64 points)
        internal
        pure
        returns (Instruction memory instruction)
    {
        instruction.kind = uint8(kind);
        instruction.program = program;
        instruction.member = member;
        instruction.points = points;
        instruction.ref = keccak256(abi.encode(kind, program, member, points));
    }

    function _issue(uint32 program, address member, uint64 points) internal pure returns (Instruction memory) {
        return _instruction(Kind.Issue, program, member, points);
    }

    function _redeem(uint32 program, address member, uint64 points) internal pure returns (Instruction memory) {
        return _instruction(Kind.Redeem, program, member, points);
    }

    function _expire(uint32 program, address member, uint64 points) internal pure returns (Instruction memory) {
        return _instruction(Kind.Expire, program, member, points);
    }

    function _exchange(uint32 agreement, uint32 source, address member, uint64 points)
        internal
        pure
        returns (Instruction memory instruction)
    {
        instruction = _instruction(Kind.Exchange, source, member, points);
        instruction.agreement = agreement;
    }

    function _spend(uint32 agreement, uint32 source, address member, uint64 points)
        internal
        pure
        returns (Instruction memory instruction)
    {
        instruction = _instruction(Kind.Spend, source, member, points);
        instruction.agreement = agreement;
    }

    function _transfer(uint32 program, address member, address to, uint64 points)
        internal
        pure
        returns (Instruction memory instruction)
    {
        instruction = _instruction(Kind.Transfer, program, member, points);
        instruction.link = bytes32(uint256(uint160(to)));
    }

    function _reverse(Entry memory original, uint64 points) internal pure returns (Instruction memory instruction) {
        instruction = _instruction(Kind.Reverse, _programOf(original), original.member, points);
        instruction.link = _leaf(original);
    }

    // ---------------------------------------------------------------- orders

    function _list(Instruction memory first) internal pure returns (Instruction[] memory instructions) {
        instructions = new Instruction[](1);
        instructions[0] = first;
    }

    function _list(Instruction memory first, Instruction memory second)
        internal
        pure
        returns (Instruction[] memory instructions)
    {
        instructions = new Instruction[](2);
        (instructions[0], instructions[1]) = (first, second);
    }

    function _list(Instruction memory first, Instruction memory second, Instruction memory third)
        internal
        pure
        returns (Instruction[] memory instructions)
    {
        instructions = new Instruction[](3);
        (instructions[0], instructions[1], instructions[2]) = (first, second, third);
    }

    function _list(OrderDraft memory first) internal pure returns (OrderDraft[] memory drafts) {
        drafts = new OrderDraft[](1);
        drafts[0] = first;
    }

    function _list(OrderDraft memory first, OrderDraft memory second)
        internal
        pure
        returns (OrderDraft[] memory drafts)
    {
        drafts = new OrderDraft[](2);
        (drafts[0], drafts[1]) = (first, second);
    }

    /// @dev An order with the merchant's next nonce, its current key and a deadline in one hour.
    function _order(uint32 merchant, Instruction[] memory instructions) internal returns (OrderDraft memory draft) {
        draft.merchant = merchant;
        draft.nonce = nextNonce[merchant]++;
        draft.deadline = uint40(_now() + 1 hours);
        draft.instructions = instructions;
        draft.key = keyOf[merchant];
    }

    function _order(uint32 merchant, Instruction memory instruction) internal returns (OrderDraft memory) {
        return _order(merchant, _list(instruction));
    }

    function _atomic(uint32 merchant, Instruction[] memory instructions) internal returns (OrderDraft memory draft) {
        draft = _order(merchant, instructions);
        draft.atomic = true;
    }

    function _orderDigest(OrderDraft memory draft) internal view returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](draft.instructions.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = _hash(draft.instructions[i]);
        }
        bytes32 list = keccak256(abi.encodePacked(hashes));
        return
            _digest(
                keccak256(abi.encode(ORDER_TYPEHASH, draft.merchant, draft.nonce, draft.deadline, draft.atomic, list))
            );
    }

    function _hash(Instruction memory instruction) internal pure returns (bytes32) {
        return keccak256(abi.encode(INSTRUCTION_TYPEHASH, instruction));
    }

    function _packOrderHead(OrderDraft memory draft) internal pure returns (bytes18) {
        return bytes18(
            abi.encodePacked(
                draft.merchant, draft.nonce, draft.deadline, draft.atomic, uint16(draft.instructions.length)
            )
        );
    }

    function _packInstructionHead(Instruction memory instruction, uint16 evidence)
        internal
        pure
        returns (InstructionHead)
    {
        bytes memory packed =
            abi.encodePacked(instruction.link != 0, instruction.kind, instruction.program, instruction.agreement);
        return InstructionHead.wrap(
            bytes32(abi.encodePacked(packed, instruction.expiryDay, instruction.points, instruction.minOut, evidence))
        );
    }

    /// @dev The bytes of orders as they travel.
    function _pack(PackedOrder[] memory orders) internal pure returns (bytes memory packed) {
        for (uint256 i = 0; i < orders.length; ++i) {
            packed = bytes.concat(packed, _pack(orders[i]));
        }
    }

    function _pack(PackedOrder memory order) internal pure returns (bytes memory) {
        return abi.encodePacked(order.head, order.r, order.vs, _pack(order.instructions));
    }

    function _pack(PackedInstruction[] memory instructions) internal pure returns (bytes memory packed) {
        for (uint256 i = 0; i < instructions.length; ++i) {
            PackedInstruction memory instruction = instructions[i];
            packed =
                abi.encodePacked(packed, InstructionHead.unwrap(instruction.head), instruction.member, instruction.ref);
            if (instruction.link != 0) packed = bytes.concat(packed, instruction.link);
        }
    }

    /// @dev Signs and packs an order. `evidence[i]` is the evidence index of instruction `i`; it is 0 for those beyond the list.
    function _sign(OrderDraft memory draft, uint16[] memory evidence) internal view returns (PackedOrder memory order) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(draft.key, _orderDigest(draft));
        order.head = _packOrderHead(draft);
        order.r = r;
        order.vs = bytes32(uint256(s) | uint256(v - 27) << 255);
        order.instructions = new PackedInstruction[](draft.instructions.length);
        for (uint256 i = 0; i < draft.instructions.length; ++i) {
            Instruction memory instruction = draft.instructions[i];
            uint16 evidenceIndex = i < evidence.length ? evidence[i] : 0;
            order.instructions[i] = PackedInstruction(
                _packInstructionHead(instruction, evidenceIndex), instruction.member, instruction.link, instruction.ref
            );
        }
    }

    function _sign(OrderDraft memory draft) internal view returns (PackedOrder memory) {
        return _sign(draft, new uint16[](0));
    }

    /// @dev Signs all drafts, and collects evidence for every reversal of a posted entry.
    function _sign(OrderDraft[] memory drafts)
        internal
        view
        returns (PackedOrder[] memory orders, Evidence[] memory evidence)
    {
        uint256 proofs;
        for (uint256 i = 0; i < drafts.length; ++i) {
            for (uint256 item = 0; item < drafts[i].instructions.length; ++item) {
                if (_isProvable(drafts[i].instructions[item])) ++proofs;
            }
        }
        orders = new PackedOrder[](drafts.length);
        evidence = new Evidence[](proofs);
        proofs = 0;
        for (uint256 i = 0; i < drafts.length; ++i) {
            uint16[] memory evidenceIndexes = new uint16[](drafts[i].instructions.length);
            for (uint256 item = 0; item < evidenceIndexes.length; ++item) {
                if (!_isProvable(drafts[i].instructions[item])) {
                    evidenceIndexes[item] = type(uint16).max;
                    continue;
                }
                evidenceIndexes[item] = uint16(proofs);
                evidence[proofs++] = _evidence(drafts[i].instructions[item].link);
            }
            orders[i] = _sign(drafts[i], evidenceIndexes);
        }
    }

    function _isProvable(Instruction memory instruction) private view returns (bool) {
        return instruction.kind == uint8(Kind.Reverse) && entryOf[instruction.link].member != address(0);
    }

    // ---------------------------------------------------------------- execution

    function _execute(OrderDraft memory draft) internal {
        _execute(_list(draft));
    }

    function _execute(OrderDraft[] memory drafts) internal {
        (PackedOrder[] memory orders, Evidence[] memory evidence) = _sign(drafts);
        _execute(orders, evidence);
    }

    function _execute(PackedOrder[] memory orders, Evidence[] memory evidence) internal {
        vm.recordLogs();
        vm.prank(sequencer);
        house.execute(_pack(orders), evidence);
        _readEvents(vm.getRecordedLogs());
    }

    function _execute(PackedOrder memory order) internal {
        PackedOrder[] memory orders = new PackedOrder[](1);
        orders[0] = order;
        _execute(orders, new Evidence[](0));
    }

    /// @dev Executes an order of one instruction, which must be accepted, and returns its entry.
    function _accept(uint32 merchant, Instruction memory instruction) internal returns (Entry memory) {
        _execute(_order(merchant, instruction));
        assertEq(refusals.length, 0, "refused");
        assertEq(posted.length, 1, "one entry");
        return posted[0];
    }

    /// @dev Executes an order of one instruction, which must be refused for `reason` and change nothing but the journal and its nonce.
    function _refuse(uint32 merchant, Instruction memory instruction, Reason reason) internal {
        OrderDraft memory draft = _order(merchant, instruction);
        _refuse(draft, reason);
        assertTrue(lens.nonceUsed(merchant, draft.nonce), "an admitted order uses its nonce");
    }

    function _refuse(OrderDraft memory draft, Reason reason) internal {
        _executeWithoutEffect(draft, 3);
        assertEq(refusals.length, 1, "one refusal");
        assertEq(refusals[0].merchant, draft.merchant, "merchant");
        assertEq(refusals[0].nonce, draft.nonce, "nonce");
        assertEq(refusals[0].item, 0, "item");
        assertEq(uint256(refusals[0].reason), uint256(reason), "reason");
    }

    /// @dev Executes an order that must be refused as a whole and leave its nonce free.
    function _refuseOrder(OrderDraft memory draft, Reason reason) internal {
        bool used = lens.nonceUsed(draft.merchant, draft.nonce);
        _executeWithoutEffect(draft, 2);
        _assertOrderRefusal(0, draft, reason);
        assertEq(refusals.length, 1, "one refusal");
        assertEq(lens.nonceUsed(draft.merchant, draft.nonce), used, "nonce");
    }

    function _assertOrderRefusal(uint256 i, OrderDraft memory draft, Reason reason) internal view {
        assertEq(refusals[i].merchant, draft.merchant, "merchant");
        assertEq(refusals[i].nonce, draft.nonce, "nonce");
        assertEq(refusals[i].item, WHOLE_ORDER, "the whole order");
        assertEq(uint256(refusals[i].reason), uint256(reason), "reason");
        assertEq(refusals[i].digest, _orderDigest(draft), "digest");
    }

    /// @dev Executes a batch of which nothing may be accepted. No view may change, and at most `maxChangedSlots` slots of storage: two of
    /// the journal, and the one with an admitted order's nonce.
    function _executeWithoutEffect(OrderDraft memory draft, uint256 maxChangedSlots) internal {
        bytes32 before = _stateHash();
        vm.startStateDiffRecording();
        _execute(draft);
        uint256 changed = _changedSlots(vm.stopAndReturnStateDiff());
        assertEq(_stateHash(), before, "the state changed");
        assertLe(changed, maxChangedSlots, "some storage changed");
        assertEq(posted.length, 0, "an entry was posted");
    }

    /// @dev How many slots of the clearing house's storage changed their value.
    function _changedSlots(Vm.AccountAccess[] memory accesses) internal view returns (uint256 changed) {
        bytes32[] memory seen = new bytes32[](256);
        uint256 count;
        for (uint256 frame = 0; frame < accesses.length; ++frame) {
            Vm.StorageAccess[] memory slots = accesses[frame].storageAccesses;
            for (uint256 i = 0; i < slots.length; ++i) {
                bool written = slots[i].account == address(house) && slots[i].isWrite;
                if (!written || _contains(seen, count, slots[i].slot)) continue;
                seen[count++] = slots[i].slot;
                if (vm.load(address(house), slots[i].slot) != slots[i].previousValue) ++changed;
            }
        }
    }

    function _contains(bytes32[] memory list, uint256 count, bytes32 value) private pure returns (bool) {
        for (uint256 i = 0; i < count; ++i) {
            if (list[i] == value) return true;
        }
        return false;
    }

    /// @dev One hash of everything that an instruction may change.
    function _stateHash() internal view returns (bytes32 state) {
        for (uint32 program = 1; program <= house.programCount(); ++program) {
            state = keccak256(abi.encode(state, lens.totalsOf(program), lens.totalSupply(program)));
            for (uint256 i = 0; i < members.length; ++i) {
                state = keccak256(abi.encode(state, lens.balanceOf(members[i], program)));
            }
        }
        for (uint32 merchant = 0; merchant < house.merchantCount(); ++merchant) {
            (MerchantStatus status, int96 position, uint96 creditLimit) = lens.merchantOf(merchant);
            state = keccak256(abi.encode(state, status, position, creditLimit));
        }
        for (uint32 agreement = 1; agreement <= house.agreementCount(); ++agreement) {
            state = keccak256(abi.encode(state, lens.usedToday(agreement), lens.agreementOf(agreement)));
        }
        for (uint40 batch = 1; batch <= closedBatches; ++batch) {
            for (uint256 i = 0; i < leavesOf[batch].length; ++i) {
                state = keccak256(abi.encode(state, house.reversedOf(leavesOf[batch][i])));
            }
        }
        state = keccak256(abi.encode(state, house.settlementFunds()));
    }

    // ---------------------------------------------------------------- the journal, read from events

    /// @dev Reads a batch's events, rebuilds root and head from them, and compares both with the contract's.
    function _readEvents(Vm.Log[] memory logs) internal {
        delete posted;
        delete refusals;
        uint40 batch = closedBatches + 1;
        bool closed;
        _findUndone(logs);
        for (uint256 i = 0; i < logs.length; ++i) {
            assertFalse(closed, "nothing follows the end of a batch");
            bytes32 topic = logs[i].topics[0];
            if (topic == IClearingHouse.EntryPosted.selector) {
                assertEq(logs[i].data.length, 96, "three words");
                _readEntry(logs[i], batch, 0);
            } else if (topic == IClearingHouse.LinkedEntryPosted.selector) {
                assertEq(logs[i].data.length, 96, "three words");
                assertTrue(logs[i].topics[2] != 0, "a linked entry has a link");
                _readEntry(logs[i], batch, logs[i].topics[2]);
            } else if (topic == IClearingHouse.InstructionRejected.selector) {
                (uint16 item, Reason reason) = abi.decode(logs[i].data, (uint16, Reason));
                _readRefusal(logs[i], item, reason, 0);
            } else if (topic == IClearingHouse.OrderRejected.selector) {
                (bytes32 digest, Reason reason) = abi.decode(logs[i].data, (bytes32, Reason));
                _readRefusal(logs[i], WHOLE_ORDER, reason, digest);
            } else {
                assertEq(topic, IClearingHouse.BatchClosed.selector, "an event that does not belong here");
                assertEq(uint256(logs[i].topics[1]), batch, "batch");
                closed = true;
                _checkEnd(batch, logs[i].data);
            }
        }
        assertTrue(closed, "the batch was closed");
        closedBatches = batch;
    }

    /// @dev Finds the atomic orders that failed: Forge records the events of their undone frames too.
    function _findUndone(Vm.Log[] memory logs) private {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IClearingHouse.OrderRejected.selector) continue;
            (, Reason reason) = abi.decode(logs[i].data, (bytes32, Reason));
            bytes32 order = keccak256(abi.encode(logs[i].topics[1], logs[i].topics[2]));
            if (reason == Reason.AtomicFailed) _isUndone[order] = true;
        }
    }

    function _readEntry(Vm.Log memory log, uint40 batch, bytes32 link) private {
        (uint256 head, uint256 amounts, bytes32 ref) = abi.decode(log.data, (uint256, uint256, bytes32));
        address member = address(uint160(uint256(log.topics[1])));
        Entry memory entry = Entry(member, EntryHead.wrap(head), EntryAmounts.wrap(amounts), ref, link);
        if (_isUndone[keccak256(abi.encode(_merchantOf(entry), _nonceOf(entry)))]) return;
        assertEq(_batchOf(entry), batch, "an entry knows its batch");
        assertEq(_indexOf(entry), posted.length, "an entry knows its index");
        bytes32 leaf = _leaf(entry);
        assertEq(entryOf[leaf].member, address(0), "a leaf is unique");
        posted.push(entry);
        entryOf[leaf] = entry;
        leavesOf[batch].push(leaf);
    }

    function _readRefusal(Vm.Log memory log, uint256 item, Reason reason, bytes32 digest) private {
        uint32 merchant = uint32(uint256(log.topics[1]));
        refusals.push(Refusal(merchant, uint48(uint256(log.topics[2])), item, reason, digest));
    }

    function _checkEnd(uint40 batch, bytes memory data) private {
        (uint16 entries, bytes32 root, bytes32 head) = abi.decode(data, (uint16, bytes32, bytes32));
        chainedHead = keccak256(abi.encode(chainedHead, batch, entries, root));
        assertEq(entries, posted.length, "entries");
        assertEq(root, _root(leavesOf[batch]), "root from events");
        assertEq(root, house.rootOf(batch), "root kept");
        assertEq(head, chainedHead, "head from events");
        assertEq(head, house.head(), "head kept");
        assertEq(house.batchCount(), batch, "batches");
    }

    function _leaf(Entry memory entry) internal pure returns (bytes32) {
        return keccak256(abi.encode(entry.member, entry.head, entry.amounts, entry.ref, entry.link));
    }

    function _evidence(bytes32 leaf) internal view returns (Evidence memory) {
        Entry memory entry = entryOf[leaf];
        return Evidence(entry, _proof(leavesOf[uint40(_batchOf(entry))], _indexOf(entry)));
    }

    // ---------------------------------------------------------------- Merkle trees

    function _root(bytes32[] memory level) internal pure returns (bytes32) {
        if (level.length == 0) return 0;
        while (level.length > 1) level = _levelAbove(level);
        return level[0];
    }

    function _proof(bytes32[] memory level, uint256 index) internal pure returns (bytes32[] memory proof) {
        while (level.length > 1) {
            uint256 sibling = index ^ 1;
            if (sibling < level.length) proof = _append(proof, level[sibling]);
            level = _levelAbove(level);
            index /= 2;
        }
    }

    function _levelAbove(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            bool alone = 2 * i + 1 == level.length;
            above[i] = alone ? level[2 * i] : _hashPair(level[2 * i], level[2 * i + 1]);
        }
    }

    function _hashPair(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return left < right ? keccak256(abi.encode(left, right)) : keccak256(abi.encode(right, left));
    }

    function _append(bytes32[] memory list, bytes32 last) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = last;
    }

    // ---------------------------------------------------------------- entries' fields

    function _batchOf(Entry memory entry) internal pure returns (uint256) {
        return EntryHead.unwrap(entry.head) >> 216;
    }

    function _indexOf(Entry memory entry) internal pure returns (uint256) {
        return uint16(EntryHead.unwrap(entry.head) >> 200);
    }

    function _merchantOf(Entry memory entry) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(entry.head) >> 168);
    }

    function _nonceOf(Entry memory entry) internal pure returns (uint48) {
        return uint48(EntryHead.unwrap(entry.head) >> 120);
    }

    function _itemOf(Entry memory entry) internal pure returns (uint16) {
        return uint16(EntryHead.unwrap(entry.head) >> 104);
    }

    function _kindOf(Entry memory entry) internal pure returns (Kind) {
        return Kind(uint8(EntryHead.unwrap(entry.head) >> 96));
    }

    function _expiryDayOf(Entry memory entry) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(entry.head) >> 64);
    }

    function _programOf(Entry memory entry) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(entry.head) >> 32);
    }

    function _agreementOf(Entry memory entry) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(entry.head));
    }

    function _pointsOf(Entry memory entry) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(entry.amounts) >> 192);
    }

    function _outOf(Entry memory entry) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(entry.amounts) >> 128);
    }

    function _settledOf(Entry memory entry) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(entry.amounts) >> 64);
    }

    function _feeOf(Entry memory entry) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(entry.amounts));
    }

    function _assertMoved(Entry memory entry, uint64 points, uint64 out, uint64 settled, uint64 fee) internal pure {
        assertEq(_pointsOf(entry), points, "points");
        assertEq(_outOf(entry), out, "out");
        assertEq(_settledOf(entry), settled, "settled");
        assertEq(_feeOf(entry), fee, "fee");
    }
}
