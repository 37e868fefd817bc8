// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a merchant signs, in the form in which it travels. The signed form (EIP-712) has one field a value and is
/// readable in any wallet. The travelling form packs the same values without gaps, because calldata is paid by the byte: a batch
/// is the bytes of its orders one after another, an order is its head, its signature and its instructions.
///
///      order                                                            instructions
///     +----------+-------+----------+-------+-------+---------+------+----------------------------+
///     | merchant | nonce | deadline | flags | count |    r    |  vs  | count times an instruction |
///     +----------+-------+----------+-------+-------+---------+------+----------------------------+
///          4         6        5         1       2       32       32      84, or 116 with a link      bytes
///
///      instruction
///     +-------+------+---------+-----------+-----------+--------+--------+----------+--------+------+--------+
///     | flags | kind | program | agreement | expiryDay | points | minOut | evidence | member | ref  | (link) |
///     +-------+------+---------+-----------+-----------+--------+--------+----------+--------+------+--------+
///         1      1        4          4           4          8        8        2         20      32     0, 32   bytes
///
/// Flag 1 of an order: it is atomic. Flag 1 of an instruction: its link is not zero, and follows. Neither the flags of an
/// instruction nor `evidence`, the place of a reversal's proof in the batch's evidence, are signed: they say where things are.

/// @notice The first word of an order: head, and the beginning of `r`.
type OrderHead is uint256;

/// @notice Where in memory an instruction lies unpacked: the ten words that are hashed for its signature.
///
///     +----------+------+---------+-----------+--------+--------+--------+-----------+-------+-------+
///     | typeHash | kind | program | agreement | member | points | minOut | expiryDay | link  | ref   |
///     +----------+------+---------+-----------+--------+--------+--------+-----------+-------+-------+
///     0x00       0x20   0x40      0x60        0x80     0xa0     0xc0     0xe0        0x100   0x120   0x140
///
/// Once it is hashed, `evidence` takes the place of the type hash.
///
/// @dev Not a struct, because the compiler would set aside a fresh one for every variable that points to one.
type Item is uint256;

using OrdersLib for OrderHead global;
using OrdersLib for Item global;

