// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Agreements} from "./Agreements.sol";
import {Journal} from "./Journal.sol";
import {Points} from "./Points.sol";
import {Settlement} from "./Settlement.sol";
import {AgreementKind, Kind, MerchantStatus, Reason} from "./interfaces/IClearingHouse.sol";
import {Price, Route} from "./libraries/AgreementWords.sol";
import {BalancePage} from "./libraries/BalancePage.sol";
import {EntriesLib, Entry, EntryAmounts, EntryHead, Evidence} from "./libraries/Entries.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {Item} from "./libraries/Orders.sol";
import {ProgramSide, ProgramSideLib} from "./libraries/ProgramSide.sol";
import {RateMath} from "./libraries/RateMath.sol";
import {SmallMath} from "./libraries/SmallMath.sol";

// What is compared with `==` here are numbers of things, kinds and hashes, no amounts that somebody could nudge.
// slither-disable-start incorrect-equality

/// @title Instructions
/// @notice What an instruction does: one function a kind, which checks everything, then applies, then posts the entry. A check
/// that fails returns a `Reason` and has changed nothing.
abstract contract Instructions is Agreements, Points, Settlement, Journal {
    /// @dev Where we are in a batch. One for each frame, changed in place, so that no instruction leaves memory behind.
    /// @param head Head of the next entry: batch, index, merchant, nonce and item are filled in.
    /// @param merchant The order's merchant; it is in `head` too.
    /// @param next Where in `leaves` the next leaf goes, as a place in memory.
    /// @param issuing One more than the program whose minted side is kept in `minted` while a row of issues goes on, else 0.
    /// @param evidence Where in the calldata the batch's evidence is, and of how many elements.
    /// @param fees What the operator earned and was not yet paid. A batch pays it once.
    struct Cursor {
        EntryHead head;
        uint256 merchant;
        bool suspended;
        uint256 today;
        uint256 next;
        uint256 issuing;
        ProgramSide minted;
        uint256 fees;
        uint256 evidencePlace;
        uint256 evidenceCount;
        bytes32 domain;
        bytes32[] leaves;
    }

    // ---------------------------------------------------------------- instructions

    function _apply(Cursor memory c, Item i) internal returns (Reason) {
        uint256 kind = i.kind();
        if (i.points() == 0) return Reason.ZeroPoints;
        if (i.member() == 0) return Reason.ZeroMember;
        if (kind == uint256(Kind.Issue)) return _issue(c, i);
        if (kind == uint256(Kind.Exchange)) return _exchange(c, i);
        if (kind == uint256(Kind.Spend)) return _spend(c, i);
        if (kind == uint256(Kind.Redeem)) return _redeem(c, i);
        if (kind == uint256(Kind.Transfer)) return _transfer(c, i);
        if (kind == uint256(Kind.Reverse)) return _reverse(c, i);
        if (kind == uint256(Kind.Expire)) return _expire(c, i);
        return Reason.UnknownKind;
    }

    /// @dev Issue: points come into being at the program's own merchant. In a row of issues of one program, what does not change
    /// is checked once, and the total is booked once.
    function _issue(Cursor memory c, Item i) private returns (Reason reason) {
        uint256 points = i.points();
        uint256 expiryDay = i.expiryDay();

        if (SmallMath.add(i.program(), 1) != c.issuing) {
            reason = _beginIssues(c, i.program());
            if (_isRefusal(reason)) return reason;
        }
        ProgramSide minted = c.minted;
        unchecked {
            // Day 0 is "never": one less than it is later than any day.
            if (expiryDay - 1 < c.today) return Reason.AlreadyExpired;
        }
        if (!minted.canMint(points)) return Reason.SupplyOverflow;

        c.minted = minted.plus(ProgramSideLib.MINTED, points);
        _credit(i.member(), i.program(), points);

        _post(c, i, expiryDay, 0, EntriesLib.packAmounts(points, 0, 0, 0));
    }

    function _beginIssues(Cursor memory c, uint256 program) private returns (Reason) {
        ProgramSide minted = _program(program).minted;
        if (c.suspended) return Reason.MerchantSuspended;
        if (!minted.isOpenTo(c.merchant)) return _whyClosed(c, minted);

        if (c.issuing != 0) _bookIssues(c);
        c.issuing = SmallMath.add(program, 1);
        c.minted = minted;
        return Reason.None;
    }

    /// @dev Ends a row of issues. It is called before anything else touches a minted side.
    function _bookIssues(Cursor memory c) internal {
        _program(c.issuing - 1).minted = c.minted;
        c.issuing = 0;
    }

    /// @dev Redeem: points go out of being at the program's own merchant.
    function _redeem(Cursor memory c, Item i) private returns (Reason reason) {
        uint256 points = i.points();
        Program storage program = _program(i.program());
        ProgramSide burnt = program.burnt;

        if (!burnt.isOpenTo(c.merchant)) return _whyClosed(c, burnt);
        if (!_tryDebit(i.member(), i.program(), points)) return Reason.InsufficientPoints;

        program.burnt = burnt.plus(ProgramSideLib.REDEEMED, points);

        _post(c, i, 0, 0, EntriesLib.packAmounts(points, 0, 0, 0));
    }

    /// @dev Expire: points go out of being because their time is over; the merchant vouches for that.
    function _expire(Cursor memory c, Item i) private returns (Reason reason) {
        uint256 points = i.points();
        Program storage program = _program(i.program());

        if (!program.burnt.isOpenTo(c.merchant)) return _whyClosed(c, program.burnt);
        if (!_tryDebit(i.member(), i.program(), points)) return Reason.InsufficientPoints;

        program.voided = program.voided.plus(ProgramSideLib.EXPIRED, points);

        _post(c, i, 0, 0, EntriesLib.packAmounts(points, 0, 0, 0));
    }

    /// @dev Transfer: points move to another member of the same program.
    function _transfer(Cursor memory c, Item i) private returns (Reason reason) {
        uint256 points = i.points();
        uint256 recipient = i.link();

        if (c.suspended) return Reason.MerchantSuspended;
        if (!_program(i.program()).burnt.isOpenTo(c.merchant)) return _whyClosed(c, _program(i.program()).burnt);
        bool badRecipient = recipient == 0 || recipient == i.member() || recipient > type(uint160).max;
        if (badRecipient) return Reason.BadRecipient;
        if (!_tryDebit(i.member(), i.program(), points)) return Reason.InsufficientPoints;

        _credit(recipient, i.program(), points);

        _post(c, i, 0, 0, EntriesLib.packAmounts(points, 0, 0, 0));
    }

    /// @dev Exchange: source points are burnt, target points minted; the source merchant pays the target merchant for them, and
    /// the operator its fee, at once. What the rate leaves over stays with the member.
    function _exchange(Cursor memory c, Item i) private returns (Reason reason) {
        Agreement storage agreement = _agreement(i.agreement());
        Route route = agreement.route;
        if (!route.isOf(AgreementKind.Exchange)) return Reason.WrongAgreement;
        if (c.issuing != 0) _bookIssues(c);
        ProgramSide burnt = _program(route.source()).burnt;
        ProgramSide minted = _program(route.target()).minted;
        reason = _checkUse(c, i, route, burnt, minted);
        if (_isRefusal(reason)) return reason;

        Price price = agreement.price;
        if (i.points() > price.maxPoints()) return Reason.OverInstructionCap;
        uint256 out = RateMath.targetPointsDown(i.points(), price.rateNum(), price.rateDen());
        if (out == 0) return Reason.BelowMinimum;
        if (out < i.minOut()) return Reason.BelowMinimum;
        if (!minted.canMint(out)) return Reason.SupplyOverflow;
        uint256 points = RateMath.sourcePointsUp(out, price.rateNum(), price.rateDen());
        uint256 settled = RateMath.product(out, price.unitPriceMicros());
        if (settled > type(uint64).max) return Reason.AmountTooLarge;
        uint256 used = SmallMath.add(route.usedOn(c.today), points);
        if (used > price.dailyCap()) return Reason.OverDailyCap;
        route = route.withUse(c.today, used);
        Pocket storage pocket = _pocketOf(i.member(), i.program());
        BalancePage page = pocket.page;
        if (page.balance(i.program()) < points) return Reason.InsufficientPoints;
        uint256 fee = RateMath.feeUp(settled, route.feeBps());
        if (!_tryPay(c, burnt.merchant(), minted.merchant(), settled, fee)) return Reason.InsufficientLiquidity;

        agreement.route = route;
        _program(route.source()).burnt = burnt.plus(ProgramSideLib.EXCHANGED_OUT, points);
        _program(route.target()).minted = minted.plusMinted(ProgramSideLib.EXCHANGED_IN, out);
        _swap(i.member(), pocket, page, i.program(), points, route.target(), out);

        _post(c, i, route.expiryDay(c.today), i.agreement(), EntriesLib.packAmounts(points, out, settled, fee));
    }

    /// @dev Spend: points are burnt for goods; their merchant pays the merchant that accepts them, and the operator its fee.
    function _spend(Cursor memory c, Item i) private returns (Reason reason) {
        Agreement storage agreement = _agreement(i.agreement());
        Route route = agreement.route;
        if (!route.isOf(AgreementKind.Acceptance)) return Reason.WrongAgreement;
        Program storage source = _program(route.source());
        ProgramSide burnt = source.burnt;
        reason = _checkUse(c, i, route, burnt, ProgramSideLib.pack(route.target()));
        if (_isRefusal(reason)) return reason;

        Price price = agreement.price;
        uint256 points = i.points();
        if (points > price.maxPoints()) return Reason.OverInstructionCap;
        uint256 settled = RateMath.product(points, price.unitPriceMicros());
        if (settled > type(uint64).max) return Reason.AmountTooLarge;
        uint256 used = SmallMath.add(route.usedOn(c.today), points);
        if (used > price.dailyCap()) return Reason.OverDailyCap;
        route = route.withUse(c.today, used);
        if (_balance(i.member(), i.program()) < points) return Reason.InsufficientPoints;
        uint256 fee = RateMath.feeUp(settled, route.feeBps());
        if (!_tryPay(c, burnt.merchant(), route.target(), settled, fee)) return Reason.InsufficientLiquidity;

        agreement.route = route;
        source.burnt = burnt.plus(ProgramSideLib.SPENT, points);
        _debit(i.member(), i.program(), points);

        _post(c, i, 0, i.agreement(), EntriesLib.packAmounts(points, 0, settled, fee));
    }

    /// @dev Reverse: undoes part of an earlier entry. The merchant that gives value back signs, and pays back what it was paid; the
    /// operator keeps its fee. Rounding favours the network: parts add up to exactly the whole.
    function _reverse(Cursor memory c, Item i) private returns (Reason reason) {
        Evidence[] calldata evidence = _evidenceOf(c);
        uint256 slot = i.evidence();
        if (slot >= evidence.length) return Reason.UnknownEntry;
        Entry calldata original = evidence[slot].entry;
        EntryHead about = original.head;
        bool proven = _leafOf(original) == bytes32(i.link()) && verifyEntry(original, evidence[slot].proof);
        bool same = uint160(original.member) == i.member() && about.program() == i.program();
        if (!proven || !same) return Reason.UnknownEntry;
        if (about.kind() == uint256(Kind.Reverse)) return Reason.NotReversible;
        uint256 before = _reversed[bytes32(i.link())];
        uint256 points = i.points();
        if (before + points > original.amounts.points()) return Reason.OverReversal;

        if (c.issuing != 0) _bookIssues(c);
        EntryAmounts share = _shareOf(original.amounts, before, points);
        reason = about.agreement() == 0
            ? _undoOwn(c, original, points)
            : _undoConversion(c, i.member(), _agreement(about.agreement()).route, share);
        if (_isRefusal(reason)) return reason;
        _reversed[bytes32(i.link())] = uint64(before + points);

        _post(c, i, 0, about.agreement(), share);
    }

    /// @dev The part of `whole` that `points` reverse after `before` were reversed. The fee stays where it is.
    function _shareOf(EntryAmounts whole, uint256 before, uint256 points) private pure returns (EntryAmounts) {
        uint256 all = whole.points();
        uint256 out = RateMath.shareUp(whole.out(), before + points, all) - RateMath.shareUp(whole.out(), before, all);
        // Exact either way: what was settled is a whole price times `out` (exchange) or times `points` (spend).
        // slither-disable-next-line divide-before-multiply
        uint256 settled = whole.out() == 0 ? whole.settled() / all * points : whole.settled() / whole.out() * out;
        return EntriesLib.packAmounts(points, out, settled, 0);
    }

    /// @dev Undoes an issue, redeem, expire or transfer, all of which are the program's merchant's own.
    function _undoOwn(Cursor memory c, Entry calldata original, uint256 points) private returns (Reason) {
        uint256 id = original.head.program();
        uint256 kind = original.head.kind();
        Program storage program = _program(id);
        ProgramSide minted = program.minted;

        if (!minted.isRunBy(c.merchant)) return Reason.NotGiver;
        if (minted.paused()) return Reason.ProgramPaused;
        if (kind == uint256(Kind.Issue)) {
            if (!_tryDebit(uint160(original.member), id, points)) return Reason.InsufficientPoints;
            program.voided = program.voided.plus(ProgramSideLib.REVOKED, points);
        } else if (kind == uint256(Kind.Transfer)) {
            if (!_tryDebit(uint256(original.link), id, points)) return Reason.InsufficientPoints;
            _credit(uint160(original.member), id, points);
        } else {
            if (!minted.canMint(points)) return Reason.SupplyOverflow;
            program.minted = minted.plusMinted(ProgramSideLib.RESTORED, points);
            _credit(uint160(original.member), id, points);
        }
        return Reason.None;
    }

    /// @dev Undoes an exchange or a spend: the source points come back, the target points go, the settlement flows back.
    function _undoConversion(Cursor memory c, uint256 member, Route route, EntryAmounts share)
        private
        returns (Reason)
    {
        Program storage source = _program(route.source());
        Program storage target = _program(route.target());
        bool exchange = route.isOf(AgreementKind.Exchange);
        ProgramSide restored = source.minted;
        ProgramSide given = exchange ? target.burnt : ProgramSideLib.pack(route.target());

        if (c.merchant != given.merchant()) return Reason.NotGiver;
        if (restored.eitherPaused(given)) return Reason.ProgramPaused;
        if (!restored.canMint(share.points())) return Reason.SupplyOverflow;
        if (exchange && _balance(member, route.target()) < share.out()) return Reason.InsufficientPoints;
        if (!_tryPay(c, c.merchant, restored.merchant(), share.settled(), 0)) return Reason.InsufficientLiquidity;

        source.minted = restored.plusMinted(ProgramSideLib.RESTORED, share.points());
        _credit(member, route.source(), share.points());
        if (exchange) {
            target.voided = target.voided.plus(ProgramSideLib.REVOKED, share.out());
            _debit(member, route.target(), share.out());
        }
        return Reason.None;
    }

    // ---------------------------------------------------------------- checks

    /// @dev Why a program, of which this is a side, is not open to the order's merchant.
    function _whyClosed(Cursor memory c, ProgramSide side) private pure returns (Reason) {
        return side.isRunBy(c.merchant) ? Reason.ProgramPaused : Reason.NotProgramMerchant;
    }

    /// @dev Whether the order's merchant may use an agreement between the merchants of two programs for this instruction now.
    function _checkUse(Cursor memory c, Item i, Route route, ProgramSide source, ProgramSide target)
        private
        view
        returns (Reason)
    {
        if (route.source() != i.program()) return Reason.WrongAgreement;
        if (block.timestamp < route.validFrom()) return Reason.AgreementNotLive;
        if (block.timestamp >= route.validUntil()) return Reason.AgreementNotLive;
        uint256 sides = c.merchant == source.merchant() ? SOURCE_MAY_INITIATE : 0;
        if (c.merchant == target.merchant()) sides |= TARGET_MAY_INITIATE;
        sides &= route.initiators();
        if (sides == 0) return Reason.NotInitiator;
        if (c.suspended) return Reason.MerchantSuspended;
        uint256 counterparty = (sides & SOURCE_MAY_INITIATE != 0 ? target : source).merchant();
        if (!_merchant(counterparty).account.isIn(MerchantStatus.Active)) return Reason.CounterpartyInactive;
        return source.eitherPaused(target) ? Reason.ProgramPaused : Reason.None;
    }

    /// @dev Assembly, because the compiler would check that the number is one of the enum's, though it comes from our own functions.
    function _isRefusal(Reason reason) internal pure returns (bool refused) {
        assembly ("memory-safe") {
            refused := reason
        }
    }

    // ---------------------------------------------------------------- money

    /// @dev Pays `settled` to `payee`, which may be the payer itself, and `fee` to the operator, if the payer's position and credit
    /// cover both; else returns false and has changed nothing.
    function _tryPay(Cursor memory c, uint256 payer, uint256 payee, uint256 settled, uint256 fee)
        internal
        returns (bool)
    {
        if (payer == OPERATOR_MERCHANT) _bookFees(c);
        if (!_tryCharge(_merchant(payer), SmallMath.add(settled, fee))) return false;
        _pay(_merchant(payee), settled);
        c.fees = SmallMath.add(c.fees, fee);
        return true;
    }

    /// @dev The operator earns its fees at the end of the batch, in one go; earlier, if it wants to spend them.
    function _bookFees(Cursor memory c) internal {
        if (c.fees != 0) _pay(_merchant(OPERATOR_MERCHANT), c.fees);
        c.fees = 0;
    }

    // ---------------------------------------------------------------- posting

    function _post(Cursor memory c, Item i, uint256 expiryDay, uint256 agreement, EntryAmounts amounts) private {
        EntryHead entryHead = c.head.about(i.kind(), expiryDay, i.program(), agreement);
        c.next = MerkleTree.put(c.next, _record(i, entryHead, amounts));
        c.head = c.head.afterEntry();
    }

    // ---------------------------------------------------------------- evidence

    /// @dev The evidence is kept in the cursor, so that it need not be handed down to every instruction. Assembly, because a struct
    /// in memory cannot refer to calldata.
    function _evidenceOf(Cursor memory c) internal pure returns (Evidence[] calldata evidence) {
        (uint256 place, uint256 count) = (c.evidencePlace, c.evidenceCount);
        assembly ("memory-safe") {
            evidence.offset := place
            evidence.length := count
        }
    }
}
// slither-disable-end incorrect-equality
