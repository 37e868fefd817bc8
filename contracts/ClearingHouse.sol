// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {Agreements} from "./Agreements.sol";
import {AgreementKind, AgreementTerms, IClearingHouse, Kind, MerchantStatus, Reason, Role} from "./interfaces/IClearingHouse.sol";
import {Journal} from "./Journal.sol";
import {EntriesLib, Entry, EntryAmounts, EntryHead, Evidence} from "./libraries/Entries.sol";
import {Instruction, InstructionHead, Order, OrderHead, OrdersLib} from "./libraries/Orders.sol";
import {RateMath} from "./libraries/RateMath.sol";
import {Points} from "./Points.sol";
import {Registry} from "./Registry.sol";
import {Settlement} from "./Settlement.sol";

/// @title ClearingHouse
/// @notice Executes merchants' signed orders. Each kind of instruction is one function that checks everything, then applies,
/// then posts the entry; a check that fails returns a `Reason` and has changed nothing.
contract ClearingHouse is Agreements, Points, Settlement, Journal, IERC165 {
    /// @dev Where we are in a batch. `entries` counts the leaves written so far.
    struct Cursor {
        uint256 batch;
        uint256 entries;
        uint32 merchant;
        uint48 nonce;
        uint256 item;
        uint32 today;
        bool suspended;
        bytes32[] leaves;
    }

    /// @dev What an instruction moves, once its checks have passed.
    struct Movement {
        uint256 points;
        uint256 out;
        uint256 settled;
        uint256 fee;
        uint256 expiryDay;
        uint256 agreement;
    }

    /// @dev Entries of a batch are numbered with 16 bits.
    uint256 private constant MAX_INSTRUCTIONS = type(uint16).max;

    constructor(address admin, bytes32 operatorName, int32 utcOffsetSeconds)
        Registry(admin, operatorName, utcOffsetSeconds)
    {}

    // ---------------------------------------------------------------- execution

    /// @inheritdoc IClearingHouse
    function execute(Order[] calldata orders, Evidence[] calldata evidence)
        external
        override
        onlyRole(Role.Sequencer)
        whenNotPaused
    {
        Cursor memory cursor;
        cursor.batch = batchCount + 1;
        cursor.today = today();
        cursor.leaves = new bytes32[](_countInstructions(orders));

        for (uint256 i = 0; i < orders.length; ++i) {
            _executeOrder(cursor, orders[i], evidence);
        }
        _closeBatch(cursor.batch, cursor.leaves, cursor.entries);
    }

    /// @inheritdoc IClearingHouse
    function executeAtomic(Order calldata order, Evidence[] calldata evidence, uint256 batch, uint256 index)
        external
        override
        returns (bytes32[] memory leaves)
    {
        if (msg.sender != address(this)) revert OnlySelf();

        Cursor memory cursor;
        cursor.batch = batch;
        cursor.entries = index;
        cursor.today = today();
        _enter(cursor, order.head);
        // The frame's own leaves are written from 0: it hands them back, and `_append` puts them where they belong.
        leaves = new bytes32[](order.instructions.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            cursor.item = i;
            (Reason reason, bytes32 leaf) = _apply(cursor, order.instructions[i], evidence);
            if (reason != Reason.None) revert AtomicRefused(uint16(i), reason);
            leaves[i] = leaf;
            ++cursor.entries;
        }
    }

    function _countInstructions(Order[] calldata orders) private pure returns (uint256 count) {
        for (uint256 i = 0; i < orders.length; ++i) {
            count += orders[i].instructions.length;
        }
        if (count > MAX_INSTRUCTIONS) revert BatchTooLarge(count);
    }

    function _executeOrder(Cursor memory cursor, Order calldata order, Evidence[] calldata evidence) private {
        OrderHead head = order.head;
        bytes32 digest = _hashTypedDataV4(OrdersLib.hash(order));

        Reason reason = _admit(head, digest, order.r, order.vs);
        if (reason != Reason.None) {
            emit OrderRejected(head.merchant(), head.nonce(), digest, reason);
        } else if (head.atomic()) {
            _executeWhole(cursor, order, evidence, digest);
        } else {
            _executeItems(cursor, order, evidence);
        }
    }

    /// @dev Consumes the nonce if, and only if, the order is admitted.
    function _admit(OrderHead head, bytes32 digest, bytes32 r, bytes32 vs) private returns (Reason) {
        uint32 merchant = head.merchant();
        (address key, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, r, vs);
        if (failure != ECDSA.RecoverError.NoError || !_isLiveKey(merchant, key)) return Reason.UnknownSigner;
        if (block.timestamp > head.deadline()) return Reason.DeadlinePassed;
        if (_merchants[merchant].status == MerchantStatus.Closed) return Reason.MerchantClosed;
        if (!_useNonce(merchant, head.nonce())) return Reason.NonceUsed;
        return Reason.None;
    }

    function _enter(Cursor memory cursor, OrderHead head) private view {
        cursor.merchant = head.merchant();
        cursor.nonce = head.nonce();
        cursor.suspended = _merchants[cursor.merchant].status == MerchantStatus.Suspended;
    }

    /// @dev Item by item: what is refused is reported, the rest goes on.
    function _executeItems(Cursor memory cursor, Order calldata order, Evidence[] calldata evidence) private {
        _enter(cursor, order.head);
        uint256 count = order.instructions.length;
        for (uint256 i = 0; i < count; ++i) {
            cursor.item = i;
            (Reason reason, bytes32 leaf) = _apply(cursor, order.instructions[i], evidence);
            if (reason == Reason.None) {
                cursor.leaves[cursor.entries++] = leaf;
            } else {
                emit InstructionRejected(cursor.merchant, cursor.nonce, uint16(i), reason);
            }
        }
    }

    /// @dev All or nothing: the order runs in a frame that reverts when an instruction is refused. A frame that fails in any other
    /// way (out of gas, say) fails the batch, so that nobody can have an order refused by starving it.
    function _executeWhole(Cursor memory cursor, Order calldata order, Evidence[] calldata evidence, bytes32 digest) private {
        try this.executeAtomic(order, evidence, cursor.batch, cursor.entries) returns (bytes32[] memory leaves) {
            for (uint256 i = 0; i < leaves.length; ++i) {
                cursor.leaves[cursor.entries++] = leaves[i];
            }
        } catch (bytes memory failure) {
            (uint16 item, Reason reason) = _refusal(failure);
            emit InstructionRejected(order.head.merchant(), order.head.nonce(), item, reason);
            emit OrderRejected(order.head.merchant(), order.head.nonce(), digest, Reason.AtomicFailed);
        }
    }

    /// @dev Decodes `AtomicRefused`, or reverts with the failure as it is. Assembly: Solidity cannot slice or rethrow memory bytes.
    function _refusal(bytes memory failure) private pure returns (uint16 item, Reason reason) {
        if (bytes4(failure) != AtomicRefused.selector) {
            assembly ("memory-safe") {
                revert(add(failure, 0x20), mload(failure))
            }
        }
        assembly ("memory-safe") {
            item := mload(add(failure, 0x24))
            reason := mload(add(failure, 0x44))
        }
    }

    // ---------------------------------------------------------------- instructions

    function _apply(Cursor memory cursor, Instruction calldata i, Evidence[] calldata evidence)
        private
        returns (Reason, bytes32 leaf)
    {
        uint8 kind = i.head.kind();
        if (i.head.points() == 0) return (Reason.ZeroPoints, 0);
        if (i.member == address(0)) return (Reason.ZeroMember, 0);
        if (kind == uint8(Kind.Exchange) || kind == uint8(Kind.Spend)) return _convert(cursor, i, kind);
        if (kind == uint8(Kind.Issue)) return _issue(cursor, i);
        if (kind == uint8(Kind.Redeem) || kind == uint8(Kind.Expire)) return _burn(cursor, i, kind);
        if (kind == uint8(Kind.Transfer)) return _transfer(cursor, i);
        if (kind == uint8(Kind.Reverse)) return _reverse(cursor, i, evidence);
        return (Reason.UnknownKind, 0);
    }

    /// @dev Issue: points come into being at the program's own merchant.
    function _issue(Cursor memory cursor, Instruction calldata i) private returns (Reason reason, bytes32) {
        Program storage p = _programs[i.head.program()];
        uint64 points = i.head.points();
        uint32 expiryDay = i.head.expiryDay();

        if (cursor.suspended) return (Reason.MerchantSuspended, 0);
        reason = _checkOwner(cursor, p, i.head.program());
        if (reason != Reason.None) return (reason, 0);
        if (expiryDay != 0 && expiryDay <= cursor.today) return (Reason.AlreadyExpired, 0);
        if (!_canMint(p, points)) return (Reason.SupplyOverflow, 0);

        p.issued += points;
        _credit(i.member, i.head.program(), points);

        return (Reason.None, _postMovement(cursor, i, _movement(points, expiryDay)));
    }

    /// @dev Redeem and expire: points go out of being at the program's own merchant.
    function _burn(Cursor memory cursor, Instruction calldata i, uint8 kind) private returns (Reason reason, bytes32) {
        uint32 program = i.head.program();
        Program storage p = _programs[program];
        uint64 points = i.head.points();

        reason = _checkOwner(cursor, p, program);
        if (reason != Reason.None) return (reason, 0);
        if (_balance(i.member, program) < points) return (Reason.InsufficientPoints, 0);

        if (kind == uint8(Kind.Redeem)) p.redeemed += points;
        else p.expired += points;
        _debit(i.member, program, points);

        return (Reason.None, _postMovement(cursor, i, _movement(points, 0)));
    }

    /// @dev Transfer: points move to another member of the same program.
    function _transfer(Cursor memory cursor, Instruction calldata i) private returns (Reason reason, bytes32) {
        uint32 program = i.head.program();
        uint64 points = i.head.points();
        address recipient = address(uint160(uint256(i.link)));

        if (cursor.suspended) return (Reason.MerchantSuspended, 0);
        reason = _checkOwner(cursor, _programs[program], program);
        if (reason != Reason.None) return (reason, 0);
        bool badRecipient = recipient == address(0) || recipient == i.member || uint256(i.link) >> 160 != 0;
        if (badRecipient) return (Reason.BadRecipient, 0);
        if (_balance(i.member, program) < points) return (Reason.InsufficientPoints, 0);

        _debit(i.member, program, points);
        _credit(recipient, program, points);

        return (Reason.None, _postMovement(cursor, i, _movement(points, 0)));
    }

    /// @dev Exchange: source points are burnt, target points minted. Spend: source points are burnt for goods. Either way the source
    /// merchant pays the target merchant, and the operator its fee, at once.
    function _convert(Cursor memory cursor, Instruction calldata i, uint8 kind) private returns (Reason reason, bytes32) {
        Agreement storage agreement = _agreements[i.head.agreement()];
        AgreementTerms memory a = agreement.terms;
        Movement memory m;

        reason = _checkAgreement(cursor, i, a, kind);
        if (reason != Reason.None) return (reason, 0);
        reason = _price(cursor, i, a, m);
        if (reason != Reason.None) return (reason, 0);
        uint256 used = (agreement.usedDay == cursor.today ? agreement.usedPoints : 0) + m.points;
        if (used > a.dailyCap) return (Reason.OverDailyCap, 0);
        if (_balance(i.member, a.sourceProgram) < m.points) return (Reason.InsufficientPoints, 0);
        if (!_canPay(a.sourceMerchant, m.settled + m.fee)) return (Reason.InsufficientLiquidity, 0);

        _debit(i.member, a.sourceProgram, m.points);
        if (kind == uint8(Kind.Exchange)) {
            _programs[a.sourceProgram].exchangedOut += uint64(m.points);
            _programs[a.targetProgram].exchangedIn += uint64(m.out);
            _credit(i.member, a.targetProgram, m.out);
        } else {
            _programs[a.sourceProgram].spent += uint64(m.points);
        }
        agreement.usedDay = cursor.today;
        agreement.usedPoints = uint64(used);
        _pay(a.sourceMerchant, a.targetMerchant, m.settled);
        _pay(a.sourceMerchant, OPERATOR_MERCHANT, m.fee);

        return (Reason.None, _postMovement(cursor, i, m));
    }

    /// @dev Reverse: undoes part of an earlier entry. The merchant that gives value back signs, and pays back what it was paid; the
    /// operator keeps its fee. Rounding favours the network: parts add up to exactly the whole.
    function _reverse(Cursor memory cursor, Instruction calldata i, Evidence[] calldata evidence)
        private
        returns (Reason reason, bytes32)
    {
        uint256 slot = i.head.evidence();
        if (slot >= evidence.length) return (Reason.UnknownEntry, 0);
        Entry calldata original = evidence[slot].entry;
        bool proven = _leafOf(original) == i.link && verifyEntry(original, evidence[slot].proof);
        bool same = original.member == i.member && original.head.program() == i.head.program();
        if (!proven || !same) return (Reason.UnknownEntry, 0);
        if (original.head.kind() == uint8(Kind.Reverse)) return (Reason.NotReversible, 0);

        Movement memory m;
        reason = _share(i, original, m);
        if (reason != Reason.None) return (reason, 0);
        reason = original.head.agreement() == 0
            ? _undoOwn(cursor, i, original)
            : _undoConversion(cursor, i, _agreements[original.head.agreement()].terms, m);
        if (reason != Reason.None) return (reason, 0);

        _reversed[i.link] += uint64(m.points);

        return (Reason.None, _postMovement(cursor, i, m));
    }

    /// @dev Undoes an issue, redeem, expire or transfer, all of which are the program's merchant's own.
    function _undoOwn(Cursor memory cursor, Instruction calldata i, Entry calldata original) private returns (Reason reason) {
        uint32 program = i.head.program();
        Program storage p = _programs[program];
        uint64 points = i.head.points();
        uint8 kind = original.head.kind();

        reason = _checkOwner(cursor, p, program);
        if (reason == Reason.NotProgramMerchant) return Reason.NotGiver;
        if (reason != Reason.None) return reason;
        if (kind == uint8(Kind.Issue)) {
            if (_balance(i.member, program) < points) return Reason.InsufficientPoints;
            p.revoked += points;
            _debit(i.member, program, points);
        } else if (kind == uint8(Kind.Transfer)) {
            address recipient = address(uint160(uint256(original.link)));
            if (_balance(recipient, program) < points) return Reason.InsufficientPoints;
            _debit(recipient, program, points);
            _credit(i.member, program, points);
        } else {
            if (!_canMint(p, points)) return Reason.SupplyOverflow;
            p.restored += points;
            _credit(i.member, program, points);
        }
        return Reason.None;
    }

    /// @dev Undoes an exchange or a spend: the source points come back, the target points go, the settlement flows back.
    function _undoConversion(Cursor memory cursor, Instruction calldata i, AgreementTerms storage a, Movement memory m)
        private
        returns (Reason)
    {
        uint32 target = a.targetProgram;
        Program storage source = _programs[a.sourceProgram];

        if (cursor.merchant != a.targetMerchant) return Reason.NotGiver;
        if (source.paused || _programs[target].paused) return Reason.ProgramPaused;
        if (!_canMint(source, m.points)) return Reason.SupplyOverflow;
        if (m.out != 0 && _balance(i.member, target) < m.out) return Reason.InsufficientPoints;
        if (!_canPay(a.targetMerchant, m.settled)) return Reason.InsufficientLiquidity;

        source.restored += uint64(m.points);
        _credit(i.member, a.sourceProgram, m.points);
        if (m.out != 0) {
            _programs[target].revoked += uint64(m.out);
            _debit(i.member, target, m.out);
        }
        _pay(a.targetMerchant, a.sourceMerchant, m.settled);
        return Reason.None;
    }

    // ---------------------------------------------------------------- checks

    /// @dev Whether the order's merchant runs `program`, and it is not paused.
    function _checkOwner(Cursor memory cursor, Program storage p, uint32 program) private view returns (Reason) {
        if (program == 0 || p.merchant != cursor.merchant || program > programCount) return Reason.NotProgramMerchant;
        if (p.paused) return Reason.ProgramPaused;
        return Reason.None;
    }

    /// @dev Whether the order's merchant may use agreement `a` for this instruction now.
    function _checkAgreement(Cursor memory cursor, Instruction calldata i, AgreementTerms memory a, uint8 kind)
        private
        view
        returns (Reason)
    {
        AgreementKind wanted = kind == uint8(Kind.Exchange) ? AgreementKind.Exchange : AgreementKind.Acceptance;
        if (a.kind != wanted || a.sourceProgram != i.head.program()) return Reason.WrongAgreement;
        if (block.timestamp < a.validFrom || block.timestamp >= a.validUntil) return Reason.AgreementNotLive;
        bool bySource = cursor.merchant == a.sourceMerchant && a.initiators & SOURCE_MAY_INITIATE != 0;
        bool byTarget = cursor.merchant == a.targetMerchant && a.initiators & TARGET_MAY_INITIATE != 0;
        if (!bySource && !byTarget) return Reason.NotInitiator;
        if (cursor.suspended) return Reason.MerchantSuspended;
        uint32 counterparty = bySource ? a.targetMerchant : a.sourceMerchant;
        if (_merchants[counterparty].status != MerchantStatus.Active) return Reason.CounterpartyInactive;
        if (_programs[a.sourceProgram].paused || _programs[a.targetProgram].paused) return Reason.ProgramPaused;
        if (i.head.points() > a.maxPoints) return Reason.OverInstructionCap;
        return Reason.None;
    }

    /// @dev Computes what the instruction moves under agreement `a`, into `m`.
    function _price(Cursor memory cursor, Instruction calldata i, AgreementTerms memory a, Movement memory m)
        private
        view
        returns (Reason)
    {
        m.points = i.head.points();
        m.agreement = i.head.agreement();
        uint256 priced = m.points;
        if (a.kind == AgreementKind.Exchange) {
            m.out = RateMath.targetPointsDown(m.points, a.rateNum, a.rateDen);
            if (m.out == 0 || m.out < i.head.minOut()) return Reason.BelowMinimum;
            if (m.out > type(uint64).max || !_canMint(_programs[a.targetProgram], m.out)) return Reason.SupplyOverflow;
            m.points = RateMath.sourcePointsUp(m.out, a.rateNum, a.rateDen);
            if (a.lifetimeDays != 0) m.expiryDay = cursor.today + a.lifetimeDays;
            priced = m.out;
        }
        m.settled = priced * a.unitPriceMicros;
        m.fee = RateMath.feeUp(m.settled, a.feeBps);
        if (m.settled > type(uint64).max) return Reason.AmountTooLarge;
        return Reason.None;
    }

    /// @dev Computes the part of `original` that the instruction reverses, into `m`.
    function _share(Instruction calldata i, Entry calldata original, Movement memory m) private view returns (Reason) {
        uint256 whole = original.amounts.points();
        uint256 before = _reversed[i.link];
        m.points = i.head.points();
        if (before + m.points > whole) return Reason.OverReversal;

        m.agreement = original.head.agreement();
        uint256 out = original.amounts.out();
        m.out = RateMath.shareUp(out, before + m.points, whole) - RateMath.shareUp(out, before, whole);
        // Exact either way: what was settled is a whole price times `out` (exchange) or times `points` (spend).
        m.settled = out == 0
            ? uint256(original.amounts.settled()) / whole * m.points
            : uint256(original.amounts.settled()) / out * m.out;
        return Reason.None;
    }

    // ---------------------------------------------------------------- posting

    function _movement(uint256 points, uint256 expiryDay) private pure returns (Movement memory m) {
        m.points = points;
        m.expiryDay = expiryDay;
    }

    function _postMovement(Cursor memory cursor, Instruction calldata i, Movement memory m) private returns (bytes32) {
        EntryHead head_ = EntriesLib.pack(
            cursor.batch,
            cursor.entries,
            cursor.merchant,
            cursor.nonce,
            cursor.item,
            i.head.kind(),
            m.expiryDay,
            i.head.program(),
            m.agreement
        );
        EntryAmounts amounts = EntriesLib.packAmounts(m.points, m.out, m.settled, m.fee);
        return _post(i.member, head_, amounts, i.ref, i.link);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function digestOf(Order calldata order) external view override returns (bytes32) {
        return _hashTypedDataV4(OrdersLib.hash(order));
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure override returns (bool) {
        return id == type(IClearingHouse).interfaceId || id == type(IERC165).interfaceId;
    }
}
