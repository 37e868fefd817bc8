// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Agreements} from "./Agreements.sol";
import {Journal} from "./Journal.sol";
import {Points} from "./Points.sol";
import {Settlement} from "./Settlement.sol";
import {AgreementKind, Entry, Evidence, Kind, MerchantStatus, Reason} from "./interfaces/IClearingHouse.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {RateMath} from "./libraries/RateMath.sol";
import {AgreementPrice} from "./types/AgreementPrice.sol";
import {AgreementRoute} from "./types/AgreementRoute.sol";
import {BalancePage} from "./types/BalancePage.sol";
import {CopyTable} from "./types/CopyTable.sol";
import {EntryAmounts, EntryAmountsLib} from "./types/EntryAmounts.sol";
import {EntryHead} from "./types/EntryHead.sol";
import {Instruction} from "./types/Instruction.sol";
import {IssuanceCap} from "./types/IssuanceCap.sol";
import {MerchantPosition} from "./types/MerchantPosition.sol";
import {ProgramSide, ProgramSideLib} from "./types/ProgramSide.sol";
import {WordCopy} from "./types/WordCopy.sol";

// The values that `==` compares here are ids, kinds and hashes, none of them an amount that somebody could nudge.
// slither-disable-start incorrect-equality

/// @title Instructions
/// @notice What an instruction does. There is one function a kind: it checks everything, then applies, then posts the entry. If a
/// check fails it returns the `Reason` and has changed nothing.
abstract contract Instructions is Agreements, Points, Settlement, Journal {
    /// @dev Where we are in a batch. Each frame has one and changes it in place, so that no instruction allocates memory.
    /// @param head Head of the next entry: batch, index, merchant, nonce and item are filled in.
    /// @param merchant The order's merchant, which is in `head` too.
    /// @param suspended Whether that merchant is suspended.
    /// @param today The network's current day.
    /// @param nextLeaf Where in memory the next leaf goes; a place within `leaves`.
    /// @param issuing During a run of issues: the mark of their program. Otherwise 0.
    /// @param minted During a run of issues: the minted side of their program.
    /// @param fees What the operator earned and was not paid yet. A batch pays it once.
    /// @param evidenceOffset Where in the calldata the batch's evidence begins.
    /// @param evidenceCount The number of its elements.
    /// @param domainSeparator The EIP-712 domain separator.
    /// @param copies What the batch, or an atomic order's frame, works on instead of storage: routes, positions, nonces, and the
    /// minted and burnt sides of programs.
    /// @param leaves The leaves of the batch, or of an atomic order's frame.
    struct Cursor {
        EntryHead head;
        uint256 merchant;
        bool suspended;
        uint256 today;
        uint256 nextLeaf;
        uint256 issuing;
        WordCopy minted;
        uint256 fees;
        uint256 evidenceOffset;
        uint256 evidenceCount;
        bytes32 domainSeparator;
        CopyTable copies;
        bytes32[] leaves;
    }

    /// @dev Notes of an agreement's copy: its price, the copies of what it connects, and the mark of the merchant that passed
    /// `_checkUse` last. Without them every instruction would look for six words and check again what cannot change.
    uint256 private constant PRICE = 0x80;
    uint256 private constant SOURCE = 0xa0;
    uint256 private constant TARGET = 0xc0;
    uint256 private constant PAYER = 0xe0;
    uint256 private constant PAYEE = 0x100;
    uint256 private constant USER_MARK = 0x120;

    // ---------------------------------------------------------------- kinds

    function _apply(Cursor memory cursor, Instruction instruction) internal returns (Reason) {
        uint256 kind = instruction.kind();
        if (instruction.points() == 0) return Reason.ZeroPoints;
        if (instruction.member() == 0) return Reason.ZeroMember;
        if (kind == uint256(Kind.Issue)) return _issue(cursor, instruction);
        if (kind == uint256(Kind.Exchange)) return _exchange(cursor, instruction);
        if (kind == uint256(Kind.Spend)) return _spend(cursor, instruction);
        if (kind == uint256(Kind.Redeem)) return _redeem(cursor, instruction);
        if (kind == uint256(Kind.Transfer)) return _transfer(cursor, instruction);
        if (kind == uint256(Kind.Reverse)) return _reverse(cursor, instruction);
        if (kind == uint256(Kind.Expire)) return _expire(cursor, instruction);
        return Reason.UnknownKind;
    }

    /// @dev Issue: the program's merchant mints points. In a run of issues of one program, what stays the same is checked once and
    /// the total is stored once.
    function _issue(Cursor memory cursor, Instruction instruction) private returns (Reason reason) {
        uint256 points = instruction.points();
        uint256 expiryDay = instruction.expiryDay();

        if (_mark(instruction.program()) != cursor.issuing) {
            reason = _beginIssues(cursor, instruction.program());
            if (_isRefusal(reason)) return reason;
        }
        ProgramSide minted = _side(cursor.minted);
        unchecked {
            // Day 0 means never: minus one it wraps around and is later than any day.
            if (expiryDay - 1 < cursor.today) return Reason.AlreadyExpired;
        }
        if (!minted.canMint(points)) return Reason.SupplyOverflow;
        if (minted.capped() && !_tryIssueUnderCap(cursor, instruction.program(), points)) {
            return Reason.OverIssuanceCap;
        }

        _setSide(cursor.minted, minted.plus(ProgramSideLib.MINTED, points));
        _credit(instruction.member(), instruction.program(), points);

        _post(cursor, instruction, expiryDay, 0, EntryAmountsLib.pack(points, 0, 0, 0));
    }

    function _beginIssues(Cursor memory cursor, uint256 program) private view returns (Reason) {
        WordCopy minted = _minted(cursor, program);
        if (cursor.suspended) return Reason.MerchantSuspended;
        if (!_side(minted).isOpenTo(cursor.merchant)) return _closedReason(cursor, _side(minted));

        cursor.issuing = _mark(program);
        cursor.minted = minted;
        return Reason.None;
    }

    /// @dev Counts `points` in the day's use of the program's cap if they keep to it. Otherwise changes nothing and returns false.
    function _tryIssueUnderCap(Cursor memory cursor, uint256 program, uint256 points) private view returns (bool) {
        WordCopy copy = cursor.copies.copyOf(_slotOfCap(_program(program)));
        IssuanceCap cap = IssuanceCap.wrap(copy.word());
        uint256 most = cap.pointsOn(cursor.today);
        uint256 used = cap.usedOn(cursor.today) + points;
        if (most != 0 && used > most) return false;
        copy.set(IssuanceCap.unwrap(cap.withUse(cursor.today, used)));
        return true;
    }

    /// @dev Redeem: the program's merchant burns points.
    function _redeem(Cursor memory cursor, Instruction instruction) private returns (Reason reason) {
        uint256 points = instruction.points();
        WordCopy burnt = _burnt(cursor, instruction.program());

        if (!_side(burnt).isOpenTo(cursor.merchant)) return _closedReason(cursor, _side(burnt));
        if (!_tryDebit(instruction.member(), instruction.program(), points)) return Reason.InsufficientPoints;

        _setSide(burnt, _side(burnt).plus(ProgramSideLib.REDEEMED, points));

        _post(cursor, instruction, 0, 0, EntryAmountsLib.pack(points, 0, 0, 0));
    }

    /// @dev Expire: the program's merchant burns points and vouches that they have expired.
    function _expire(Cursor memory cursor, Instruction instruction) private returns (Reason reason) {
        uint256 points = instruction.points();
        Program storage program = _program(instruction.program());
        ProgramSide burnt = _side(_burnt(cursor, instruction.program()));

        if (!burnt.isOpenTo(cursor.merchant)) return _closedReason(cursor, burnt);
        if (!_tryDebit(instruction.member(), instruction.program(), points)) return Reason.InsufficientPoints;

        program.voided = program.voided.plus(ProgramSideLib.EXPIRED, points);

        _post(cursor, instruction, 0, 0, EntryAmountsLib.pack(points, 0, 0, 0));
    }

    /// @dev Transfer: points move to another member of the same program.
    function _transfer(Cursor memory cursor, Instruction instruction) private returns (Reason reason) {
        uint256 points = instruction.points();
        uint256 recipient = instruction.link();
        ProgramSide burnt = _side(_burnt(cursor, instruction.program()));

        if (cursor.suspended) return Reason.MerchantSuspended;
        if (!burnt.isOpenTo(cursor.merchant)) return _closedReason(cursor, burnt);
        bool badRecipient = recipient == 0 || recipient == instruction.member() || recipient > type(uint160).max;
        if (badRecipient) return Reason.BadRecipient;
        if (!_tryDebit(instruction.member(), instruction.program(), points)) return Reason.InsufficientPoints;

        _credit(recipient, instruction.program(), points);

        _post(cursor, instruction, 0, 0, EntryAmountsLib.pack(points, 0, 0, 0));
    }

    /// @dev Exchange: source points are burnt and target points minted. At the same time the source merchant pays the target
    /// merchant for them, and the operator its fee. What the rate leaves over stays with the member.
    function _exchange(Cursor memory cursor, Instruction instruction) private returns (Reason reason) {
        WordCopy agreement = _openAgreement(cursor, instruction.agreement());
        AgreementRoute route = _route(agreement);
        if (!route.hasKind(AgreementKind.Exchange)) return Reason.WrongAgreement;
        WordCopy source = _noted(agreement, SOURCE);
        WordCopy target = _noted(agreement, TARGET);
        reason = _checkUse(cursor, instruction, agreement, _side(source), _side(target));
        if (_isRefusal(reason)) return reason;

        AgreementPrice price = AgreementPrice.wrap(agreement.note(PRICE));
        if (instruction.points() > price.maxPoints()) return Reason.OverInstructionCap;
        uint256 out = RateMath.targetPointsDown(instruction.points(), price.rateNum(), price.rateDen());
        if (out == 0) return Reason.BelowMinimum;
        if (out < instruction.minOut()) return Reason.BelowMinimum;
        if (!_side(target).canMint(out)) return Reason.SupplyOverflow;
        uint256 points = RateMath.sourcePointsUp(out, price.rateNum(), price.rateDen());
        uint256 settled = RateMath.product(out, price.unitPriceMicros());
        if (settled > type(uint64).max) return Reason.AmountTooLarge;
        uint256 used = route.usedOnAfter(cursor.today, points);
        if (used > price.dailyCap()) return Reason.OverDailyCap;
        route = route.withUse(cursor.today, used);
        BalanceSlot storage slot = _balanceSlot(instruction.member(), instruction.program());
        BalancePage page = slot.page;
        if (page.balance(instruction.program()) < points) return Reason.InsufficientPoints;
        uint256 fee = RateMath.feeUp(settled, route.feeBps());
        if (!_tryPayUnder(cursor, agreement, settled, fee)) return Reason.InsufficientLiquidity;

        agreement.set(AgreementRoute.unwrap(route));
        _setSide(source, _side(source).plus(ProgramSideLib.EXCHANGED_OUT, points));
        _setSide(target, _side(target).plusMinted(ProgramSideLib.EXCHANGED_IN, out));
        _swap(instruction.member(), slot, page, instruction.program(), points, route.target(), out);

        _post(
            cursor,
            instruction,
            route.expiryDay(cursor.today),
            instruction.agreement(),
            EntryAmountsLib.pack(points, out, settled, fee)
        );
    }

    /// @dev Spend: points are burnt for goods. The program's merchant pays the merchant that accepts them, and the operator its fee.
    function _spend(Cursor memory cursor, Instruction instruction) private returns (Reason reason) {
        WordCopy agreement = _openAgreement(cursor, instruction.agreement());
        AgreementRoute route = _route(agreement);
        if (!route.hasKind(AgreementKind.Acceptance)) return Reason.WrongAgreement;
        WordCopy source = _noted(agreement, SOURCE);
        reason = _checkUse(cursor, instruction, agreement, _side(source), ProgramSideLib.pack(route.target()));
        if (_isRefusal(reason)) return reason;

        AgreementPrice price = AgreementPrice.wrap(agreement.note(PRICE));
        uint256 points = instruction.points();
        if (points > price.maxPoints()) return Reason.OverInstructionCap;
        uint256 settled = RateMath.product(points, price.unitPriceMicros());
        if (settled > type(uint64).max) return Reason.AmountTooLarge;
        uint256 used = route.usedOnAfter(cursor.today, points);
        if (used > price.dailyCap()) return Reason.OverDailyCap;
        route = route.withUse(cursor.today, used);
        if (_balance(instruction.member(), instruction.program()) < points) return Reason.InsufficientPoints;
        uint256 fee = RateMath.feeUp(settled, route.feeBps());
        if (!_tryPayUnder(cursor, agreement, settled, fee)) return Reason.InsufficientLiquidity;

        agreement.set(AgreementRoute.unwrap(route));
        _setSide(source, _side(source).plus(ProgramSideLib.SPENT, points));
        _debit(instruction.member(), instruction.program(), points);

        _post(cursor, instruction, 0, instruction.agreement(), EntryAmountsLib.pack(points, 0, settled, fee));
    }

    /// @dev Reverse: undoes all or part of an earlier entry. The merchant that gives value back signs, and pays back what it was
    /// paid; on the same day, the agreement's cap comes back too. The operator keeps its fee, which whoever initiated the original
    /// bears. A part never gives back more than it takes, and the parts add up to exactly the whole.
    function _reverse(Cursor memory cursor, Instruction instruction) private returns (Reason reason) {
        Evidence[] calldata evidence = _evidenceOf(cursor);
        uint256 index = instruction.evidence();
        if (index >= evidence.length) return Reason.UnknownEntry;
        Entry calldata original = evidence[index].entry;
        EntryHead originalHead = original.head;
        bytes32 leaf = keccak256(abi.encode(original));
        bool proven =
            leaf == bytes32(instruction.link()) && _isPosted(originalHead.batch(), leaf, evidence[index].proof);
        bool same = uint160(original.member) == instruction.member() && originalHead.program() == instruction.program();
        if (!proven || !same) return Reason.UnknownEntry;
        if (originalHead.kind() == uint256(Kind.Reverse)) return Reason.NotReversible;
        uint256 reversedBefore = reversedOf[leaf];
        uint256 points = instruction.points();
        if (reversedBefore + points > original.amounts.points()) return Reason.OverReversal;

        EntryAmounts share = _shareOf(cursor, original, reversedBefore, points);
        reason = originalHead.agreement() == 0
            ? _undoOwnMovement(cursor, original, points)
            : _undoConversion(cursor, instruction.member(), originalHead, share);
        if (_isRefusal(reason)) return reason;
        reversedOf[leaf] = uint64(reversedBefore + points);

        _post(cursor, instruction, 0, originalHead.agreement(), share);
    }

    /// @dev The part of the original that belongs to `points`, after `reversedBefore` points were reversed. Its fee is what the giver
    /// pays back to the source merchant: nothing, unless the giver itself had initiated the original.
    function _shareOf(Cursor memory cursor, Entry calldata original, uint256 reversedBefore, uint256 points)
        private
        view
        returns (EntryAmounts)
    {
        EntryAmounts whole = original.amounts;
        uint256 total = whole.points();
        uint256 out = RateMath.shareBetween(whole.out(), reversedBefore, reversedBefore + points, total);
        bool bySource = _side(_minted(cursor, original.head.program())).isRunBy(original.head.merchant());
        uint256 fee = bySource ? 0 : RateMath.shareBetween(whole.fee(), reversedBefore, reversedBefore + points, total);
        // Both divisions are exact: what was settled is a whole price times `out` (exchange) or times `points` (spend).
        // slither-disable-next-line divide-before-multiply
        uint256 settled = whole.out() == 0 ? whole.settled() / total * points : whole.settled() / whole.out() * out;
        return EntryAmountsLib.pack(points, out, settled, 0).withFee(fee);
    }

    /// @dev Undoes an issue, redeem, expire or transfer: movements within a program, by the program's own merchant.
    function _undoOwnMovement(Cursor memory cursor, Entry calldata original, uint256 points) private returns (Reason) {
        uint256 id = original.head.program();
        uint256 kind = original.head.kind();
        Program storage program = _program(id);
        WordCopy mintedCopy = _minted(cursor, id);
        ProgramSide minted = _side(mintedCopy);

        if (!minted.isRunBy(cursor.merchant)) return Reason.NotGiver;
        if (minted.paused()) return Reason.ProgramPaused;
        if (kind == uint256(Kind.Issue)) {
            if (!_tryDebit(uint160(original.member), id, points)) return Reason.InsufficientPoints;
            program.voided = program.voided.plus(ProgramSideLib.REVOKED, points);
        } else if (kind == uint256(Kind.Transfer)) {
            if (!_tryDebit(uint256(original.link), id, points)) return Reason.InsufficientPoints;
            _credit(uint160(original.member), id, points);
        } else {
            if (!minted.canMint(points)) return Reason.SupplyOverflow;
            _setSide(mintedCopy, minted.plusMinted(ProgramSideLib.RESTORED, points));
            _credit(uint160(original.member), id, points);
        }
        return Reason.None;
    }

    /// @dev Undoes an exchange or a spend: the source points come back, the target points go, the settlement flows back, and so does
    /// what was used of today's cap.
    function _undoConversion(Cursor memory cursor, uint256 member, EntryHead original, EntryAmounts share)
        private
        returns (Reason)
    {
        WordCopy agreement = cursor.copies.copyOf(_slotOf(_agreement(original.agreement())));
        AgreementRoute route = _route(agreement);
        bool exchange = route.hasKind(AgreementKind.Exchange);
        WordCopy source = _minted(cursor, route.source());
        ProgramSide giver = exchange ? _side(_burnt(cursor, route.target())) : ProgramSideLib.pack(route.target());

        if (cursor.merchant != giver.merchant()) return Reason.NotGiver;
        if (_side(source).eitherPaused(giver)) return Reason.ProgramPaused;
        if (!_side(source).canMint(share.points())) return Reason.SupplyOverflow;
        if (exchange && _balance(member, route.target()) < share.out()) return Reason.InsufficientPoints;
        WordCopy payee = _position(cursor, _side(source).merchant());
        if (!_tryPay(cursor, _position(cursor, cursor.merchant), payee, share.settled() + share.fee(), 0)) {
            return Reason.InsufficientLiquidity;
        }

        // The original counts in today's use, and no part of it comes back twice.
        if (_newestBatch.isOfToday(original.batch(), cursor.today)) {
            agreement.set(AgreementRoute.unwrap(route.withLessUse(share.points())));
        }
        _setSide(source, _side(source).plusMinted(ProgramSideLib.RESTORED, share.points()));
        _credit(member, route.source(), share.points());
        if (exchange) {
            Program storage target = _program(route.target());
            target.voided = target.voided.plus(ProgramSideLib.REVOKED, share.out());
            _debit(member, route.target(), share.out());
        }
        return Reason.None;
    }

    // ---------------------------------------------------------------- checks

    /// @dev Why the program with this side is not open to the order's merchant.
    function _closedReason(Cursor memory cursor, ProgramSide side) private pure returns (Reason) {
        return side.isRunBy(cursor.merchant) ? Reason.ProgramPaused : Reason.NotProgramMerchant;
    }

    /// @dev Whether the order's merchant may use an agreement between the merchants of these two sides for this instruction now.
    function _checkUse(
        Cursor memory cursor,
        Instruction instruction,
        WordCopy agreement,
        ProgramSide source,
        ProgramSide target
    ) private view returns (Reason) {
        AgreementRoute route = _route(agreement);
        if (route.source() != instruction.program()) return Reason.WrongAgreement;
        // Nothing of what follows changes during a batch.
        if (agreement.note(USER_MARK) == _mark(cursor.merchant)) return Reason.None;
        if (block.timestamp < route.validFrom()) return Reason.AgreementNotLive;
        if (block.timestamp >= route.validUntil()) return Reason.AgreementNotLive;
        uint256 initiators = cursor.merchant == source.merchant() ? SOURCE_MAY_INITIATE : 0;
        if (cursor.merchant == target.merchant()) initiators |= TARGET_MAY_INITIATE;
        initiators &= route.initiators();
        if (initiators == 0) return Reason.NotInitiator;
        if (cursor.suspended) return Reason.MerchantSuspended;
        WordCopy counterparty = _noted(agreement, initiators & SOURCE_MAY_INITIATE != 0 ? PAYEE : PAYER);
        if (!MerchantPosition.wrap(counterparty.word()).hasStatus(MerchantStatus.Active)) {
            return Reason.CounterpartyInactive;
        }
        if (source.eitherPaused(target)) return Reason.ProgramPaused;
        agreement.setNote(USER_MARK, _mark(cursor.merchant));
        return Reason.None;
    }

    /// @dev Assembly, because the compiler would check that the number belongs to the enum, although our own functions return it.
    function _isRefusal(Reason reason) internal pure returns (bool refused) {
        assembly ("memory-safe") {
            refused := reason
        }
    }

    // ---------------------------------------------------------------- payments

    /// @dev The same as `_tryPay`, between the merchants of an agreement.
    function _tryPayUnder(Cursor memory cursor, WordCopy agreement, uint256 settled, uint256 fee)
        private
        view
        returns (bool)
    {
        return _tryPay(cursor, _noted(agreement, PAYER), _noted(agreement, PAYEE), settled, fee);
    }

    /// @dev Pays `settled` to `payee`, which may be the payer itself, and `fee` to the operator, if the payer's position and credit
    /// limit cover both. Otherwise changes nothing and returns false.
    function _tryPay(Cursor memory cursor, WordCopy payer, WordCopy payee, uint256 settled, uint256 fee)
        internal
        view
        returns (bool)
    {
        if (payer.slot() == _slotOf(_merchant(OPERATOR_MERCHANT))) _payFees(cursor);
        unchecked {
            // Each has 64 bits at most.
            if (!_tryCharge(payer, settled + fee)) return false;
            _pay(payee, settled);
            cursor.fees += fee;
        }
        return true;
    }

    /// @dev Pays the operator its fees in one sum, at the end of the batch, or earlier if it wants to spend them.
    function _payFees(Cursor memory cursor) internal view {
        if (cursor.fees != 0) _pay(_position(cursor, OPERATOR_MERCHANT), cursor.fees);
        cursor.fees = 0;
    }

    // ---------------------------------------------------------------- copies

    /// @dev The copy of an agreement's route, with its notes if there is such an agreement; then the price is not 0.
    function _openAgreement(Cursor memory cursor, uint256 id) private view returns (WordCopy copy) {
        copy = cursor.copies.copyOf(_slotOf(_agreement(id)));
        if (copy.note(PRICE) == 0) _noteTerms(cursor, copy, id);
    }

    function _noteTerms(Cursor memory cursor, WordCopy copy, uint256 id) private view {
        AgreementRoute route = _route(copy);
        if (route.hasKind(AgreementKind.None)) return;
        WordCopy source = _burnt(cursor, route.source());
        uint256 payee = route.target();
        if (route.hasKind(AgreementKind.Exchange)) {
            WordCopy target = _minted(cursor, route.target());
            copy.setNote(TARGET, WordCopy.unwrap(target));
            payee = _side(target).merchant();
        }
        copy.setNote(SOURCE, WordCopy.unwrap(source));
        copy.setNote(PAYER, WordCopy.unwrap(_position(cursor, _side(source).merchant())));
        copy.setNote(PAYEE, WordCopy.unwrap(_position(cursor, payee)));
        copy.setNote(PRICE, AgreementPrice.unwrap(_agreement(id).price));
    }

    /// @dev A note that says which id it is about. Unlike the id, it is never 0, as a note is that nobody made.
    function _mark(uint256 id) internal pure returns (uint256) {
        unchecked {
            return id + 1;
        }
    }

    function _noted(WordCopy copy, uint256 place) private pure returns (WordCopy) {
        return WordCopy.wrap(copy.note(place));
    }

    function _route(WordCopy copy) private pure returns (AgreementRoute) {
        return AgreementRoute.wrap(copy.word());
    }

    function _side(WordCopy copy) private pure returns (ProgramSide) {
        return ProgramSide.wrap(copy.word());
    }

    function _setSide(WordCopy copy, ProgramSide side) private pure {
        copy.set(ProgramSide.unwrap(side));
    }

    function _minted(Cursor memory cursor, uint256 program) private view returns (WordCopy) {
        return cursor.copies.copyOf(_slotOf(_program(program)));
    }

    /// @dev The burnt side lies behind the minted one.
    function _burnt(Cursor memory cursor, uint256 program) private view returns (WordCopy) {
        unchecked {
            return cursor.copies.copyOf(_slotOf(_program(program)) + 1);
        }
    }

    function _position(Cursor memory cursor, uint256 merchant) internal view returns (WordCopy) {
        return cursor.copies.copyOf(_slotOf(_merchant(merchant)));
    }

    // ---------------------------------------------------------------- entries and evidence

    function _post(
        Cursor memory cursor,
        Instruction instruction,
        uint256 expiryDay,
        uint256 agreement,
        EntryAmounts amounts
    ) private {
        EntryHead entryHead = cursor.head.withMovement(instruction.kind(), expiryDay, instruction.program(), agreement);
        cursor.nextLeaf = MerkleTree.write(cursor.nextLeaf, _emitEntry(instruction, entryHead, amounts));
        cursor.head = cursor.head.afterEntry();
    }

    /// @dev The batch's evidence. The cursor keeps its place, so that it need not be passed to every instruction. Assembly, because a
    /// struct in memory cannot refer to calldata.
    function _evidenceOf(Cursor memory cursor) internal pure returns (Evidence[] calldata evidence) {
        (uint256 offset, uint256 count) = (cursor.evidenceOffset, cursor.evidenceCount);
        assembly ("memory-safe") {
            evidence.offset := offset
            evidence.length := count
        }
    }
}
// slither-disable-end incorrect-equality
