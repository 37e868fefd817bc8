// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a merchant signs, in the form in which it travels. The signed form (EIP-712) has one field a value and is
/// readable in any wallet; the travelling form packs the same values into words, because calldata is paid by the byte.

/// @notice Header of an order.
///
///      255      128 127     120 119       80 79      32 31         0
///     +------------+-----------+------------+----------+------------+
///     |     0      |  atomic   |  deadline  |  nonce   |  merchant  |
///     +------------+-----------+------------+----------+------------+
type OrderHead is uint256;

/// @notice The numbers of an instruction. `evidence` is not signed: it says which element of the batch's evidence proves
/// the entry that a reversal names (the entry itself is signed, as `link`).
///
///      255  248 247     232 231  168 167  104 103      72 71       40 39     8 7    0
///     +--------+-----------+--------+--------+-----------+-----------+---------+------+
///     |   0    | evidence  | minOut | points | expiryDay | agreement | program | kind |
///     +--------+-----------+--------+--------+-----------+-----------+---------+------+
type InstructionHead is uint256;

/// @notice One movement that a merchant asks for.
/// @param head The numbers: see `InstructionHead`.
/// @param member The member whose points move.
/// @param link Transfer: the receiving member, as a word. Reverse: the leaf of the entry to reverse. Else free.
/// @param ref Salted hash of the merchant's own document number.
struct Instruction {
    InstructionHead head;
    address member;
    bytes32 link;
    bytes32 ref;
}

/// @notice A list of instructions with one nonce, one deadline and one signature (compact form, ERC-2098).
struct Order {
    OrderHead head;
    bytes32 r;
    bytes32 vs;
    Instruction[] instructions;
}

using OrdersLib for OrderHead global;
using OrdersLib for InstructionHead global;

/// @title OrdersLib
/// @notice Reads the packed words of an order and computes the EIP-712 hash of the order they carry.
library OrdersLib {
    bytes32 internal constant INSTRUCTION_TYPEHASH = keccak256(
        "Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );
    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(uint32 merchant,uint48 nonce,uint40 deadline,bool atomic,Instruction[] instructions)Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );

    function merchant(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) & type(uint32).max;
    }

    function nonce(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 32 & type(uint48).max;
    }

    function deadline(OrderHead head) internal pure returns (uint256) {
        return OrderHead.unwrap(head) >> 80 & type(uint40).max;
    }

    function atomic(OrderHead head) internal pure returns (bool) {
        return OrderHead.unwrap(head) >> 120 & type(uint8).max != 0;
    }

    function kind(InstructionHead head) internal pure returns (uint256) {
        return InstructionHead.unwrap(head) & type(uint8).max;
    }

    function program(InstructionHead head) internal pure returns (uint256) {
        return InstructionHead.unwrap(head) >> 8 & type(uint32).max;
    }

    function agreement(InstructionHead head) internal pure returns (uint256) {
        return InstructionHead.unwrap(head) >> 40 & type(uint32).max;
    }

    function expiryDay(InstructionHead head) internal pure returns (uint256) {
        return InstructionHead.unwrap(head) >> 72 & type(uint32).max;
    }

    function points(InstructionHead head) internal pure returns (uint256) {
        return InstructionHead.unwrap(head) >> 104 & type(uint64).max;
    }

    function minOut(InstructionHead head) internal pure returns (uint256) {
        return InstructionHead.unwrap(head) >> 168 & type(uint64).max;
    }

    function evidence(InstructionHead head) internal pure returns (uint256) {
        return InstructionHead.unwrap(head) >> 232 & type(uint16).max;
    }

    /// @notice The EIP-712 struct hash of an order.
    /// @dev Assembly here and below, because `abi.encode` would leave memory behind for every order and instruction of the batch.
    /// Both work beyond the free memory pointer and leave the pointer where it was.
    function hash(OrderHead head, Instruction[] calldata instructions) internal pure returns (bytes32 result) {
        bytes32 typeHash = ORDER_TYPEHASH;
        bytes32 list = hash(instructions);
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, typeHash)
            mstore(add(m, 0x20), and(head, 0xffffffff)) // merchant
            mstore(add(m, 0x40), and(shr(32, head), 0xffffffffffff)) // nonce
            mstore(add(m, 0x60), and(shr(80, head), 0xffffffffff)) // deadline
            mstore(add(m, 0x80), iszero(iszero(and(shr(120, head), 0xff)))) // atomic
            mstore(add(m, 0xa0), list)
            result := keccak256(m, 0xc0)
        }
    }

    /// @notice The EIP-712 hash of an array of instructions: the hash of their struct hashes, one after another.
    function hash(Instruction[] calldata instructions) internal pure returns (bytes32 result) {
        bytes32 typeHash = INSTRUCTION_TYPEHASH;
        assembly ("memory-safe") {
            let hashes := mload(0x40)
            let m := add(hashes, shl(5, instructions.length)) // the struct being hashed
            let i := instructions.offset
            mstore(m, typeHash)
            for { let to := hashes } lt(to, m) { to := add(to, 0x20) } {
                let head := calldataload(i)
                mstore(add(m, 0x20), and(head, 0xff)) // kind
                mstore(add(m, 0x40), and(shr(8, head), 0xffffffff)) // program
                mstore(add(m, 0x60), and(shr(40, head), 0xffffffff)) // agreement
                calldatacopy(add(m, 0x80), add(i, 0x20), 0x20) // member
                mstore(add(m, 0xa0), and(shr(104, head), 0xffffffffffffffff)) // points
                mstore(add(m, 0xc0), and(shr(168, head), 0xffffffffffffffff)) // minOut
                mstore(add(m, 0xe0), and(shr(72, head), 0xffffffff)) // expiryDay
                calldatacopy(add(m, 0x100), add(i, 0x40), 0x40) // link, ref
                mstore(to, keccak256(m, 0x140))
                i := add(i, 0x80)
            }
            result := keccak256(hashes, sub(m, hashes))
        }
    }
}
