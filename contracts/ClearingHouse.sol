// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {Agreements} from "./Agreements.sol";
import {Journal} from "./Journal.sol";
import {Points} from "./Points.sol";
import {Registry} from "./Registry.sol";
import {Settlement} from "./Settlement.sol";
import {AgreementKind, IClearingHouse, Kind, MerchantStatus, Reason, Role} from "./interfaces/IClearingHouse.sol";
import {Account} from "./libraries/Account.sol";
import {Price, Route} from "./libraries/AgreementWords.sol";
import {BalancePage} from "./libraries/BalancePage.sol";
import {EntriesLib, Entry, EntryAmounts, EntryHead, Evidence} from "./libraries/Entries.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {Instruction, InstructionHead, Order, OrderHead, OrdersLib} from "./libraries/Orders.sol";
import {ProgramSide, ProgramSideLib} from "./libraries/ProgramSide.sol";
import {RateMath} from "./libraries/RateMath.sol";

/// @title ClearingHouse
/// @notice Executes merchants' signed orders. Each kind of instruction is one function that checks everything, then applies,
/// then posts the entry; a check that fails returns a `Reason` and has changed nothing.
contract ClearingHouse is Agreements, Points, Settlement, Journal, IERC165 {
    /// @dev Where we are in a batch: the head of the next entry (batch, index, merchant, nonce and item are filled in), and the
    /// leaves so far. One for each frame, changed in place, so that no instruction leaves memory behind.
    struct Cursor {
        EntryHead head;
        uint256 today;
        bool suspended;
        uint256 count;
        bytes32[] leaves;
    }

    /// @dev Entries of a batch and items of an order are numbered with 16 bits.
    uint256 private constant MAX_INSTRUCTIONS = type(uint16).max;

    /// @dev Calldata of one instruction.
    uint256 private constant INSTRUCTION_BYTES = 128;

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
        // As many instructions as the calldata has room for; counting them would cost more than the memory.
        uint256 most = msg.data.length / INSTRUCTION_BYTES;
        if (most > MAX_INSTRUCTIONS) revert BatchTooLarge(most);
        uint40 batch = batchCount + 1;
        bytes32 domain = _domainSeparatorV4();
        Cursor memory c;
        c.today = today();
        c.leaves = new bytes32[](most);

        for (uint256 i = 0; i < orders.length; ++i) {
            _executeOrder(c, batch, domain, orders[i], evidence);
        }
        _closeBatch(batch, c.leaves, c.count);
    }

    /// @inheritdoc IClearingHouse
    function executeAtomic(EntryHead start, Instruction[] calldata instructions, Evidence[] calldata evidence)
        external
        override
        returns (bytes32[] memory)
    {
        if (msg.sender != address(this)) revert OnlySelf();

        Cursor memory c;
        c.head = start;
        c.today = today();
        c.suspended = _merchant(start.merchant()).account.isIn(MerchantStatus.Suspended);
        c.leaves = new bytes32[](instructions.length);
        _executeItems(c, instructions, evidence, true);
        return c.leaves;
    }

    function _executeOrder(
        Cursor memory c,
        uint256 batch,
        bytes32 domain,
        Order calldata order,
        Evidence[] calldata evidence
    ) private {
        OrderHead head = order.head;
        Instruction[] calldata instructions = order.instructions;
        Account account = _merchant(head.merchant()).account;
        bytes32 digest = MessageHashUtils.toTypedDataHash(domain, OrdersLib.hash(head, instructions));
        // Only orders that overlap in the calldata can be more than there is room for.
        if (c.count + instructions.length > c.leaves.length) revert BatchTooLarge(c.count + instructions.length);

        Reason reason = _admit(head, account, digest, order.r, order.vs);
        if (reason != Reason.None) {
            emit OrderRejected(uint32(head.merchant()), uint48(head.nonce()), digest, reason);
            return;
        }
        c.head = EntriesLib.begin(batch, c.count, head.merchant(), head.nonce());
        c.suspended = account.isIn(MerchantStatus.Suspended);
        if (head.atomic()) _executeWhole(c, instructions, evidence, digest);
        else _executeItems(c, instructions, evidence, false);
    }

    /// @dev Consumes the nonce if, and only if, the order is admitted. What is not a signature recovers to key 0, which is nobody's.
    function _admit(OrderHead head, Account account, bytes32 digest, bytes32 r, bytes32 vs) private returns (Reason) {
        (address key,,) = ECDSA.tryRecover(digest, r, vs);
        if (!_isLiveKey(head.merchant(), key)) return Reason.UnknownSigner;
        if (block.timestamp > head.deadline()) return Reason.DeadlinePassed;
        if (account.isIn(MerchantStatus.Closed)) return Reason.MerchantClosed;
        if (!_useNonce(head.merchant(), head.nonce())) return Reason.NonceUsed;
        return Reason.None;
    }

    /// @dev Item by item. What is refused is reported, and the rest goes on; in the frame of an atomic order it undoes the frame.
    function _executeItems(
        Cursor memory c,
        Instruction[] calldata instructions,
        Evidence[] calldata evidence,
        bool atomic
    ) private {
        for (uint256 i = 0; i < instructions.length; ++i) {
            Reason reason = _apply(c, instructions[i], evidence);
            if (reason != Reason.None) {
                if (atomic) revert AtomicRefused(uint16(i), reason);
                _reportRefusal(c, i, reason);
            }
            c.head = c.head.nextItem();
        }
    }

    /// @dev All or nothing: the order runs in a frame that reverts when an instruction is refused. A frame that fails in any other
    /// way (out of gas, say) fails the batch, so that nobody can have an order refused by starving it.
    function _executeWhole(
        Cursor memory c,
        Instruction[] calldata instructions,
        Evidence[] calldata evidence,
        bytes32 digest
    ) private {
        if (_callFrame(c.head, instructions, evidence)) {
            _takeLeaves(c, instructions.length);
        } else {
            (uint256 item, Reason reason) = _refusalOfFrame();
            _reportRefusal(c, item, reason);
            emit OrderRejected(uint32(c.head.merchant()), uint48(c.head.nonce()), digest, Reason.AtomicFailed);
        }
    }

    function _reportRefusal(Cursor memory c, uint256 item, Reason reason) private {
        emit InstructionRejected(uint32(c.head.merchant()), uint48(c.head.nonce()), uint16(item), reason);
    }

    /// @dev Calls `executeAtomic`. Assembly, because the compiler would decode and encode both arrays again, element by element. They
    /// can travel as they came: inside them, offsets count from their own beginning.
    function _callFrame(EntryHead start, Instruction[] calldata instructions, Evidence[] calldata evidence)
        private
        returns (bool done)
    {
        bytes32 selector = IClearingHouse.executeAtomic.selector;
        assembly ("memory-safe") {
            let m := mload(0x40)
            let size := shl(7, instructions.length)
            let from := sub(evidence.offset, 0x20) // at the array's length
            let rest := sub(calldatasize(), from)
            mstore(m, selector)
            mstore(add(m, 0x04), start)
            mstore(add(m, 0x24), 0x60)
            mstore(add(m, 0x44), add(0x80, size))
            mstore(add(m, 0x64), instructions.length)
            calldatacopy(add(m, 0x84), instructions.offset, size)
            calldatacopy(add(add(m, 0x84), size), from, rest)
            done := call(gas(), address(), 0, m, add(add(0x84, size), rest), 0, 0)
        }
    }

    /// @dev Appends the `count` leaves that the frame returned. Assembly, to copy them straight to where they belong.
    function _takeLeaves(Cursor memory c, uint256 count) private pure {
        bytes32[] memory leaves = c.leaves;
        uint256 offset = c.count * 32;
        assembly ("memory-safe") {
            returndatacopy(add(add(leaves, 0x20), offset), 0x40, shl(5, count))
        }
        c.count += count;
    }

    /// @dev Reads the frame's `AtomicRefused`, or reverts with whatever else it failed with. Assembly: Solidity offers neither.
    function _refusalOfFrame() private pure returns (uint256 item, Reason reason) {
        bytes4 selector = AtomicRefused.selector;
        assembly ("memory-safe") {
            let m := mload(0x40)
            returndatacopy(m, 0, returndatasize())
            if iszero(and(eq(returndatasize(), 0x44), eq(shr(224, mload(m)), shr(224, selector)))) {
                revert(m, returndatasize())
            }
            item := mload(add(m, 0x04))
            reason := mload(add(m, 0x24))
        }
    }

    // ---------------------------------------------------------------- instructions

    function _apply(Cursor memory c, Instruction calldata i, Evidence[] calldata evidence) private returns (Reason) {
        InstructionHead head = i.head;
        uint256 kind = head.kind();
        if (head.points() == 0) return Reason.ZeroPoints;
        if (i.member == address(0)) return Reason.ZeroMember;
        if (kind == uint256(Kind.Exchange)) return _exchange(c, i);
        if (kind == uint256(Kind.Issue)) return _issue(c, i);
        if (kind == uint256(Kind.Spend)) return _spend(c, i);
        if (kind == uint256(Kind.Redeem)) return _redeem(c, i);
        if (kind == uint256(Kind.Transfer)) return _transfer(c, i);
        if (kind == uint256(Kind.Reverse)) return _reverse(c, i, evidence);
        if (kind == uint256(Kind.Expire)) return _expire(c, i);
        return Reason.UnknownKind;
    }

    /// @dev Issue: points come into being at the program's own merchant.
    function _issue(Cursor memory c, Instruction calldata i) private returns (Reason reason) {
        InstructionHead head = i.head;
        uint256 points = head.points();
        uint256 expiryDay = head.expiryDay();
        Program storage program = _program(head.program());
        ProgramSide minted = program.minted;

        if (c.suspended) return Reason.MerchantSuspended;
        reason = _checkOwn(c, minted);
        if (reason != Reason.None) return reason;
        if (expiryDay != 0 && expiryDay <= c.today) return Reason.AlreadyExpired;
        if (!minted.canTake(points)) return Reason.SupplyOverflow;

        program.minted = minted.plus(ProgramSideLib.ISSUED, points);
        _credit(i.member, head.program(), points);

        _post(c, i, expiryDay, 0, EntriesLib.packAmounts(points, 0, 0, 0));
    }

    /// @dev Redeem: points go out of being at the program's own merchant.
    function _redeem(Cursor memory c, Instruction calldata i) private returns (Reason reason) {
        InstructionHead head = i.head;
        uint256 points = head.points();
        Program storage program = _program(head.program());
        ProgramSide burnt = program.burnt;

        reason = _checkOwn(c, burnt);
        if (reason != Reason.None) return reason;
        if (!_tryDebit(i.member, head.program(), points)) return Reason.InsufficientPoints;

        program.burnt = burnt.plus(ProgramSideLib.REDEEMED, points);

        _post(c, i, 0, 0, EntriesLib.packAmounts(points, 0, 0, 0));
    }

    /// @dev Expire: points go out of being because their time is over; the merchant vouches for that.
    function _expire(Cursor memory c, Instruction calldata i) private returns (Reason reason) {
        InstructionHead head = i.head;
        uint256 points = head.points();
        Program storage program = _program(head.program());

        reason = _checkOwn(c, program.burnt);
        if (reason != Reason.None) return reason;
        if (!_tryDebit(i.member, head.program(), points)) return Reason.InsufficientPoints;

        program.voided = program.voided.plus(ProgramSideLib.EXPIRED, points);

        _post(c, i, 0, 0, EntriesLib.packAmounts(points, 0, 0, 0));
    }

    /// @dev Transfer: points move to another member of the same program.
    function _transfer(Cursor memory c, Instruction calldata i) private returns (Reason reason) {
        InstructionHead head = i.head;
        uint256 points = head.points();
        address recipient = address(uint160(uint256(i.link)));

        if (c.suspended) return Reason.MerchantSuspended;
        reason = _checkOwn(c, _program(head.program()).burnt);
        if (reason != Reason.None) return reason;
        bool badRecipient = recipient == address(0) || recipient == i.member || uint256(i.link) >> 160 != 0;
        if (badRecipient) return Reason.BadRecipient;
        if (!_tryDebit(i.member, head.program(), points)) return Reason.InsufficientPoints;

        _credit(recipient, head.program(), points);

        _post(c, i, 0, 0, EntriesLib.packAmounts(points, 0, 0, 0));
    }

    /// @dev Exchange: source points are burnt, target points minted; the source merchant pays the target merchant for them, and
    /// the operator its fee, at once. What the rate leaves over stays with the member.
    function _exchange(Cursor memory c, Instruction calldata i) private returns (Reason reason) {
        InstructionHead head = i.head;
        Agreement storage agreement = _agreement(head.agreement());
        Route route = agreement.route;
        Price price = agreement.price;
        Program storage source = _program(route.source());
        Program storage target = _program(route.target());
        ProgramSide burnt = source.burnt;
        ProgramSide minted = target.minted;

        reason = _checkAgreement(c, head, route, AgreementKind.Exchange, burnt.merchant(), minted.merchant());
        if (reason != Reason.None) return reason;
        if (burnt.paused() || minted.paused()) return Reason.ProgramPaused;
        if (head.points() > price.maxPoints()) return Reason.OverInstructionCap;
        uint256 out = RateMath.targetPointsDown(head.points(), price.rateNum(), price.rateDen());
        if (out == 0 || out < head.minOut()) return Reason.BelowMinimum;
        if (!minted.canTake(out)) return Reason.SupplyOverflow;
        uint256 points = RateMath.sourcePointsUp(out, price.rateNum(), price.rateDen());
        uint256 settled = RateMath.product(out, price.unitPriceMicros());
        uint256 fee = RateMath.feeUp(settled, route.feeBps());
        if (settled > type(uint64).max) return Reason.AmountTooLarge;
        uint256 used = route.usedOn(c.today) + points;
        if (used > price.dailyCap()) return Reason.OverDailyCap;
        Pocket storage pocket = _pocketOf(i.member, head.program());
        BalancePage page = pocket.page;
        if (page.balance(head.program()) < points) return Reason.InsufficientPoints;
        Merchant storage payer = _merchant(burnt.merchant());
        Account paying = payer.account;
        if (!paying.covers(settled + fee)) return Reason.InsufficientLiquidity;

        agreement.route = route.withUse(c.today, used);
        source.burnt = burnt.plus(ProgramSideLib.EXCHANGED_OUT, points);
        target.minted = minted.plus(ProgramSideLib.EXCHANGED_IN, out);
        _swap(i.member, pocket, page, head.program(), points, route.target(), out);
        _settle(payer, paying, _merchant(minted.merchant()), settled, fee);

        uint256 expiryDay = route.lifetimeDays() == 0 ? 0 : c.today + route.lifetimeDays();
        _post(c, i, expiryDay, head.agreement(), EntriesLib.packAmounts(points, out, settled, fee));
    }

    /// @dev Spend: points are burnt for goods; their merchant pays the merchant that accepts them, and the operator its fee.
    function _spend(Cursor memory c, Instruction calldata i) private returns (Reason reason) {
        InstructionHead head = i.head;
        Agreement storage agreement = _agreement(head.agreement());
        Route route = agreement.route;
        Price price = agreement.price;
        Program storage source = _program(route.source());
        ProgramSide burnt = source.burnt;
        uint256 points = head.points();

        reason = _checkAgreement(c, head, route, AgreementKind.Acceptance, burnt.merchant(), route.target());
        if (reason != Reason.None) return reason;
        if (burnt.paused()) return Reason.ProgramPaused;
        if (points > price.maxPoints()) return Reason.OverInstructionCap;
        uint256 settled = RateMath.product(points, price.unitPriceMicros());
        uint256 fee = RateMath.feeUp(settled, route.feeBps());
        if (settled > type(uint64).max) return Reason.AmountTooLarge;
        uint256 used = route.usedOn(c.today) + points;
        if (used > price.dailyCap()) return Reason.OverDailyCap;
        Pocket storage pocket = _pocketOf(i.member, head.program());
        BalancePage page = pocket.page;
        if (page.balance(head.program()) < points) return Reason.InsufficientPoints;
        Merchant storage payer = _merchant(burnt.merchant());
        Account paying = payer.account;
        if (!paying.covers(settled + fee)) return Reason.InsufficientLiquidity;

        agreement.route = route.withUse(c.today, used);
        source.burnt = burnt.plus(ProgramSideLib.SPENT, points);
        pocket.page = page.debit(head.program(), points);
        _settle(payer, paying, _merchant(route.target()), settled, fee);

        _post(c, i, 0, head.agreement(), EntriesLib.packAmounts(points, 0, settled, fee));
    }

    /// @dev Reverse: undoes part of an earlier entry. The merchant that gives value back signs, and pays back what it was paid; the
    /// operator keeps its fee. Rounding favours the network: parts add up to exactly the whole.
    function _reverse(Cursor memory c, Instruction calldata i, Evidence[] calldata evidence)
        private
        returns (Reason reason)
    {
        uint256 slot = i.head.evidence();
        if (slot >= evidence.length) return Reason.UnknownEntry;
        Entry calldata original = evidence[slot].entry;
        EntryHead head = original.head;
        bool proven = _leafOf(original) == i.link && verifyEntry(original, evidence[slot].proof);
        bool same = original.member == i.member && head.program() == i.head.program();
        if (!proven || !same) return Reason.UnknownEntry;
        if (head.kind() == uint256(Kind.Reverse)) return Reason.NotReversible;
        uint256 before = _reversed[i.link];
        uint256 points = i.head.points();
        if (before + points > original.amounts.points()) return Reason.OverReversal;

        EntryAmounts share = _shareOf(original.amounts, before, points);
        reason = head.agreement() == 0
            ? _undoOwn(c, original, points)
            : _undoConversion(c, i.member, _agreement(head.agreement()).route, share);
        if (reason != Reason.None) return reason;
        _reversed[i.link] = uint64(before + points);

        _post(c, i, 0, head.agreement(), share);
    }

    /// @dev The part of `whole` that `points` reverse after `before` were reversed. The fee stays where it is.
    function _shareOf(EntryAmounts whole, uint256 before, uint256 points) private pure returns (EntryAmounts) {
        uint256 all = whole.points();
        uint256 out = RateMath.shareUp(whole.out(), before + points, all) - RateMath.shareUp(whole.out(), before, all);
        // Exact either way: what was settled is a whole price times `out` (exchange) or times `points` (spend).
        uint256 settled = whole.out() == 0 ? whole.settled() / all * points : whole.settled() / whole.out() * out;
        return EntriesLib.packAmounts(points, out, settled, 0);
    }

    /// @dev Undoes an issue, redeem, expire or transfer, all of which are the program's merchant's own.
    function _undoOwn(Cursor memory c, Entry calldata original, uint256 points) private returns (Reason) {
        uint256 id = original.head.program();
        uint256 kind = original.head.kind();
        Program storage program = _program(id);
        ProgramSide minted = program.minted;

        if (!minted.isRunBy(c.head.merchant())) return Reason.NotGiver;
        if (minted.paused()) return Reason.ProgramPaused;
        if (kind == uint256(Kind.Issue)) {
            if (!_tryDebit(original.member, id, points)) return Reason.InsufficientPoints;
            program.voided = program.voided.plus(ProgramSideLib.REVOKED, points);
        } else if (kind == uint256(Kind.Transfer)) {
            if (!_tryDebit(address(uint160(uint256(original.link))), id, points)) return Reason.InsufficientPoints;
            _credit(original.member, id, points);
        } else {
            if (!minted.canTake(points)) return Reason.SupplyOverflow;
            program.minted = minted.plus(ProgramSideLib.RESTORED, points);
            _credit(original.member, id, points);
        }
        return Reason.None;
    }

    /// @dev Undoes an exchange or a spend: the source points come back, the target points go, the settlement flows back.
    function _undoConversion(Cursor memory c, address member, Route route, EntryAmounts share)
        private
        returns (Reason)
    {
        bool exchange = route.isOf(AgreementKind.Exchange);
        Program storage source = _program(route.source());
        Program storage target = _program(route.target());
        ProgramSide restored = source.minted;
        ProgramSide given = exchange ? target.burnt : ProgramSideLib.pack(route.target());
        Merchant storage payer = _merchant(given.merchant());
        Account paying = payer.account;

        if (c.head.merchant() != given.merchant()) return Reason.NotGiver;
        if (restored.paused() || given.paused()) return Reason.ProgramPaused;
        if (!restored.canTake(share.points())) return Reason.SupplyOverflow;
        // Nothing comes after these two that could refuse, so the debit may be done right here.
        bool covered = paying.covers(share.settled());
        if (exchange) {
            Pocket storage pocket = _pocketOf(member, route.target());
            if (pocket.page.balance(route.target()) < share.out()) return Reason.InsufficientPoints;
            if (!covered) return Reason.InsufficientLiquidity;
            pocket.page = pocket.page.debit(route.target(), share.out());
            target.voided = target.voided.plus(ProgramSideLib.REVOKED, share.out());
        }
        if (!covered) return Reason.InsufficientLiquidity;

        source.minted = restored.plus(ProgramSideLib.RESTORED, share.points());
        _credit(member, route.source(), share.points());
        _settle(payer, paying, _merchant(restored.merchant()), share.settled(), 0);
        return Reason.None;
    }

    // ---------------------------------------------------------------- checks

    /// @dev Whether the order's merchant runs the program of which this is a side, and it is not paused.
    function _checkOwn(Cursor memory c, ProgramSide side) private pure returns (Reason) {
        if (!side.isRunBy(c.head.merchant())) return Reason.NotProgramMerchant;
        return side.paused() ? Reason.ProgramPaused : Reason.None;
    }

    /// @dev Whether the order's merchant may use an agreement of `kind` between `payer` and `payee` for this instruction now.
    function _checkAgreement(
        Cursor memory c,
        InstructionHead head,
        Route route,
        AgreementKind kind,
        uint256 payer,
        uint256 payee
    ) private view returns (Reason) {
        if (!route.isOf(kind) || route.source() != head.program()) return Reason.WrongAgreement;
        if (block.timestamp < route.validFrom() || block.timestamp >= route.validUntil()) {
            return Reason.AgreementNotLive;
        }
        uint256 merchant = c.head.merchant();
        bool bySource = merchant == payer && route.initiators() & SOURCE_MAY_INITIATE != 0;
        bool byTarget = merchant == payee && route.initiators() & TARGET_MAY_INITIATE != 0;
        if (!bySource && !byTarget) return Reason.NotInitiator;
        if (c.suspended) return Reason.MerchantSuspended;
        Account counterparty = _merchant(bySource ? payee : payer).account;
        return counterparty.isIn(MerchantStatus.Active) ? Reason.None : Reason.CounterpartyInactive;
    }

    // ---------------------------------------------------------------- posting

    function _post(Cursor memory c, Instruction calldata i, uint256 expiryDay, uint256 agreement, EntryAmounts amounts)
        private
    {
        EntryHead entryHead = c.head.about(i.head.kind(), expiryDay, i.head.program(), agreement);
        MerkleTree.put(c.leaves, c.count, _record(i, entryHead, amounts));
        unchecked {
            ++c.count;
        }
        c.head = c.head.skipEntries(1);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function digestOf(Order calldata order) external view override returns (bytes32) {
        return _hashTypedDataV4(OrdersLib.hash(order.head, order.instructions));
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure override returns (bool) {
        return id == type(IClearingHouse).interfaceId || id == type(IERC165).interfaceId;
    }
}
