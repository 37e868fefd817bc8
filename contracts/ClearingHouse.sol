// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {Instructions} from "./Instructions.sol";
import {Registry} from "./Registry.sol";
import {IClearingHouse, MerchantStatus, Reason, Role} from "./interfaces/IClearingHouse.sol";
import {Account} from "./libraries/Account.sol";
import {EntriesLib, EntryHead, Evidence} from "./libraries/Entries.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {Item, OrderHead, OrdersLib} from "./libraries/Orders.sol";
import {SmallMath} from "./libraries/SmallMath.sol";

/// @title ClearingHouse
/// @notice Executes batches of merchants' signed orders: who may, in what order, whole or item by item. What an instruction does is
/// in `Instructions`; each room below it keeps one kind of state.
contract ClearingHouse is Instructions, IERC165 {
    /// @dev Entries of a batch and items of an order are numbered with 16 bits.
    uint256 private constant MAX_INSTRUCTIONS = type(uint16).max;

    constructor(address admin, bytes32 operatorName, int32 utcOffsetSeconds)
        Registry(admin, operatorName, utcOffsetSeconds)
    {}

    // ---------------------------------------------------------------- execution

    /// @inheritdoc IClearingHouse
    function execute(bytes calldata orders, Evidence[] calldata evidence)
        external
        override
        onlyRole(Role.Sequencer)
        whenNotPaused
    {
        // As many instructions as there is room for; counting them would cost more than the memory.
        uint256 most = orders.length / OrdersLib.INSTRUCTION_BYTES;
        if (most > MAX_INSTRUCTIONS) revert BatchTooLarge(most);
        Cursor memory c = _newCursor(EntriesLib.begin(batchCount + 1), most, evidence);
        c.domain = _domainSeparator();

        (uint256 place, uint256 end) = _placeOf(orders);
        while (place < end) place = _executeOrder(c, place, end);
        _bookFees(c);
        _closeBatch(uint40(c.head.batch()), c.leaves, c.head.index());
    }

    /// @inheritdoc IClearingHouse
    function executeAtomic(EntryHead start, uint256 count, bytes calldata instructions, Evidence[] calldata evidence)
        external
        override
        returns (bytes32[] memory)
    {
        if (msg.sender != address(this)) revert OnlySelf();

        Cursor memory c = _newCursor(start, count, evidence);
        c.merchant = start.merchant();
        c.suspended = _merchant(start.merchant()).account.isIn(MerchantStatus.Suspended);
        (uint256 place,) = _placeOf(instructions);
        // Digest and end were looked at outside.
        // slither-disable-next-line unused-return
        (Item first, Item last,,) = OrdersLib.unpack(place, count);
        _executeItems(c, first, last, true);
        _bookFees(c);
        return c.leaves;
    }

    /// @dev Executes the order at a place of the calldata and returns where it ends, which is not after `limit`. The memory that an
    /// order takes is given back, so that a batch needs no more than its largest order.
    function _executeOrder(Cursor memory c, uint256 place, uint256 limit) private returns (uint256 end) {
        (OrderHead order, bytes32 r, bytes32 vs) = OrdersLib.read(place);
        uint256 count = order.count();
        // More instructions than the whole batch has room for would take memory without end.
        if (count > c.leaves.length) revert BadEncoding();
        uint256 mark = _memoryMark();
        Item first;
        Item last;
        bytes32 digest;
        (first, last, digest, end) = OrdersLib.unpack(SmallMath.add(place, OrdersLib.ORDER_BYTES), count);
        // Nothing that was read behind the batch is used. Inside it, every instruction has a place for its leaf.
        if (end > limit) revert BadEncoding();
        digest = order.digest(digest, c.domain);
        Account account = _merchant(order.merchant()).account;

        Reason reason = _admit(order, account, digest, r, vs);
        if (_isRefusal(reason)) {
            emit OrderRejected(uint32(order.merchant()), uint48(order.nonce()), digest, reason);
        } else {
            c.head = c.head.enter(order);
            c.merchant = order.merchant();
            c.suspended = account.isIn(MerchantStatus.Suspended);
            if (order.atomic()) _executeWhole(c, count, place + OrdersLib.ORDER_BYTES, end, digest);
            else _executeItems(c, first, last, false);
        }
        _resetMemory(mark);
    }

    function _newCursor(EntryHead start, uint256 most, Evidence[] calldata evidence)
        private
        view
        returns (Cursor memory c)
    {
        (c.evidencePlace, c.evidenceCount) = _placeOf(evidence);
        c.head = start;
        c.today = today();
        c.leaves = new bytes32[](most);
        c.next = MerkleTree.placeOf(c.leaves, 0);
    }

    /// @dev Where in the calldata some bytes begin and end.
    function _placeOf(bytes calldata data) private pure returns (uint256 place, uint256 end) {
        assembly ("memory-safe") {
            place := data.offset
            end := add(place, data.length)
        }
    }

    /// @dev The evidence is kept in the cursor, so that it need not be handed down to every instruction.
    function _placeOf(Evidence[] calldata evidence) private pure returns (uint256 place, uint256 count) {
        assembly ("memory-safe") {
            place := evidence.offset
            count := evidence.length
        }
    }

    /// @dev Consumes the nonce if, and only if, the order is admitted. What is not a signature recovers to key 0, which is nobody's.
    function _admit(OrderHead order, Account account, bytes32 digest, bytes32 r, bytes32 vs) private returns (Reason) {
        if (!_isLiveKey(order.merchant(), _recover(digest, r, vs))) return Reason.UnknownSigner;
        if (block.timestamp > order.deadline()) return Reason.DeadlinePassed;
        if (account.isIn(MerchantStatus.Closed)) return Reason.MerchantClosed;
        // No event would name its nonce.
        if (order.count() == 0) return Reason.EmptyOrder;
        if (!_useNonce(order.merchant(), order.nonce())) return Reason.NonceUsed;
        return Reason.None;
    }

    /// @dev Item by item. What is refused is reported, and the rest goes on; in the frame of an atomic order it undoes the frame.
    function _executeItems(Cursor memory c, Item item, Item last, bool atomic) private {
        while (item.isBefore(last)) {
            Reason reason = _apply(c, item);
            if (_isRefusal(reason)) {
                if (atomic) revert AtomicRefused(uint16(c.head.item()), reason);
                _reportRefusal(c, c.head.item(), reason);
                c.head = c.head.afterRefusal();
            }
            item = item.next();
        }
        if (c.issuing != 0) _bookIssues(c);
    }

    /// @dev All or nothing: the order runs in a frame that reverts when an instruction is refused. A frame that fails in any other
    /// way (out of gas, say) fails the batch, so that nobody can have an order refused by starving it.
    function _executeWhole(Cursor memory c, uint256 count, uint256 place, uint256 end, bytes32 digest) private {
        _bookFees(c);
        if (_callFrame(c.head, count, place, end, _evidenceOf(c))) {
            _takeLeaves(c, count);
        } else {
            (uint256 item, Reason reason) = _refusalOfFrame();
            _reportRefusal(c, item, reason);
            emit OrderRejected(uint32(c.merchant), uint48(c.head.nonce()), digest, Reason.AtomicFailed);
        }
    }

    function _reportRefusal(Cursor memory c, uint256 item, Reason reason) private {
        emit InstructionRejected(uint32(c.merchant), uint48(c.head.nonce()), uint16(item), reason);
    }

    /// @dev Calls `executeAtomic`. Assembly, because the compiler would decode and encode the evidence again, element by element. It
    /// can travel as it came: inside it, offsets count from its own beginning.
    function _callFrame(EntryHead start, uint256 count, uint256 place, uint256 end, Evidence[] calldata evidence)
        private
        returns (bool done)
    {
        bytes32 selector = IClearingHouse.executeAtomic.selector;
        assembly ("memory-safe") {
            let m := mload(0x40)
            let size := sub(end, place)
            let from := sub(evidence.offset, 0x20) // at the array's length
            let rest := sub(calldatasize(), from)
            mstore(m, selector)
            mstore(add(m, 0x04), start)
            mstore(add(m, 0x24), count)
            mstore(add(m, 0x44), 0x80) // offset of the instructions
            mstore(add(m, 0x64), add(0xa0, size)) // offset of the evidence
            mstore(add(m, 0x84), size)
            calldatacopy(add(m, 0xa4), place, size)
            calldatacopy(add(add(m, 0xa4), size), from, rest)
            done := call(gas(), address(), 0, m, add(add(0xa4, size), rest), 0, 0)
        }
    }

    /// @dev Appends the `count` leaves that the frame returned. Assembly, to copy them straight to where they belong.
    function _takeLeaves(Cursor memory c, uint256 count) private pure {
        uint256 to = c.next;
        assembly ("memory-safe") {
            returndatacopy(to, 0x40, shl(5, count))
        }
        c.next = SmallMath.add(to, count << 5);
        c.head = c.head.afterFrame(count);
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

    // ---------------------------------------------------------------- memory

    function _memoryMark() private pure returns (uint256 mark) {
        assembly ("memory-safe") {
            mark := mload(0x40)
        }
    }

    /// @dev Warning: nothing that was allocated since the mark may be used any more.
    function _resetMemory(uint256 mark) private pure {
        assembly ("memory-safe") {
            mstore(0x40, mark)
        }
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function digestOf(bytes calldata order) external view override returns (bytes32) {
        (uint256 place, uint256 end) = _placeOf(order);
        // The signature and the items are not asked for.
        // slither-disable-start unused-return
        (OrderHead head_,,) = OrdersLib.read(place);
        (,, bytes32 listHash, uint256 last) = OrdersLib.unpack(place + OrdersLib.ORDER_BYTES, head_.count());
        // slither-disable-end unused-return
        if (last != end) revert BadEncoding();
        return head_.digest(listHash, _domainSeparator());
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure override returns (bool) {
        return id == type(IClearingHouse).interfaceId || id == type(IERC165).interfaceId;
    }
}
