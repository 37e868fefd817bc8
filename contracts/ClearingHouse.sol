// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClearingHouseLens} from "./ClearingHouseLens.sol";
import {ClearingHouseSuccession} from "./ClearingHouseSuccession.sol";
import {Instructions} from "./Instructions.sol";
import {Registry} from "./Registry.sol";
import {Evidence, IClearingHouse, MerchantStatus, Reason, Role} from "./interfaces/IClearingHouse.sol";
import {IClearingHouseSuccession} from "./interfaces/IClearingHouseSuccession.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {Orders} from "./libraries/Orders.sol";
import {CopyTableLib} from "./types/CopyTable.sol";
import {EntryHead, EntryHeadLib} from "./types/EntryHead.sol";
import {Instruction} from "./types/Instruction.sol";
import {MerchantPosition} from "./types/MerchantPosition.sol";
import {NewestBatch} from "./types/NewestBatch.sol";
import {OrderHead} from "./types/OrderHead.sol";
import {WordCopy} from "./types/WordCopy.sol";

/// @title ClearingHouse
/// @notice Executes batches of merchants' signed orders. This contract decides which orders are admitted, in which sequence their
/// instructions run, and whether a refusal undoes the whole order. `Instructions` says what an instruction does; each contract
/// below it keeps one kind of state.
contract ClearingHouse is Instructions {
    /// @dev Entries of a batch and items of an order are numbered with 16 bits.
    uint256 private constant MAX_INSTRUCTIONS = type(uint16).max;

    /// @dev Notes of a merchant's copy: the mark of the live key that signed last; the copy of the bitmap of nonces that was used
    /// last, and the mark of its number.
    uint256 private constant KEY_MARK = 0x80;
    uint256 private constant BITMAP_MARK = 0xa0;
    uint256 private constant BITMAP = 0xc0;

    /// @inheritdoc IClearingHouse
    address public immutable override lens = address(new ClearingHouseLens());
    /// @inheritdoc IClearingHouse
    address public immutable override succession = address(new ClearingHouseSuccession());

    constructor(address admin, bytes32 operatorName, int32 utcOffsetSeconds)
        Registry(admin, operatorName, utcOffsetSeconds)
    {}

    // ---------------------------------------------------------------- sequencer

    /// @inheritdoc IClearingHouse
    function execute(bytes calldata orders, Evidence[] calldata evidence)
        external
        override
        onlyRole(Role.Sequencer)
        whileRunning
    {
        // The most instructions that these bytes can hold. Counting them would cost more than the memory.
        uint256 capacity = orders.length / Orders.INSTRUCTION_BYTES;
        if (capacity > MAX_INSTRUCTIONS) revert BatchTooLarge(capacity);
        Cursor memory cursor = _newCursor(EntryHead.wrap(0), capacity, evidence);
        NewestBatch batch = _newestBatch.next(cursor.today);
        cursor.head = EntryHeadLib.forBatch(batch.number());
        cursor.domainSeparator = _domainSeparator();

        (uint256 offset, uint256 end) = _calldataRange(orders);
        while (offset < end) offset = _executeOrder(cursor, offset, end);
        _settle(cursor);
        _closeBatch(batch, cursor.leaves, cursor.head.index());
    }

    /// @inheritdoc IClearingHouse
    function executeAtomic(EntryHead start, uint256 count, bytes calldata instructions, Evidence[] calldata evidence)
        external
        override
        returns (bytes32[] memory)
    {
        if (msg.sender != address(this)) revert OnlySelf();

        Cursor memory cursor = _newCursor(start, count, evidence);
        cursor.merchant = start.merchant();
        cursor.suspended = _isSuspended(_position(cursor, start.merchant()));
        (uint256 offset,) = _calldataRange(instructions);
        // `_executeOrder` checked the digest and the end.
        // slither-disable-next-line unused-return
        (Instruction first, Instruction last,,) = Orders.unpack(offset, count);
        _executeItems(cursor, first, last, true);
        _settle(cursor);
        return cursor.leaves;
    }

    // ---------------------------------------------------------------- orders

    /// @dev Executes the order at `offset` of the calldata and returns where it ends, which is not after `limit`. Frees the memory that
    /// the order took, so that a batch needs little more than its largest order.
    function _executeOrder(Cursor memory cursor, uint256 offset, uint256 limit) private returns (uint256 end) {
        (OrderHead order, bytes32 r, bytes32 vs) = Orders.read(offset);
        uint256 count = order.count();
        // An order with more instructions than the whole batch can hold would take unlimited memory.
        if (count > cursor.leaves.length) revert BadEncoding();
        WordCopy merchant = _position(cursor, order.merchant());
        Instruction first;
        Instruction last;
        bytes32 digest;
        (first, last, digest, end) = Orders.unpack(Orders.instructionsOffset(offset), count);
        // Nothing that was read beyond the batch is used. Within it, `leaves` has capacity for every instruction.
        if (end > limit) revert BadEncoding();
        digest = Orders.digest(order, digest, cursor.domainSeparator);

        Reason reason = _admit(cursor, order, merchant, digest, r, vs);
        if (_isRefusal(reason)) {
            emit OrderRejected(uint32(order.merchant()), uint48(order.nonce()), digest, reason);
        } else {
            cursor.head = cursor.head.forOrder(order);
            cursor.merchant = order.merchant();
            cursor.suspended = _isSuspended(merchant);
            if (order.atomic()) _executeWhole(cursor, count, offset + Orders.ORDER_BYTES, end, digest);
            else _executeItems(cursor, first, last, false);
        }
        // Unless it made copies: they lie behind its instructions, and the batch needs them until its end.
        if (_freeMemoryPointer() == Instruction.unwrap(last)) _setFreeMemoryPointer(Instruction.unwrap(first));
    }

    /// @dev Uses up the nonce if, and only if, it admits the order. A bad signature recovers to key 0, which nobody has.
    function _admit(Cursor memory cursor, OrderHead order, WordCopy merchant, bytes32 digest, bytes32 r, bytes32 vs)
        private
        view
        returns (Reason)
    {
        if (!_isKnownKey(order.merchant(), merchant, _recover(digest, r, vs))) return Reason.UnknownSigner;
        if (block.timestamp > order.deadline()) return Reason.DeadlinePassed;
        if (MerchantPosition.wrap(merchant.word()).hasStatus(MerchantStatus.Closed)) return Reason.MerchantClosed;
        // Otherwise the order would use up a nonce that no event names.
        if (order.count() == 0) return Reason.EmptyOrder;
        if (!_useNonce(cursor, order, merchant)) return Reason.NonceUsed;
        return Reason.None;
    }

    /// @dev Whether `key` may sign for the merchant. The same key need not be looked up again for the merchant's next order.
    function _isKnownKey(uint256 id, WordCopy merchant, address key) private view returns (bool) {
        uint256 mark = _mark(uint160(key));
        // Compares what nobody can nudge.
        // slither-disable-next-line incorrect-equality
        if (merchant.note(KEY_MARK) == mark) return true;
        if (!_isLiveKey(id, key)) return false;
        merchant.setNote(KEY_MARK, mark);
        return true;
    }

    /// @dev Uses up the order's nonce. Returns false if it was used before.
    function _useNonce(Cursor memory cursor, OrderHead order, WordCopy merchant) private view returns (bool) {
        uint256 nonce = order.nonce();
        uint256 mark = _mark(nonce >> 8);
        if (merchant.note(BITMAP_MARK) != mark) {
            WordCopy copy = cursor.copies.copyOf(_slotOf(_nonceBitmap(order.merchant(), nonce)));
            merchant.setNote(BITMAP_MARK, mark);
            merchant.setNote(BITMAP, WordCopy.unwrap(copy));
        }
        WordCopy bitmap = WordCopy.wrap(merchant.note(BITMAP));
        uint256 bits = bitmap.word();
        uint256 bit = 1 << (nonce & 0xff);
        if (bits & bit != 0) return false;
        bitmap.set(bits | bit);
        return true;
    }

    function _isSuspended(WordCopy merchant) private pure returns (bool) {
        return MerchantPosition.wrap(merchant.word()).hasStatus(MerchantStatus.Suspended);
    }

    /// @dev Executes item by item. Reports a refusal and goes on with the rest; in the frame of an atomic order, reverts instead.
    function _executeItems(Cursor memory cursor, Instruction instruction, Instruction last, bool atomic) private {
        while (instruction.isBefore(last)) {
            Reason reason = _apply(cursor, instruction);
            if (_isRefusal(reason)) {
                if (atomic) revert AtomicRefused(uint16(cursor.head.item()), reason);
                _reportRefusal(cursor, cursor.head.item(), reason);
                cursor.head = cursor.head.afterRefusal();
            }
            instruction = instruction.next();
        }
        cursor.issuing = 0;
    }

    /// @dev Executes all or nothing: the order runs in a frame that reverts when an instruction is refused. A frame that fails in any
    /// other way, such as by running out of gas, fails the batch, so that nobody can get an order refused by starving it of gas.
    function _executeWhole(Cursor memory cursor, uint256 count, uint256 offset, uint256 end, bytes32 digest) private {
        _settle(cursor);
        if (_callFrame(cursor.head, count, offset, end, _evidenceOf(cursor))) {
            _takeLeaves(cursor, count);
        } else {
            (uint256 item, Reason reason) = _refusalOfFrame();
            _reportRefusal(cursor, item, reason);
            emit OrderRejected(uint32(cursor.merchant), uint48(cursor.head.nonce()), digest, Reason.AtomicFailed);
        }
    }

    /// @dev Pays the fees and stores what the cursor has copies of.
    function _settle(Cursor memory cursor) private {
        _payFees(cursor);
        cursor.copies.storeAll();
    }

    function _reportRefusal(Cursor memory cursor, uint256 item, Reason reason) private {
        emit InstructionRejected(uint32(cursor.merchant), uint48(cursor.head.nonce()), uint16(item), reason);
    }

    // ---------------------------------------------------------------- the frame of an atomic order

    /// @dev Calls `executeAtomic`. Assembly, because the compiler would decode and encode the evidence again, element by element. The
    /// evidence can travel as it came, because its offsets count from its own beginning.
    function _callFrame(EntryHead start, uint256 count, uint256 offset, uint256 end, Evidence[] calldata evidence)
        private
        returns (bool done)
    {
        bytes32 selector = IClearingHouse.executeAtomic.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            let size := sub(end, offset)
            let evidenceStart := sub(evidence.offset, 0x20) // includes the array's length
            let evidenceSize := sub(calldatasize(), evidenceStart)
            mstore(data, selector)
            mstore(add(data, 0x04), start)
            mstore(add(data, 0x24), count)
            mstore(add(data, 0x44), 0x80) // offset of the instructions
            mstore(add(data, 0x64), add(0xa0, size)) // offset of the evidence
            mstore(add(data, 0x84), size)
            calldatacopy(add(data, 0xa4), offset, size)
            calldatacopy(add(add(data, 0xa4), size), evidenceStart, evidenceSize)
            done := call(gas(), address(), 0, data, add(add(0xa4, size), evidenceSize), 0, 0)
        }
    }

    /// @dev Appends the `count` leaves that the frame returned. Assembly, to copy them straight into place.
    function _takeLeaves(Cursor memory cursor, uint256 count) private pure {
        uint256 pointer = cursor.nextLeaf;
        assembly ("memory-safe") {
            returndatacopy(pointer, 0x40, shl(5, count))
        }
        cursor.nextLeaf = MerkleTree.skip(pointer, count);
        cursor.head = cursor.head.afterFrame(count);
    }

    /// @dev Reads the frame's `AtomicRefused`. If the frame failed in another way, reverts likewise. Assembly: Solidity offers neither.
    function _refusalOfFrame() private pure returns (uint256 item, Reason reason) {
        bytes4 selector = AtomicRefused.selector;
        assembly ("memory-safe") {
            let failure := mload(0x40)
            returndatacopy(failure, 0, returndatasize())
            if iszero(and(eq(returndatasize(), 0x44), eq(shr(224, mload(failure)), shr(224, selector)))) {
                revert(failure, returndatasize())
            }
            item := mload(add(failure, 0x04))
            reason := mload(add(failure, 0x24))
        }
    }

    // ---------------------------------------------------------------- memory and calldata

    function _newCursor(EntryHead start, uint256 capacity, Evidence[] calldata evidence)
        private
        view
        returns (Cursor memory cursor)
    {
        (cursor.evidenceOffset, cursor.evidenceCount) = _calldataRange(evidence);
        cursor.head = start;
        cursor.today = today();
        cursor.copies = CopyTableLib.create();
        cursor.leaves = new bytes32[](capacity);
        cursor.nextLeaf = MerkleTree.pointerTo(cursor.leaves, 0);
    }

    /// @dev Where in the calldata `data` begins and ends.
    function _calldataRange(bytes calldata data) private pure returns (uint256 offset, uint256 end) {
        assembly ("memory-safe") {
            offset := data.offset
            end := add(offset, data.length)
        }
    }

    /// @dev Where in the calldata the evidence begins, and how many elements it has.
    function _calldataRange(Evidence[] calldata evidence) private pure returns (uint256 offset, uint256 count) {
        assembly ("memory-safe") {
            offset := evidence.offset
            count := evidence.length
        }
    }

    function _freeMemoryPointer() private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
        }
    }

    /// @dev Warning: nothing that was allocated beyond `pointer` may be used any more.
    function _setFreeMemoryPointer(uint256 pointer) private pure {
        assembly ("memory-safe") {
            mstore(0x40, pointer)
        }
    }

    // ---------------------------------------------------------------- lens and succession

    /// @dev Has the succession carry out its four functions on this storage. Asks the lens what this contract has no function for, by a
    /// static call, so that nothing can change on the way. Assembly, to pass question and answer on as they are.
    fallback() external {
        address answerer = lens;
        address successor = succession;
        bool succeeds = msg.sig == IClearingHouseSuccession.importLeaves.selector
            || msg.sig == IClearingHouseSuccession.beginImport.selector
            || msg.sig == IClearingHouseSuccession.open.selector || msg.sig == IClearingHouseSuccession.freeze.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let answered := 0
            switch succeeds
            case 0 { answered := staticcall(gas(), answerer, data, calldatasize(), 0, 0) }
            default { answered := delegatecall(gas(), successor, data, calldatasize(), 0, 0) }
            returndatacopy(data, 0, returndatasize())
            if iszero(answered) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    /// @inheritdoc IClearingHouse
    function extsload(bytes32 slot) external view override returns (bytes32 word) {
        assembly ("memory-safe") {
            word := sload(slot)
        }
    }

    /// @inheritdoc IClearingHouse
    /// @dev The memory from the free pointer on becomes the answer: an offset, the length, the words.
    function extsload(bytes32[] calldata slots) external view override returns (bytes32[] memory) {
        assembly ("memory-safe") {
            let answer := mload(0x40)
            mstore(answer, 0x20)
            mstore(add(answer, 0x20), slots.length)
            let word := add(answer, 0x40)
            let end := add(word, shl(5, slots.length))
            for { let slot := slots.offset } lt(word, end) { slot := add(slot, 0x20) } {
                mstore(word, sload(calldataload(slot)))
                word := add(word, 0x20)
            }
            return(answer, sub(end, answer))
        }
    }
}