/// @title OrdersLib
/// @notice Unpacks an order and computes its EIP-712 digest. The words that were hashed are then executed.
library OrdersLib {
    /// @dev Bytes of an order before its instructions, and of the shortest instruction.
    uint256 internal constant ORDER_BYTES = 82;
    uint256 internal constant INSTRUCTION_BYTES = 84;

    bytes32 internal constant INSTRUCTION_TYPEHASH = keccak256(
        "Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );
    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(uint32 merchant,uint48 nonce,uint40 deadline,bool atomic,Instruction[] instructions)Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );

    // ---------------------------------------------------------------- order

    /// @notice The order's head and its signature. `at` is a place in the calldata.
    function read(uint256 place) internal pure returns (OrderHead head, bytes32 r, bytes32 vs) {
        assembly ("memory-safe") {
            head := calldataload(place)
            r := calldataload(add(place, 18))
            vs := calldataload(add(place, 50))
        }
    }

    function merchant(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 224;
    }

    function nonce(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 176 & type(uint48).max;
    }

    function deadline(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 136 & type(uint40).max;
    }

    function atomic(OrderHead head) internal pure returns (bool) {
        return OrderHead.unwrap(head) & 1 << 128 != 0;
    }

    /// @notice How many instructions the order has.
    function count(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 112 & type(uint16).max;
    }

    /// @notice The EIP-712 digest of an order whose items' hashes are at `hashes`.
    /// @dev Assembly: `abi.encode` would leave memory behind for every order. Works beyond the free memory pointer.
    function digest(OrderHead head, bytes32 listHash, bytes32 domain) internal pure returns (bytes32 result) {
        bytes32 typeHash = ORDER_TYPEHASH;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, typeHash)
            mstore(add(m, 0x20), shr(224, head)) // merchant
            mstore(add(m, 0x40), and(shr(176, head), 0xffffffffffff)) // nonce
            mstore(add(m, 0x60), and(shr(136, head), 0xffffffffff)) // deadline
            mstore(add(m, 0x80), and(shr(128, head), 1)) // atomic
            mstore(add(m, 0xa0), listHash)
            mstore(add(m, 0x40), keccak256(m, 0xc0))
            mstore(m, 0x1901)
            mstore(add(m, 0x20), domain)
            result := keccak256(add(m, 0x1e), 0x42)
        }
    }

    // ---------------------------------------------------------------- instructions

    /// @notice Unpacks `n` instructions that begin at place `at` of the calldata, into items that lie one after another in memory.
    /// @return first The first item.
    /// @return last The place after the last item.
    /// @return listHash EIP-712 hash of the list: the hash of the items' hashes, one after another.
    /// @return end The place after the last instruction.
    /// @dev Assembly: the compiler would read each instruction once for every field.
    function unpack(uint256 place, uint256 n)
        internal
        pure
        returns (Item first, Item last, bytes32 listHash, uint256 end)
    {
        bytes32 typeHash = INSTRUCTION_TYPEHASH;
        assembly ("memory-safe") {
            let to := mload(0x40)
            let hashes := add(to, mul(n, 0x140))
            let hash := hashes
            first := to
            last := hashes
            mstore(0x40, hashes)
            for {} lt(to, hashes) { to := add(to, 0x140) } {
                let head := calldataload(place)
                mstore(to, typeHash)
                mstore(add(to, 0x20), byte(1, head)) // kind
                mstore(add(to, 0x40), and(shr(208, head), 0xffffffff)) // program
                mstore(add(to, 0x60), and(shr(176, head), 0xffffffff)) // agreement
                mstore(add(to, 0x80), shr(96, calldataload(add(place, 32)))) // member
                mstore(add(to, 0xa0), shr(192, calldataload(add(place, 14)))) // points
                mstore(add(to, 0xc0), shr(192, calldataload(add(place, 22)))) // minOut
                mstore(add(to, 0xe0), and(shr(144, head), 0xffffffff)) // expiryDay
                mstore(add(to, 0x120), calldataload(add(place, 52))) // ref
                let linked := and(byte(0, head), 1)
                mstore(add(to, 0x100), mul(linked, calldataload(add(place, 84)))) // link
                place := add(add(place, 84), shl(5, linked))
                mstore(hash, keccak256(to, 0x140))
                mstore(to, and(head, 0xffff)) // evidence
                hash := add(hash, 0x20)
            }
            listHash := keccak256(hashes, shl(5, n))
            end := place
        }
    }

    /// @notice Whether `item` comes before `end`.
    function isBefore(Item item, Item end) internal pure returns (bool) {
        return Item.unwrap(item) < Item.unwrap(end);
    }

    /// @notice The item after `item`.
    function next(Item item) internal pure returns (Item) {
        unchecked {
            return Item.wrap(Item.unwrap(item) + 0x140);
        }
    }

    function kind(Item item) internal pure returns (uint256) {
        return _word(item, 0x20);
    }

    function program(Item item) internal pure returns (uint256) {
        return _word(item, 0x40);
    }

    function agreement(Item item) internal pure returns (uint256) {
        return _word(item, 0x60);
    }

    function member(Item item) internal pure returns (uint256) {
        return _word(item, 0x80);
    }

    function points(Item item) internal pure returns (uint256) {
        return _word(item, 0xa0);
    }

    function minOut(Item item) internal pure returns (uint256) {
        return _word(item, 0xc0);
    }

    function expiryDay(Item item) internal pure returns (uint256) {
        return _word(item, 0xe0);
    }

    function link(Item item) internal pure returns (uint256) {
        return _word(item, 0x100);
    }

    function ref(Item item) internal pure returns (uint256) {
        return _word(item, 0x120);
    }

    function evidence(Item item) internal pure returns (uint256) {
        return _word(item, 0x00);
    }

    function _word(Item item, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(item, offset))
        }
    }
}
