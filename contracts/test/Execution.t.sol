// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {
    AgreementTerms,
    Entry,
    Evidence,
    IClearingHouse,
    Kind,
    MerchantStatus,
    Reason,
    Role
} from "../interfaces/IClearingHouse.sol";
import {Network, PackedOrder} from "./support/Network.sol";

/// @notice Orders and every kind of instruction except reversals: what they do, and every reason to refuse them.
contract ExecutionTest is Network {
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function setUp() public override {
        super.setUp();
        _accept(GAS_STATION, _issue(FUEL, ann, 300_000));
    }

    // ---------------------------------------------------------------- orders

    function test_DigestIsTheTypedDataDigestOfTheReadableOrder() public {
        Instruction memory instruction = _exchange(FUEL_TO_CINE, FUEL, ann, 111);
        (instruction.minOut, instruction.expiryDay, instruction.link) = (99, 12_345, keccak256("link"));
        OrderDraft memory draft = _atomic(GAS_STATION, _list(instruction, _issue(FLEET, bob, type(uint64).max)));
        uint16[] memory evidenceIndexes = new uint16[](2);
        assertEq(lens.digestOf(_pack(_sign(draft, evidenceIndexes))), _orderDigest(draft));
        (evidenceIndexes[0], evidenceIndexes[1]) = (7, type(uint16).max);
        assertEq(
            lens.digestOf(_pack(_sign(draft, evidenceIndexes))),
            _orderDigest(draft),
            "evidence evidenceIndexes are not signed"
        );
    }

    function test_OrderSignedByAnotherMerchantIsRefused() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        draft.key = keyOf[CINEMA];
        _refuseOrder(draft, Reason.UnknownSigner);
    }

    /// @dev Two chains that part have the same contract and the same keys. An order of one is nothing on the other.
    function test_OrderFromBeforeTheChainForkedIsRefused() public {
        PackedOrder memory before = _sign(_order(GAS_STATION, _issue(FUEL, ann, 1)));
        vm.chainId(block.chainid + 1);
        _execute(before);
        assertEq(uint256(refusals[0].reason), uint256(Reason.UnknownSigner));
        assertEq(posted.length, 0);
        _accept(GAS_STATION, _issue(FUEL, ann, 1));
    }

    function test_OrderForTheOperatorWithoutKeyIsRefused() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        draft.merchant = OPERATOR;
        _refuseOrder(draft, Reason.UnknownSigner);
    }

    function test_ChangedOrderIsRefused() public {
        PackedOrder memory order = _sign(_order(GAS_STATION, _issue(FUEL, ann, 1)));
        order.instructions[0].member = bob;
        _execute(order);
        assertEq(uint256(refusals[0].reason), uint256(Reason.UnknownSigner));
        assertEq(lens.balanceOf(bob, FUEL), 0);
    }

    function test_WhatIsNoSignatureIsRefusedEvenForTheOperator() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        draft.merchant = OPERATOR;
        PackedOrder memory order = _sign(draft);
        (order.r, order.vs) = (0, 0);
        _execute(order);
        _assertOrderRefusal(0, draft, Reason.UnknownSigner);
    }

    function test_MirroredSignatureIsRefused() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        PackedOrder memory order = _sign(draft);
        uint256 s = uint256(order.vs) << 1 >> 1;
        order.vs = bytes32((CURVE_ORDER - s) ^ (uint256(order.vs) ^ s ^ 1 << 255));
        _execute(order);
        _assertOrderRefusal(0, draft, Reason.UnknownSigner);
        assertFalse(lens.nonceUsed(GAS_STATION, draft.nonce));
    }

    function test_HighestHalfOfSignaturesThatFitIsRefused() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        PackedOrder memory order = _sign(draft);
        order.vs = bytes32(uint256(type(int256).max)); // `s` is above half the curve's order
        _execute(order);
        _assertOrderRefusal(0, draft, Reason.UnknownSigner);
    }

    /// @dev Of the two values of `s` that make a good signature, only the smaller one is accepted, even where the larger one fits into
    /// a compact signature. Such a value is chosen here, and the key computed that signs with it.
    function test_LargerOfTwoSignaturesIsRefusedEvenIfItFits() public {
        uint256 half = CURVE_ORDER / 2;
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        _execute(_signWith(draft, half));
        assertEq(posted.length, 1, "half of the curve's order is not too large");
        draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        _execute(_signWith(draft, half + 1));
        _assertOrderRefusal(0, draft, Reason.UnknownSigner);
    }

    /// @dev Chooses `s` and takes the curve's generator as the signature's point; then solves `s = digest + r * key` for the key, and
    /// gives it to the merchant.
    function _signWith(OrderDraft memory draft, uint256 s) private returns (PackedOrder memory order) {
        uint256 r = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798;
        uint256 difference = addmod(s, CURVE_ORDER - uint256(_orderDigest(draft)) % CURVE_ORDER, CURVE_ORDER);
        uint256 key = mulmod(difference, Math.invModPrime(r, CURVE_ORDER), CURVE_ORDER);
        vm.prank(admin);
        house.recoverSigner(draft.merchant, vm.addr(key));
        order = _sign(draft);
        (order.r, order.vs) = (bytes32(r), bytes32(s)); // the generator's other coordinate is even
    }

    /// @dev The precompile gives no key for a bad signature. No number may take its place.
    function test_WhatIsNoSignatureIsNobodys() public {
        vm.prank(admin);
        house.recoverSigner(GAS_STATION, address(1));
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        PackedOrder memory order = _sign(draft);
        (order.r, order.vs) = (0, 0);
        _execute(order);
        _assertOrderRefusal(0, draft, Reason.UnknownSigner);
    }

    function test_OrderIsGoodUpToItsDeadlineAndNoLonger() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        draft.deadline = uint40(_now());
        _execute(draft);
        assertEq(posted.length, 1);
        draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        draft.deadline = uint40(_now() - 1);
        _refuseOrder(draft, Reason.DeadlinePassed);
    }

    function test_OrderIsExecutedOnce() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        _execute(draft);
        _refuseOrder(draft, Reason.NonceUsed);
        _execute(_list(draft, draft));
        assertEq(refusals.length, 2);
    }

    function test_OrderTwiceInABatchIsExecutedOnce() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, bob, 1));
        _execute(_list(draft, draft));
        assertEq(posted.length, 1);
        _assertOrderRefusal(0, draft, Reason.NonceUsed);
        assertEq(lens.balanceOf(bob, FUEL), 1);
    }

    function test_NonceOfARefusedOrderStaysFree() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, bob, 1));
        (draft.deadline, draft.key) = (uint40(_now() - 1), keyOf[GAS_STATION]);
        _refuseOrder(draft, Reason.DeadlinePassed);
        draft.deadline = uint40(_now());
        _execute(draft);
        assertEq(posted.length, 1);
    }

    function test_NoncesComeInAnyOrderUpToTheLast() public {
        uint48[5] memory nonces = [type(uint48).max, 0, 256, 255, 1 << 40];
        for (uint256 i = 0; i < nonces.length; ++i) {
            OrderDraft memory draft = _order(CINEMA, _issue(CINE, bob, 1));
            draft.nonce = nonces[i];
            assertFalse(lens.nonceUsed(CINEMA, nonces[i]));
            _execute(draft);
            assertEq(posted.length, 1);
            assertEq(_nonceOf(posted[0]), nonces[i]);
            assertTrue(lens.nonceUsed(CINEMA, nonces[i]));
            _refuseOrder(draft, Reason.NonceUsed);
        }
        assertFalse(lens.nonceUsed(CINEMA, 257));
        assertFalse(lens.nonceUsed(SUPERMARKET, type(uint48).max), "nonces are each merchant's own");
    }

    function test_ClosedMerchantsOrdersAreRefused() public {
        _setStatus(GAS_STATION, MerchantStatus.Closed);
        _refuseOrder(_order(GAS_STATION, _redeem(FUEL, ann, 1)), Reason.MerchantClosed);
    }

    /// @dev Otherwise it would use up a nonce that no event names, and nobody could rebuild the state from the events.
    function test_OrderWithoutInstructionsIsRefusedAndUsesNoNonce() public {
        OrderDraft memory draft = _order(GAS_STATION, new Instruction[](0));
        _refuseOrder(draft, Reason.EmptyOrder);
        assertFalse(lens.nonceUsed(GAS_STATION, draft.nonce));
    }

    function test_RefusedInstructionDoesNotStopTheOthers() public {
        Instruction[] memory instructions = _list(_issue(FUEL, bob, 5), _redeem(FUEL, bob, 6), _redeem(FUEL, bob, 5));
        OrderDraft memory draft = _order(GAS_STATION, instructions);
        _execute(draft);
        assertEq(posted.length, 2);
        assertEq(_itemOf(posted[1]), 2);
        assertEq(refusals.length, 1);
        assertEq(refusals[0].item, 1);
        assertEq(uint256(refusals[0].reason), uint256(Reason.InsufficientPoints));
        assertEq(lens.balanceOf(bob, FUEL), 0);
    }

    function test_EntrySaysWhatWasAskedAndWhereItStands() public {
        OrderDraft[] memory drafts = _list(
            _order(GAS_STATION, _list(_issue(FUEL, bob, 5), _issue(FLEET, bob, 7))),
            _order(SUPERMARKET, _list(_redeem(MART, bob, 1), _issue(VIDEO, cat, 9)))
        );
        _execute(drafts);
        Entry memory entry = posted[2];
        assertEq(entry.member, cat);
        assertEq(entry.ref, drafts[1].instructions[1].ref);
        assertEq(entry.link, 0);
        assertEq(_batchOf(entry), closedBatches);
        assertEq(_indexOf(entry), 2);
        assertEq(_merchantOf(entry), SUPERMARKET);
        assertEq(_nonceOf(entry), drafts[1].nonce);
        assertEq(_itemOf(entry), 1);
        assertEq(uint256(_kindOf(entry)), uint256(Kind.Issue));
        assertEq(_programOf(entry), VIDEO);
        assertEq(_agreementOf(entry), 0);
        _assertMoved(entry, 9, 0, 0, 0);
    }

    /// @dev The hashes of a long order's instructions lie in memory that nobody has cleaned when the agreement's copy is made there. Each of
    /// them ends like the note that says that the car wash has been checked.
    function test_MemoryThatWasUsedBeforeGivesNobodyARight() public {
        Instruction[] memory instructions = new Instruction[](24);
        for (uint256 i = 0; i < instructions.length; ++i) {
            instructions[i] = _exchange(FUEL_TO_CINE, FUEL, ann, 10);
            for (uint256 ref = 0; uint8(uint256(_hash(instructions[i]))) != CAR_WASH + 1; ++ref) {
                instructions[i].ref = bytes32(ref);
            }
        }
        _execute(_order(CAR_WASH, instructions));
        assertEq(posted.length, 0);
        for (uint256 i = 0; i < instructions.length; ++i) {
            assertEq(uint256(refusals[i].reason), uint256(Reason.NotInitiator));
        }
        _execute(_order(GAS_STATION, instructions));
        assertEq(posted.length, instructions.length);
    }

    // ---------------------------------------------------------------- any instruction

    function test_UnknownKindsAreRefused() public {
        Instruction memory instruction = _issue(FUEL, ann, 1);
        uint8[3] memory kinds = [uint8(0), 8, 255];
        for (uint256 i = 0; i < kinds.length; ++i) {
            instruction.kind = kinds[i];
            _refuse(GAS_STATION, instruction, Reason.UnknownKind);
        }
    }

    function test_NoPointsAreRefusedForEveryKind() public {
        for (uint8 kind = 0; kind <= 8; ++kind) {
            Instruction memory instruction = _instruction(Kind.Issue, FUEL, ann, 0);
            instruction.kind = kind;
            _refuse(GAS_STATION, instruction, Reason.ZeroPoints);
        }
    }

    function test_NoMemberIsRefusedForEveryKind() public {
        for (uint8 kind = 0; kind <= 8; ++kind) {
            Instruction memory instruction = _instruction(Kind.Issue, FUEL, address(0), 1);
            instruction.kind = kind;
            _refuse(GAS_STATION, instruction, Reason.ZeroMember);
        }
    }

    function test_OnlyTheProgramsMerchantMovesItsPoints() public {
        _refuse(CINEMA, _issue(FUEL, ann, 1), Reason.NotProgramMerchant);
        _refuse(CINEMA, _redeem(FUEL, ann, 1), Reason.NotProgramMerchant);
        _refuse(CINEMA, _expire(FUEL, ann, 1), Reason.NotProgramMerchant);
        _refuse(CINEMA, _transfer(FUEL, ann, bob, 1), Reason.NotProgramMerchant);
    }

    function test_UnknownProgramsAreNobodys() public {
        uint32[3] memory unknown = [0, PROGRAMS + 1, type(uint32).max];
        for (uint256 i = 0; i < unknown.length; ++i) {
            _refuse(GAS_STATION, _issue(unknown[i], ann, 1), Reason.NotProgramMerchant);
            _refuse(GAS_STATION, _redeem(unknown[i], ann, 1), Reason.NotProgramMerchant);
            _refuse(GAS_STATION, _expire(unknown[i], ann, 1), Reason.NotProgramMerchant);
            _refuse(GAS_STATION, _transfer(unknown[i], ann, bob, 1), Reason.NotProgramMerchant);
        }
    }

    function test_NothingMovesInAPausedProgram() public {
        _setPaused(FUEL, true);
        _refuse(GAS_STATION, _issue(FUEL, ann, 1), Reason.ProgramPaused);
        _refuse(GAS_STATION, _redeem(FUEL, ann, 1), Reason.ProgramPaused);
        _refuse(GAS_STATION, _expire(FUEL, ann, 1), Reason.ProgramPaused);
        _refuse(GAS_STATION, _transfer(FUEL, ann, bob, 1), Reason.ProgramPaused);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.ProgramPaused);
        _refuse(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 1), Reason.ProgramPaused);
        _refuse(CINEMA, _exchange(CINE_TO_FUEL, CINE, ann, 9), Reason.ProgramPaused);
        _setPaused(FUEL, false);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
    }

    function test_SuspendedMerchantOnlyRedeemsAndExpires() public {
        _accept(CINEMA, _issue(CINE, ann, 100));
        _setStatus(GAS_STATION, MerchantStatus.Suspended);
        _refuse(GAS_STATION, _issue(FUEL, ann, 1), Reason.MerchantSuspended);
        _refuse(GAS_STATION, _transfer(FUEL, ann, bob, 1), Reason.MerchantSuspended);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.MerchantSuspended);
        _setStatus(CINEMA, MerchantStatus.Suspended);
        _refuse(CINEMA, _spend(CINE_AT_GAS_STATION, CINE, ann, 1), Reason.MerchantSuspended);
        _accept(GAS_STATION, _redeem(FUEL, ann, 1));
        _accept(GAS_STATION, _expire(FUEL, ann, 1));
        _setStatus(GAS_STATION, MerchantStatus.Active);
        _accept(GAS_STATION, _issue(FUEL, ann, 1));
    }

    function test_MorePointsThanThereAreAreRefused() public {
        _accept(GAS_STATION, _issue(FUEL, bob, 10));
        _refuse(GAS_STATION, _redeem(FUEL, bob, 11), Reason.InsufficientPoints);
        _refuse(GAS_STATION, _expire(FUEL, bob, 11), Reason.InsufficientPoints);
        _refuse(GAS_STATION, _transfer(FUEL, bob, ann, 11), Reason.InsufficientPoints);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, bob, 12), Reason.InsufficientPoints);
        _refuse(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, bob, 11), Reason.InsufficientPoints);
        _refuse(GAS_STATION, _redeem(FUEL, cat, type(uint64).max), Reason.InsufficientPoints);
    }

    // ---------------------------------------------------------------- issue

    function test_IssueCreatesPoints() public {
        Instruction memory instruction = _issue(FLEET, bob, 250);
        instruction.expiryDay = house.today() + 1;
        Entry memory entry = _accept(GAS_STATION, instruction);
        assertEq(_expiryDayOf(entry), instruction.expiryDay);
        _assertMoved(entry, 250, 0, 0, 0);
        assertEq(lens.balanceOf(bob, FLEET), 250);
        assertEq(lens.totalSupply(FLEET), 250);
        assertEq(lens.totalsOf(FLEET).issued, 250);
    }

    function test_IssueThatHasExpiredIsRefused() public {
        Instruction memory instruction = _issue(FUEL, ann, 1);
        instruction.expiryDay = house.today();
        _refuse(GAS_STATION, instruction, Reason.AlreadyExpired);
        instruction.expiryDay = 1;
        _refuse(GAS_STATION, instruction, Reason.AlreadyExpired);
        instruction.expiryDay = type(uint32).max;
        assertEq(_expiryDayOf(_accept(GAS_STATION, instruction)), type(uint32).max);
    }

    function test_RunOfIssuesEndsWithItsOrder() public {
        _execute(_list(_order(GAS_STATION, _issue(FUEL, bob, 5)), _order(CINEMA, _issue(FUEL, bob, 7))));
        assertEq(posted.length, 1);
        assertEq(uint256(refusals[0].reason), uint256(Reason.NotProgramMerchant));
        assertEq(lens.balanceOf(bob, FUEL), 5);
        assertEq(lens.totalSupply(FUEL), 300_005);
    }

    function test_ProgramMintsAtMost64BitsInItsLife() public {
        _accept(SUPERMARKET, _issue(MART, ann, type(uint64).max - 1));
        _accept(SUPERMARKET, _issue(MART, bob, 1));
        _refuse(SUPERMARKET, _issue(MART, ann, 1), Reason.SupplyOverflow);
        _refuse(SUPERMARKET, _issue(MART, ann, type(uint64).max), Reason.SupplyOverflow);
        _accept(SUPERMARKET, _redeem(MART, ann, type(uint64).max - 1));
        assertEq(lens.totalSupply(MART), 1);
        _refuse(SUPERMARKET, _issue(MART, ann, 1), Reason.SupplyOverflow);
    }

    function test_FullBalancesDoNotSpillIntoTheirNeighbours() public {
        _accept(CINEMA, _issue(CINE, ann, type(uint64).max));
        _accept(SUPERMARKET, _issue(MART, ann, 3));
        assertEq(lens.balanceOf(ann, FUEL), 300_000);
        assertEq(lens.balanceOf(ann, CINE), type(uint64).max);
        assertEq(lens.balanceOf(ann, MART), 3);
        assertEq(lens.balanceOf(ann, VIDEO), 0);
        assertEq(lens.balanceOf(ann, FLEET), 0);
        _accept(CINEMA, _redeem(CINE, ann, type(uint64).max));
        assertEq(lens.balanceOf(ann, FUEL), 300_000);
        assertEq(lens.balanceOf(ann, MART), 3);
    }

    // ---------------------------------------------------------------- redeem and expire

    function test_RedeemBurnsPointsAtTheirOwnMerchant() public {
        _assertMoved(_accept(GAS_STATION, _redeem(FUEL, ann, 300_000)), 300_000, 0, 0, 0);
        assertEq(lens.balanceOf(ann, FUEL), 0);
        assertEq(lens.totalSupply(FUEL), 0);
        assertEq(lens.totalsOf(FUEL).redeemed, 300_000);
        assertEq(_position(GAS_STATION), int96(DEPOSIT), "nobody pays for it");
    }

    function test_ExpireBurnsPointsWhoseTimeIsOver() public {
        _assertMoved(_accept(GAS_STATION, _expire(FUEL, ann, 12)), 12, 0, 0, 0);
        assertEq(lens.balanceOf(ann, FUEL), 299_988);
        assertEq(lens.totalsOf(FUEL).expired, 12);
        assertEq(lens.totalsOf(FUEL).redeemed, 0);
    }

    // ---------------------------------------------------------------- transfer

    function test_TransferMovesPointsBetweenMembers() public {
        Entry memory entry = _accept(GAS_STATION, _transfer(FUEL, ann, bob, 1000));
        assertEq(entry.link, bytes32(uint256(uint160(bob))));
        assertEq(lens.balanceOf(ann, FUEL), 299_000);
        assertEq(lens.balanceOf(bob, FUEL), 1000);
        assertEq(lens.totalSupply(FUEL), 300_000);
    }

    function test_TransferNeedsAnotherMember() public {
        _refuse(GAS_STATION, _transfer(FUEL, ann, address(0), 1), Reason.BadRecipient);
        _refuse(GAS_STATION, _transfer(FUEL, ann, ann, 1), Reason.BadRecipient);
        Instruction memory instruction = _transfer(FUEL, ann, bob, 1);
        instruction.link |= bytes32(uint256(1) << 160);
        _refuse(GAS_STATION, instruction, Reason.BadRecipient);
        _accept(GAS_STATION, _transfer(FUEL, ann, address(type(uint160).max), 1));
    }

    // ---------------------------------------------------------------- exchange

    function test_ExchangeBurnsMintsAndPaysAtOnce() public {
        Entry memory entry = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 111));
        _assertMoved(entry, 110, 99, 990_000, 990); // the point that buys nothing stays with the member
        assertEq(_agreementOf(entry), FUEL_TO_CINE);
        assertEq(_expiryDayOf(entry), house.today() + 365);
        assertEq(lens.balanceOf(ann, FUEL), 299_890);
        assertEq(lens.balanceOf(ann, CINE), 99);
        assertEq(lens.totalsOf(FUEL).exchangedOut, 110);
        assertEq(lens.totalsOf(CINE).exchangedIn, 99);
        assertEq(lens.usedToday(FUEL_TO_CINE), 110);
        assertEq(_position(GAS_STATION), int96(DEPOSIT) - 990_990);
        assertEq(_position(CINEMA), int96(DEPOSIT) + 990_000);
        assertEq(_position(OPERATOR), 990);
    }

    function test_ExchangeReachesAcrossPages() public {
        _assertMoved(_accept(GAS_STATION, _exchange(FUEL_TO_FILM, FUEL, ann, 7)), 7, 10, 60_000, 198);
        assertEq(lens.balanceOf(ann, FUEL), 299_993);
        assertEq(lens.balanceOf(ann, FILM), 10);
    }

    function test_PointsOfAnAgreementWithoutLifetimeNeverExpire() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 0, 1);
        terms.lifetimeDays = 0;
        assertEq(_expiryDayOf(_accept(GAS_STATION, _exchange(_register(terms), FUEL, ann, 1))), 0);
    }

    function test_ExchangeAtOneMerchantCostsItOnlyTheFee() public {
        _assertMoved(_accept(GAS_STATION, _exchange(FUEL_TO_FLEET, FUEL, ann, 10)), 10, 10, 90_000, 450);
        assertEq(_position(GAS_STATION), int96(DEPOSIT) - 450);
        assertEq(_position(OPERATOR), 450);
        assertEq(lens.balanceOf(ann, FLEET), 10);
    }

    function test_FeeRoundsUp() public {
        _assertMoved(_accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 2)), 2, 1, 10_000, 10);
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 1, 1);
        _assertMoved(_accept(GAS_STATION, _exchange(_register(terms), FUEL, ann, 1)), 1, 1, 1, 1);
    }

    function test_OperatorCanBeTheAcceptorAndPaysItsFeeToItself() public {
        vm.prank(admin);
        house.recoverSigner(OPERATOR, vm.addr(_key(OPERATOR, 0)));
        keyOf[OPERATOR] = _key(OPERATOR, 0);
        uint32 id = _register(_acceptanceTerms(FUEL, OPERATOR, 100, 100, 3));
        _assertMoved(_accept(OPERATOR, _spend(id, FUEL, ann, 10)), 10, 0, 1000, 10);
        assertEq(_position(OPERATOR), 1010);
    }

    /// @dev The operator is paid its fees once a batch, but earlier if it needs them.
    function test_OperatorPaysWithTheFeesOfTheSameBatch() public {
        vm.prank(admin);
        house.recoverSigner(OPERATOR, vm.addr(_key(OPERATOR, 0)));
        keyOf[OPERATOR] = _key(OPERATOR, 0);
        uint32 operatorProgram = _openProgram(OPERATOR, "HOUSE", "");
        uint32 id = _register(_acceptanceTerms(operatorProgram, CINEMA, 450, 0, 1));
        _accept(OPERATOR, _issue(operatorProgram, ann, 2));
        OrderDraft memory earning = _order(GAS_STATION, _exchange(FUEL_TO_FLEET, FUEL, ann, 10)); // a fee of 450
        OrderDraft memory spending =
            _order(OPERATOR, _list(_spend(id, operatorProgram, ann, 1), _spend(id, operatorProgram, ann, 1)));
        _execute(_list(earning, spending));
        assertEq(posted.length, 2);
        assertEq(refusals.length, 1);
        assertEq(refusals[0].item, 1);
        assertEq(uint256(refusals[0].reason), uint256(Reason.InsufficientLiquidity));
        assertEq(_position(OPERATOR), 0);
        assertEq(_position(CINEMA), int96(DEPOSIT) + 450);

        earning = _order(GAS_STATION, _exchange(FUEL_TO_FLEET, FUEL, ann, 10));
        spending = _atomic(OPERATOR, _list(_spend(id, operatorProgram, ann, 1)));
        _execute(_list(earning, spending));
        assertEq(posted.length, 2, "nor is an atomic order too early");
        assertEq(_position(OPERATOR), 0, "what the atomic order paid stays paid");
    }

    function test_TargetMerchantStartsWhereTheAgreementLetsIt() public {
        _accept(CINEMA, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        assertEq(lens.balanceOf(ann, CINE), 9);
        _accept(SUPERMARKET, _issue(MART, ann, 10));
        _refuse(GAS_STATION, _exchange(CINE_TO_FUEL, CINE, ann, 9), Reason.NotInitiator);
        _refuse(CAR_WASH, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.NotInitiator);
    }

    function test_AgreementMustFitTheInstruction() public {
        _refuse(GAS_STATION, _exchange(0, FUEL, ann, 10), Reason.WrongAgreement);
        _refuse(GAS_STATION, _exchange(99, FUEL, ann, 10), Reason.WrongAgreement);
        _refuse(GAS_STATION, _exchange(type(uint32).max, FUEL, ann, 10), Reason.WrongAgreement);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FLEET, ann, 10), Reason.WrongAgreement);
        _refuse(GAS_STATION, _exchange(FUEL_AT_CAR_WASH, FUEL, ann, 10), Reason.WrongAgreement);
        _refuse(GAS_STATION, _spend(FUEL_TO_CINE, FUEL, ann, 10), Reason.WrongAgreement);
        _refuse(CAR_WASH, _spend(CINE_AT_GAS_STATION, FUEL, ann, 10), Reason.WrongAgreement);
        _refuse(CAR_WASH, _spend(99, FUEL, ann, 10), Reason.WrongAgreement);
    }

    function test_AgreementIsUsedWithinItsTimeOnly() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, 1, 0, 1);
        (terms.validFrom, terms.validUntil) = (uint40(_now() + 100), uint40(_now() + 200));
        uint32 id = _register(terms);
        _refuse(GAS_STATION, _exchange(id, FUEL, ann, 1), Reason.AgreementNotLive);
        vm.warp(terms.validFrom);
        _accept(GAS_STATION, _exchange(id, FUEL, ann, 1));
        vm.warp(terms.validUntil - 1);
        _accept(GAS_STATION, _exchange(id, FUEL, ann, 1));
        vm.warp(terms.validUntil);
        _refuse(GAS_STATION, _exchange(id, FUEL, ann, 1), Reason.AgreementNotLive);
    }

    function test_CounterpartyMustBeActive() public {
        _setStatus(CINEMA, MerchantStatus.Suspended);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.CounterpartyInactive);
        _setStatus(CINEMA, MerchantStatus.Closed);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.CounterpartyInactive);
        _setStatus(GAS_STATION, MerchantStatus.Suspended);
        _refuse(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 10), Reason.CounterpartyInactive);
    }

    function test_CapOnAnInstruction() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100_000));
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100_001), Reason.OverInstructionCap);
        _refuse(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 100_001), Reason.OverInstructionCap);
    }

    function test_CapOnADayRollsOverWithTheNetworksDay() public {
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100_000));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100_000));
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 50_002), Reason.OverDailyCap);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 50_000));
        assertEq(lens.usedToday(FUEL_TO_CINE), 250_000);
        _accept(GAS_STATION, _exchange(FUEL_TO_FILM, FUEL, ann, 10));
        assertEq(lens.usedToday(FUEL_TO_FILM), 10, "each agreement has its own cap");

        uint32 day = house.today();
        vm.warp(START + 12 hours - 1); // 23:59:59 in Shanghai
        assertEq(house.today(), day);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 2), Reason.OverDailyCap);
        vm.warp(START + 12 hours); // midnight there, 16:00 UTC
        assertEq(house.today(), day + 1);
        assertEq(lens.usedToday(FUEL_TO_CINE), 0);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 2));
        assertEq(lens.usedToday(FUEL_TO_CINE), 2);
    }

    function test_CapOnADayCountsSpendsToo() public {
        _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 100_000));
        _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 100_000));
        _refuse(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 50_001), Reason.OverDailyCap);
        _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 50_000));
    }

    function test_MemberGetsNoLessThanTheMinimum() public {
        Instruction memory instruction = _exchange(FUEL_TO_CINE, FUEL, ann, 111);
        instruction.minOut = 100;
        _refuse(GAS_STATION, instruction, Reason.BelowMinimum);
        instruction.minOut = 99;
        _accept(GAS_STATION, instruction);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1), Reason.BelowMinimum); // buys nothing
    }

    function test_ExchangeDoesNotOverflowTheTargetProgram() public {
        _accept(CINEMA, _issue(CINE, bob, type(uint64).max - 9));
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 12), Reason.SupplyOverflow);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10));
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 10), Reason.SupplyOverflow);
    }

    function test_HugeRateCannotMintMoreThan64Bits() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, type(uint32).max, 1, 0, 0, 1);
        (terms.maxPoints, terms.dailyCap) = (type(uint64).max, type(uint64).max);
        uint32 id = _register(terms);
        _refuse(GAS_STATION, _exchange(id, FUEL, ann, type(uint64).max), Reason.SupplyOverflow);
        _refuse(GAS_STATION, _exchange(id, FUEL, ann, 1 << 33), Reason.SupplyOverflow);
        _assertMoved(_accept(GAS_STATION, _exchange(id, FUEL, ann, 1)), 1, type(uint32).max, 0, 0);
    }

    function test_SettlementFits64Bits() public {
        AgreementTerms memory terms = _exchangeTerms(FUEL, CINE, 1, 1, type(uint64).max, 0, 1);
        (terms.maxPoints, terms.dailyCap) = (type(uint64).max, type(uint64).max);
        uint32 id = _register(terms);
        _refuse(GAS_STATION, _exchange(id, FUEL, ann, 2), Reason.AmountTooLarge);
        _refuse(GAS_STATION, _exchange(id, FUEL, ann, type(uint64).max), Reason.AmountTooLarge);
        _refuse(GAS_STATION, _exchange(id, FUEL, ann, 1), Reason.InsufficientLiquidity);
        _deposit(GAS_STATION, type(uint64).max);
        _assertMoved(_accept(GAS_STATION, _exchange(id, FUEL, ann, 1)), 1, 1, type(uint64).max, 0);

        terms = _acceptanceTerms(FUEL, CAR_WASH, type(uint64).max, 10_000, 2);
        id = _register(terms);
        _refuse(CAR_WASH, _spend(id, FUEL, ann, 2), Reason.AmountTooLarge);
        _deposit(GAS_STATION, type(uint64).max);
        _refuse(CAR_WASH, _spend(id, FUEL, ann, 1), Reason.InsufficientLiquidity); // a fee of 100 % on top
        _deposit(GAS_STATION, type(uint64).max);
        uint64 most = type(uint64).max;
        _assertMoved(_accept(CAR_WASH, _spend(id, FUEL, ann, 1)), 1, 0, most, most);
        assertEq(_position(OPERATOR), int96(uint96(most)));
    }

    function test_ExchangeNeedsLiquidityForTheFeeToo() public {
        _withdraw(GAS_STATION, DEPOSIT);
        _setCreditLimit(GAS_STATION, 900_899);
        _refuse(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100), Reason.InsufficientLiquidity);
        _refuse(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 100), Reason.InsufficientLiquidity);
        _setCreditLimit(GAS_STATION, 900_900);
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100));
        assertEq(_position(GAS_STATION), -900_900);
    }

    function test_BatchThatExhaustsLiquidityGoesOnWithWhatIsLeft() public {
        _withdraw(GAS_STATION, DEPOSIT);
        _setCreditLimit(GAS_STATION, 1_000_000);
        Instruction[] memory instructions = new Instruction[](4);
        instructions[0] = _exchange(FUEL_TO_CINE, FUEL, ann, 100); // 900,900
        instructions[1] = _exchange(FUEL_TO_CINE, FUEL, ann, 100);
        instructions[2] = _exchange(FUEL_TO_CINE, FUEL, ann, 10); // 90,090
        instructions[3] = _exchange(FUEL_TO_CINE, FUEL, ann, 2); // 10,010, but 9,010 are left
        OrderDraft memory last = _order(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 1)); // 9,524
        _execute(_list(_order(GAS_STATION, instructions), last));
        assertEq(posted.length, 2);
        assertEq(refusals.length, 3);
        assertEq(refusals[0].item, 1);
        assertEq(refusals[1].item, 3);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(uint256(refusals[i].reason), uint256(Reason.InsufficientLiquidity));
        }
        assertEq(_position(GAS_STATION), -990_990);
        assertEq(lens.balanceOf(ann, CINE), 99);
    }

    // ---------------------------------------------------------------- spend

    function test_SpendBurnsAndPaysTheAcceptor() public {
        Entry memory entry = _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 101));
        _assertMoved(entry, 101, 0, 959_500, 2399);
        assertEq(_expiryDayOf(entry), 0);
        assertEq(lens.balanceOf(ann, FUEL), 299_899);
        assertEq(lens.totalsOf(FUEL).spent, 101);
        assertEq(lens.usedToday(FUEL_AT_CAR_WASH), 101);
        assertEq(_position(GAS_STATION), int96(DEPOSIT) - 961_899);
        assertEq(_position(CAR_WASH), int96(DEPOSIT) + 959_500);
        assertEq(_position(OPERATOR), 2399);
    }

    function test_SpendIsStartedByWhomTheAgreementNames() public {
        _accept(CINEMA, _issue(CINE, ann, 10));
        _refuse(GAS_STATION, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 1), Reason.NotInitiator);
        _refuse(GAS_STATION, _spend(CINE_AT_GAS_STATION, CINE, ann, 1), Reason.NotInitiator);
        _accept(CINEMA, _spend(CINE_AT_GAS_STATION, CINE, ann, 1));
    }

    // ---------------------------------------------------------------- who may execute, and how much

    function test_OnlyTheSequencerExecutes() public {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.MissingRole.selector, Role.Sequencer, admin));
        vm.prank(admin);
        house.execute("", new Evidence[](0));
    }

    function test_PausedNetworkExecutesNothing() public {
        vm.prank(pauser);
        house.pause();
        vm.expectRevert(Pausable.EnforcedPause.selector);
        vm.prank(sequencer);
        house.execute("", new Evidence[](0));
        vm.prank(pauser);
        house.unpause();
        _accept(GAS_STATION, _issue(FUEL, ann, 1));
    }

    function test_BatchThatCouldHoldMoreThan65535InstructionsIsTooLarge() public {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BatchTooLarge.selector, 65_536));
        vm.prank(sequencer);
        _executeZeros(65_536 * 84, 0);
    }

    /// @dev Five orders of as many instructions are 410 bytes too long, which the house finds out only when it reads the last. It gets so
    /// far because each order frees its memory: all five at once would cost more gas than there is.
    function test_BatchThatCouldHold65535InstructionsIsNotTooLarge() public {
        vm.expectRevert(IClearingHouse.BadEncoding.selector);
        vm.prank(sequencer);
        _executeZeros(65_535 * 84, 13_107);
    }

    /// @dev Calls `execute` with `size` bytes of orders and no evidence. All bytes are zero, but for each order's number of instructions.
    /// Assembly, because Solidity would copy the 5 MB again and again.
    function _executeZeros(uint256 size, uint256 count) private {
        address to = address(house);
        bytes4 selector = IClearingHouse.execute.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, calldatasize(), add(size, 0x84)) // zeros
            mstore(data, selector)
            mstore(add(data, 0x04), 0x40)
            mstore(add(data, 0x24), add(0x60, size)) // no evidence
            mstore(add(data, 0x44), size)
            let end := add(add(data, 0x64), size)
            for { let order := add(data, 0x64) } lt(order, end) { order := add(order, add(82, mul(84, count))) } {
                mstore(order, shl(112, count))
            }
            if iszero(call(gas(), to, 0, data, add(size, 0x84), 0, 0)) {
                returndatacopy(data, 0, returndatasize())
                revert(data, returndatasize())
            }
        }
    }

    function test_BatchThatEndsInsideAnOrderOrAfterItIsMalformed() public {
        OrderDraft memory draft = _order(GAS_STATION, _list(_issue(FUEL, ann, 1), _transfer(FUEL, ann, bob, 1)));
        bytes memory whole = _pack(_sign(draft));
        for (uint256 size = 1; size < whole.length; ++size) {
            _expectMalformed(_truncate(whole, size));
        }
        _expectMalformed(bytes.concat(whole, hex"00"));
        _expectMalformed(bytes.concat(whole, whole, hex"0000"));
        assertFalse(lens.nonceUsed(GAS_STATION, draft.nonce));
        _execute(draft);
        assertEq(posted.length, 2);
    }

    function test_OrderThatAnnouncesMoreInstructionsThanTheBatchCanHoldIsMalformed() public {
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        PackedOrder memory order = _sign(draft);
        draft.instructions = new Instruction[](65_535);
        order.head = _packOrderHead(draft);
        _expectMalformed(_pack(order));
    }

    function test_DigestIsOfExactlyOneOrder() public {
        bytes memory whole = _pack(_sign(_order(GAS_STATION, _issue(FUEL, ann, 1))));
        vm.expectRevert(IClearingHouse.BadEncoding.selector);
        lens.digestOf(bytes.concat(whole, hex"00"));
    }

    function _expectMalformed(bytes memory orders) private {
        vm.expectRevert(IClearingHouse.BadEncoding.selector);
        vm.prank(sequencer);
        house.execute(orders, new Evidence[](0));
    }

    function _truncate(bytes memory data, uint256 size) private pure returns (bytes memory part) {
        part = bytes.concat(data);
        assembly ("memory-safe") {
            mstore(part, size)
        }
    }
}
