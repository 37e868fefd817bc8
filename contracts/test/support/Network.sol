// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Vm} from "forge-std/Vm.sol";

import {
    AgreementKind,
    AgreementTerms,
    IClearingHouse,
    Kind,
    MerchantStatus,
    ProgramTotals,
    Reason,
    Role,
    SignerChange
} from "../../interfaces/IClearingHouse.sol";
import {Entry, EntryAmounts, EntryHead, Evidence} from "../../libraries/Entries.sol";

/// @notice The numbers of an instruction in the 32 bytes in which they travel.
type LineHead is bytes32;

/// @notice An instruction as it travels.
struct Instruction {
    LineHead head;
    address member;
    bytes32 link;
    bytes32 ref;
}

/// @notice An order as it travels; `head` is its first 18 bytes.
struct Order {
    bytes18 head;
    bytes32 r;
    bytes32 vs;
    Instruction[] instructions;
}

/// @notice A small network that every test begins with, and the pen and paper of its merchants: they compute digests, pack words,
/// build Merkle trees and read events by themselves, with none of the contract's libraries.
/// @dev The contract is deployed by name, not with `new`: its code is then compiled once, not into every test contract.
abstract contract Network is Test {
    /// @dev An instruction as it is signed: field by field the EIP-712 type.
    struct Line {
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

    /// @dev An order before it is signed with `key`.
    struct Draft {
        uint32 merchant;
        uint48 nonce;
        uint40 deadline;
        bool atomic;
        Line[] lines;
        uint256 key;
    }

    /// @dev What a batch refused: an instruction, or (`item` is `WHOLE`) an order.
    struct Refusal {
        uint32 merchant;
        uint48 nonce;
        uint256 item;
        Reason reason;
        bytes32 digest;
    }

    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant LINE_TYPEHASH = keccak256(
        "Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );
    bytes32 private constant ORDER_TYPEHASH = keccak256(
        "Order(uint32 merchant,uint48 nonce,uint40 deadline,bool atomic,Instruction[] instructions)Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );
    bytes32 private constant TERMS_TYPEHASH = keccak256(
        "AgreementTerms(uint8 kind,uint8 initiators,uint16 feeBps,uint16 lifetimeDays,uint32 sourceMerchant,uint32 targetMerchant,uint32 sourceProgram,uint32 targetProgram,uint40 validFrom,uint40 validUntil,uint32 rateNum,uint32 rateDen,uint64 unitPriceMicros,uint64 maxPoints,uint64 dailyCap,uint32 supersedes,uint32 graceSeconds,bytes32 document)"
    );
    bytes32 private constant TERMINATION_TYPEHASH = keccak256("Termination(uint32 agreement,uint40 effectiveAt)");
    bytes32 private constant SIGNER_CHANGE_TYPEHASH =
        keccak256("SignerChange(uint32 merchant,address key,uint40 validFrom,uint40 validUntil,uint48 nonce)");

    uint256 internal constant WHOLE = type(uint256).max;
    uint40 internal constant FOREVER = type(uint40).max;

    // 2026-01-01 12:00 in Shanghai.
    uint256 internal constant START = 1_767_240_000;
    int32 internal constant UTC_OFFSET = 8 hours;

    uint32 internal constant OPERATOR = 0;
    uint32 internal constant GAS_STATION = 1;
    uint32 internal constant CINEMA = 2;
    uint32 internal constant SUPERMARKET = 3;
    uint32 internal constant CAR_WASH = 4; // runs no program: a pure acceptor

    // Two pages of balances: 1 to 4 and 5 to 8.
    uint32 internal constant FUEL = 1;
    uint32 internal constant CINE = 2;
    uint32 internal constant MART = 3;
    uint32 internal constant VIDEO = 4;
    uint32 internal constant FLEET = 5; // of the gas station, too
    uint32 internal constant FILM = 6; // of the cinema, too
    uint32 internal constant PROGRAMS = 6;

    uint32 internal constant FUEL_TO_CINE = 1; // 9/10, either side may start, 0.10 % fee
    uint32 internal constant CINE_TO_FUEL = 2; // 10/9, the way back
    uint32 internal constant FUEL_TO_FILM = 3; // 3/2, across pages
    uint32 internal constant FUEL_AT_CAR_WASH = 4; // the car wash starts, 0.25 % fee
    uint32 internal constant CINE_AT_GAS_STATION = 5; // the cinema starts, no fee
    uint32 internal constant FUEL_TO_FLEET = 6; // between programs of one merchant
    uint32 internal constant MART_TO_CINE = 7; // 7/5, uneven

    uint96 internal constant CREDIT = 1000e6;
    uint96 internal constant DEPOSIT = 5000e6;

    IClearingHouse internal house;
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

    /// @dev All that was ever posted, by leaf and by batch, and the head, all from events.
    mapping(bytes32 leaf => Entry) internal entryOf;
    mapping(uint40 batch => bytes32[]) internal leavesOf;
    mapping(bytes32 order => bool) private _undone;
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
        members = [ann, bob, cat];
        vm.startPrank(admin);
        house.setRole(Role.Operator, operator, true);
        house.setRole(Role.Sequencer, sequencer, true);
        house.setRole(Role.Treasury, treasury, true);
        house.setRole(Role.Pauser, pauser, true);
        vm.stopPrank();
        for (uint32 m = GAS_STATION; m <= CAR_WASH; ++m) {
            keyOf[m] = _key(m, 0);
            vm.prank(operator);
            house.registerMerchant(m, bytes32(uint256(m)), vm.addr(keyOf[m]), CREDIT);
            _deposit(m, DEPOSIT);
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

    /// @dev Through the cheatcode: the compiler takes `block.timestamp` for constant within a function, warped or not.
    function _now() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function _position(uint32 merchant) internal view returns (int256 micros) {
        (, micros,) = house.merchantOf(merchant);
    }

    // ---------------------------------------------------------------- agreements

    function _merchantOfProgram(uint32 program) internal view returns (uint32 merchant) {
        (merchant,,,) = house.programOf(program);
    }

    function _exchangeTerms(
        uint32 source,
        uint32 target,
        uint32 num,
        uint32 den,
        uint64 price,
        uint16 feeBps,
        uint8 initiators
    ) internal view returns (AgreementTerms memory t) {
        t.kind = AgreementKind.Exchange;
        t.initiators = initiators;
        t.feeBps = feeBps;
        t.lifetimeDays = 365;
        t.sourceMerchant = _merchantOfProgram(source);
        t.targetMerchant = _merchantOfProgram(target);
        t.sourceProgram = source;
        t.targetProgram = target;
        t.validFrom = uint40(_now());
        t.validUntil = uint40(_now() + 365 days);
        t.rateNum = num;
        t.rateDen = den;
        t.unitPriceMicros = price;
        t.maxPoints = 100_000;
        t.dailyCap = 250_000;
        t.document = keccak256("paper");
    }

    function _acceptanceTerms(uint32 source, uint32 acceptor, uint64 price, uint16 feeBps, uint8 initiators)
        internal
        view
        returns (AgreementTerms memory t)
    {
        t = _exchangeTerms(source, 0, 1, 1, price, feeBps, initiators);
        t.kind = AgreementKind.Acceptance;
        t.targetMerchant = acceptor;
        t.lifetimeDays = 0;
    }

    /// @dev Registers terms that both sides signed, and returns the agreement's id.
    function _register(AgreementTerms memory t) internal returns (uint32 id) {
        id = house.agreementCount() + 1;
        (bytes memory source, bytes memory target) = _signatures(t);
        vm.prank(operator);
        house.registerAgreement(id, t, source, target);
    }

    function _signatures(AgreementTerms memory t) internal view returns (bytes memory source, bytes memory target) {
        bytes32 digest = _digest(keccak256(abi.encode(TERMS_TYPEHASH, t)));
        source = _signature(keyOf[t.sourceMerchant], digest);
        target = _signature(keyOf[t.targetMerchant], digest);
    }

    function _termsDigest(AgreementTerms memory t) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(TERMS_TYPEHASH, t)));
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

    function _changeDigest(SignerChange memory c) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(SIGNER_CHANGE_TYPEHASH, c)));
    }

    /// @dev Gives `merchant` a key, or changes its window, signed with `by`.
    function _changeSigner(uint32 merchant, uint256 key, uint40 from, uint40 until, uint256 by) internal {
        SignerChange memory c = SignerChange(merchant, vm.addr(key), from, until, nextNonce[merchant]++);
        bytes32 digest = _changeDigest(c);
        house.changeSigner(c, _signature(by, digest), _signature(key, digest));
    }

    // ---------------------------------------------------------------- instructions

    function _line(Kind kind, uint32 program, address member, uint64 points) internal pure returns (Line memory l) {
        l.kind = uint8(kind);
        l.program = program;
        l.member = member;
        l.points = points;
        l.ref = keccak256(abi.encode(kind, program, member, points));
    }

    function _issue(uint32 program, address member, uint64 points) internal pure returns (Line memory) {
        return _line(Kind.Issue, program, member, points);
    }

    function _redeem(uint32 program, address member, uint64 points) internal pure returns (Line memory) {
        return _line(Kind.Redeem, program, member, points);
    }

    function _expire(uint32 program, address member, uint64 points) internal pure returns (Line memory) {
        return _line(Kind.Expire, program, member, points);
    }

    function _exchange(uint32 agreement, uint32 source, address member, uint64 points)
        internal
        pure
        returns (Line memory l)
    {
        l = _line(Kind.Exchange, source, member, points);
        l.agreement = agreement;
    }

    function _spend(uint32 agreement, uint32 source, address member, uint64 points)
        internal
        pure
        returns (Line memory l)
    {
        l = _line(Kind.Spend, source, member, points);
        l.agreement = agreement;
    }

    function _transfer(uint32 program, address member, address to, uint64 points)
        internal
        pure
        returns (Line memory l)
    {
        l = _line(Kind.Transfer, program, member, points);
        l.link = bytes32(uint256(uint160(to)));
    }

    function _reverse(Entry memory original, uint64 points) internal pure returns (Line memory l) {
        l = _line(Kind.Reverse, _programOf(original), original.member, points);
        l.link = _leaf(original);
    }

    // ---------------------------------------------------------------- orders

    function _list(Line memory a) internal pure returns (Line[] memory lines) {
        lines = new Line[](1);
        lines[0] = a;
    }

    function _list(Line memory a, Line memory b) internal pure returns (Line[] memory lines) {
        lines = new Line[](2);
        (lines[0], lines[1]) = (a, b);
    }

    function _list(Line memory a, Line memory b, Line memory c) internal pure returns (Line[] memory lines) {
        lines = new Line[](3);
        (lines[0], lines[1], lines[2]) = (a, b, c);
    }

    function _list(Draft memory a) internal pure returns (Draft[] memory drafts) {
        drafts = new Draft[](1);
        drafts[0] = a;
    }

    function _list(Draft memory a, Draft memory b) internal pure returns (Draft[] memory drafts) {
        drafts = new Draft[](2);
        (drafts[0], drafts[1]) = (a, b);
    }

    /// @dev With the merchant's next nonce, an hour's deadline and its present key.
    function _order(uint32 merchant, Line[] memory lines) internal returns (Draft memory d) {
        d.merchant = merchant;
        d.nonce = nextNonce[merchant]++;
        d.deadline = uint40(_now() + 1 hours);
        d.lines = lines;
        d.key = keyOf[merchant];
    }

    function _order(uint32 merchant, Line memory line) internal returns (Draft memory) {
        return _order(merchant, _list(line));
    }

    function _atomic(uint32 merchant, Line[] memory lines) internal returns (Draft memory d) {
        d = _order(merchant, lines);
        d.atomic = true;
    }

    function _orderDigest(Draft memory d) internal view returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](d.lines.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = keccak256(abi.encode(LINE_TYPEHASH, d.lines[i]));
        }
        bytes32 list = keccak256(abi.encodePacked(hashes));
        return _digest(keccak256(abi.encode(ORDER_TYPEHASH, d.merchant, d.nonce, d.deadline, d.atomic, list)));
    }

    function _packOrderHead(Draft memory d) internal pure returns (bytes18) {
        return bytes18(abi.encodePacked(d.merchant, d.nonce, d.deadline, d.atomic, uint16(d.lines.length)));
    }

    function _packLineHead(Line memory l, uint16 evidence) internal pure returns (LineHead) {
        bytes memory packed = abi.encodePacked(l.link != 0, l.kind, l.program, l.agreement);
        return LineHead.wrap(bytes32(abi.encodePacked(packed, l.expiryDay, l.points, l.minOut, evidence)));
    }

    /// @dev The bytes in which orders travel.
    function _pack(Order[] memory orders) internal pure returns (bytes memory packed) {
        for (uint256 i = 0; i < orders.length; ++i) {
            packed = bytes.concat(packed, _pack(orders[i]));
        }
    }

    function _pack(Order memory o) internal pure returns (bytes memory) {
        return abi.encodePacked(o.head, o.r, o.vs, _pack(o.instructions));
    }

    function _pack(Instruction[] memory instructions) internal pure returns (bytes memory packed) {
        for (uint256 i = 0; i < instructions.length; ++i) {
            Instruction memory line = instructions[i];
            packed = abi.encodePacked(packed, LineHead.unwrap(line.head), line.member, line.ref);
            if (line.link != 0) packed = bytes.concat(packed, line.link);
        }
    }

    /// @dev Signs and packs; `evidence[i]` is the evidence slot of line `i`, where there is one.
    function _sign(Draft memory d, uint16[] memory evidence) internal view returns (Order memory o) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(d.key, _orderDigest(d));
        o.head = _packOrderHead(d);
        o.r = r;
        o.vs = bytes32(uint256(s) | uint256(v - 27) << 255);
        o.instructions = new Instruction[](d.lines.length);
        for (uint256 i = 0; i < d.lines.length; ++i) {
            Line memory l = d.lines[i];
            uint16 slot = i < evidence.length ? evidence[i] : 0;
            o.instructions[i] = Instruction(_packLineHead(l, slot), l.member, l.link, l.ref);
        }
    }

    function _sign(Draft memory d) internal view returns (Order memory) {
        return _sign(d, new uint16[](0));
    }

    /// @dev Signs all drafts and adds the evidence for every reversal of an entry that was posted.
    function _sign(Draft[] memory drafts) internal view returns (Order[] memory orders, Evidence[] memory evidence) {
        uint256 proofs;
        for (uint256 d = 0; d < drafts.length; ++d) {
            for (uint256 i = 0; i < drafts[d].lines.length; ++i) {
                if (_isProvable(drafts[d].lines[i])) ++proofs;
            }
        }
        orders = new Order[](drafts.length);
        evidence = new Evidence[](proofs);
        proofs = 0;
        for (uint256 d = 0; d < drafts.length; ++d) {
            uint16[] memory slots = new uint16[](drafts[d].lines.length);
            for (uint256 i = 0; i < slots.length; ++i) {
                if (!_isProvable(drafts[d].lines[i])) {
                    slots[i] = type(uint16).max;
                    continue;
                }
                slots[i] = uint16(proofs);
                evidence[proofs++] = _evidence(drafts[d].lines[i].link);
            }
            orders[d] = _sign(drafts[d], slots);
        }
    }

    function _isProvable(Line memory l) private view returns (bool) {
        return l.kind == uint8(Kind.Reverse) && entryOf[l.link].member != address(0);
    }

    // ---------------------------------------------------------------- execution

    function _execute(Draft memory d) internal {
        _execute(_list(d));
    }

    function _execute(Draft[] memory drafts) internal {
        (Order[] memory orders, Evidence[] memory evidence) = _sign(drafts);
        _execute(orders, evidence);
    }

    function _execute(Order[] memory orders, Evidence[] memory evidence) internal {
        vm.recordLogs();
        vm.prank(sequencer);
        house.execute(_pack(orders), evidence);
        _read(vm.getRecordedLogs());
    }

    function _execute(Order memory order) internal {
        Order[] memory orders = new Order[](1);
        orders[0] = order;
        _execute(orders, new Evidence[](0));
    }

    /// @dev An order of one instruction that must be accepted; returns its entry.
    function _accept(uint32 merchant, Line memory line) internal returns (Entry memory) {
        _execute(_order(merchant, line));
        assertEq(refusals.length, 0, "refused");
        assertEq(posted.length, 1, "one entry");
        return posted[0];
    }

    /// @dev An order of one instruction that must be refused for `reason` and change nothing but the journal and its nonce.
    function _refuse(uint32 merchant, Line memory line, Reason reason) internal {
        Draft memory d = _order(merchant, line);
        _refuse(d, reason);
        assertTrue(house.nonceUsed(merchant, d.nonce), "an admitted order uses its nonce");
    }

    function _refuse(Draft memory d, Reason reason) internal {
        _executeWithoutEffect(d, 3);
        assertEq(refusals.length, 1, "one refusal");
        assertEq(refusals[0].merchant, d.merchant, "merchant");
        assertEq(refusals[0].nonce, d.nonce, "nonce");
        assertEq(refusals[0].item, 0, "item");
        assertEq(uint256(refusals[0].reason), uint256(reason), "reason");
    }

    /// @dev An order that must be refused as a whole, before its nonce is used.
    function _refuseOrder(Draft memory d, Reason reason) internal {
        bool used = house.nonceUsed(d.merchant, d.nonce);
        _executeWithoutEffect(d, 2);
        _assertOrderRefusal(0, d, reason);
        assertEq(refusals.length, 1, "one refusal");
        assertEq(house.nonceUsed(d.merchant, d.nonce), used, "nonce");
    }

    function _assertOrderRefusal(uint256 i, Draft memory d, Reason reason) internal view {
        assertEq(refusals[i].merchant, d.merchant, "merchant");
        assertEq(refusals[i].nonce, d.nonce, "nonce");
        assertEq(refusals[i].item, WHOLE, "the whole order");
        assertEq(uint256(refusals[i].reason), uint256(reason), "reason");
        assertEq(refusals[i].digest, _orderDigest(d), "digest");
    }

    /// @dev Executes a batch of which nothing may be accepted. Nothing that can be asked may change, and at most `slots` words of
    /// storage: the journal's two, and the word of an admitted order's nonce.
    function _executeWithoutEffect(Draft memory d, uint256 slots) internal {
        bytes32 before = _books();
        vm.startStateDiffRecording();
        _execute(d);
        uint256 changed = _changedSlots(vm.stopAndReturnStateDiff());
        assertEq(_books(), before, "the books changed");
        assertLe(changed, slots, "some storage changed");
        assertEq(posted.length, 0, "an entry was posted");
    }

    /// @dev How many words of the clearing house's storage have another value now.
    function _changedSlots(Vm.AccountAccess[] memory accesses) internal view returns (uint256 changed) {
        bytes32[] memory seen = new bytes32[](256);
        uint256 count;
        for (uint256 a = 0; a < accesses.length; ++a) {
            Vm.StorageAccess[] memory s = accesses[a].storageAccesses;
            for (uint256 i = 0; i < s.length; ++i) {
                if (s[i].account != address(house) || !s[i].isWrite || _contains(seen, count, s[i].slot)) continue;
                seen[count++] = s[i].slot;
                if (vm.load(address(house), s[i].slot) != s[i].previousValue) ++changed;
            }
        }
    }

    function _contains(bytes32[] memory list, uint256 count, bytes32 value) private pure returns (bool) {
        for (uint256 i = 0; i < count; ++i) {
            if (list[i] == value) return true;
        }
        return false;
    }

    /// @dev Everything that an instruction may change, as one hash.
    function _books() internal view returns (bytes32 books) {
        for (uint32 p = 1; p <= house.programCount(); ++p) {
            books = keccak256(abi.encode(books, house.totalsOf(p), house.totalSupply(p)));
            for (uint256 m = 0; m < members.length; ++m) {
                books = keccak256(abi.encode(books, house.balanceOf(members[m], p)));
            }
        }
        for (uint32 m = 0; m < house.merchantCount(); ++m) {
            (MerchantStatus status, int96 position, uint96 limit) = house.merchantOf(m);
            books = keccak256(abi.encode(books, status, position, limit));
        }
        for (uint32 a = 1; a <= house.agreementCount(); ++a) {
            books = keccak256(abi.encode(books, house.usedToday(a), house.agreementOf(a)));
        }
        for (uint40 b = 1; b <= closedBatches; ++b) {
            for (uint256 i = 0; i < leavesOf[b].length; ++i) {
                books = keccak256(abi.encode(books, house.reversedOf(leavesOf[b][i])));
            }
        }
        books = keccak256(abi.encode(books, house.settlementFunds()));
    }

    // ---------------------------------------------------------------- the journal, read from events

    /// @dev Reads what a batch's events say, rebuilds root and head from them, and compares.
    function _read(Vm.Log[] memory logs) internal {
        delete posted;
        delete refusals;
        uint40 batch = closedBatches + 1;
        bool closed;
        _findUndone(logs);
        for (uint256 i = 0; i < logs.length; ++i) {
            assertFalse(closed, "nothing follows the end of a batch");
            bytes32 topic = logs[i].topics[0];
            if (topic == IClearingHouse.EntryPosted.selector) {
                _readEntry(logs[i], batch, 0);
            } else if (topic == IClearingHouse.LinkedEntryPosted.selector) {
                assertTrue(logs[i].topics[2] != 0, "a linked entry has a link");
                _readEntry(logs[i], batch, logs[i].topics[2]);
            } else if (topic == IClearingHouse.InstructionRejected.selector) {
                (uint16 item, Reason reason) = abi.decode(logs[i].data, (uint16, Reason));
                _readRefusal(logs[i], item, reason, 0);
            } else if (topic == IClearingHouse.OrderRejected.selector) {
                (bytes32 digest, Reason reason) = abi.decode(logs[i].data, (bytes32, Reason));
                _readRefusal(logs[i], WHOLE, reason, digest);
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

    /// @dev Forge records the events of frames that were undone, too. They are those of the atomic orders that failed.
    function _findUndone(Vm.Log[] memory logs) private {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IClearingHouse.OrderRejected.selector) continue;
            (, Reason reason) = abi.decode(logs[i].data, (bytes32, Reason));
            bytes32 order = keccak256(abi.encode(logs[i].topics[1], logs[i].topics[2]));
            if (reason == Reason.AtomicFailed) _undone[order] = true;
        }
    }

    function _readEntry(Vm.Log memory log, uint40 batch, bytes32 link) private {
        (uint256 head, uint256 amounts, bytes32 ref) = abi.decode(log.data, (uint256, uint256, bytes32));
        address member = address(uint160(uint256(log.topics[1])));
        Entry memory e = Entry(member, EntryHead.wrap(head), EntryAmounts.wrap(amounts), ref, link);
        if (_undone[keccak256(abi.encode(_merchantOf(e), _nonceOf(e)))]) return;
        assertEq(_batchOf(e), batch, "an entry knows its batch");
        assertEq(_indexOf(e), posted.length, "an entry knows its place");
        bytes32 leaf = _leaf(e);
        assertEq(entryOf[leaf].member, address(0), "a leaf is unique");
        posted.push(e);
        entryOf[leaf] = e;
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

    function _leaf(Entry memory e) internal pure returns (bytes32) {
        return keccak256(abi.encode(e.member, e.head, e.amounts, e.ref, e.link));
    }

    function _evidence(bytes32 leaf) internal view returns (Evidence memory) {
        Entry memory e = entryOf[leaf];
        return Evidence(e, _proof(leavesOf[uint40(_batchOf(e))], _indexOf(e)));
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

    function _hashPair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function _append(bytes32[] memory list, bytes32 last) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = last;
    }

    // ---------------------------------------------------------------- entries' fields

    function _batchOf(Entry memory e) internal pure returns (uint256) {
        return EntryHead.unwrap(e.head) >> 216;
    }

    function _indexOf(Entry memory e) internal pure returns (uint256) {
        return uint16(EntryHead.unwrap(e.head) >> 200);
    }

    function _merchantOf(Entry memory e) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(e.head) >> 168);
    }

    function _nonceOf(Entry memory e) internal pure returns (uint48) {
        return uint48(EntryHead.unwrap(e.head) >> 120);
    }

    function _itemOf(Entry memory e) internal pure returns (uint16) {
        return uint16(EntryHead.unwrap(e.head) >> 104);
    }

    function _kindOf(Entry memory e) internal pure returns (Kind) {
        return Kind(uint8(EntryHead.unwrap(e.head) >> 96));
    }

    function _expiryDayOf(Entry memory e) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(e.head) >> 64);
    }

    function _programOf(Entry memory e) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(e.head) >> 32);
    }

    function _agreementOf(Entry memory e) internal pure returns (uint32) {
        return uint32(EntryHead.unwrap(e.head));
    }

    function _pointsOf(Entry memory e) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(e.amounts) >> 192);
    }

    function _outOf(Entry memory e) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(e.amounts) >> 128);
    }

    function _settledOf(Entry memory e) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(e.amounts) >> 64);
    }

    function _feeOf(Entry memory e) internal pure returns (uint64) {
        return uint64(EntryAmounts.unwrap(e.amounts));
    }

    function _assertMoved(Entry memory e, uint64 points, uint64 out, uint64 settled, uint64 fee) internal pure {
        assertEq(_pointsOf(e), points, "points");
        assertEq(_outOf(e), out, "out");
        assertEq(_settledOf(e), settled, "settled");
        assertEq(_feeOf(e), fee, "fee");
    }
}
