// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Instruction} from "../types/Instruction.sol";
import {OrderHead} from "../types/OrderHead.sol";

/// @title Orders
/// @notice Unpacks orders and computes their EIP-712 digests. What was hashed is what is executed: both use the same words.
///
/// An order has two forms. The signed form (EIP-712) has one field for each value, so that any wallet can show it. The
/// travelling form packs the same values without gaps, because calldata is paid by the byte: a batch is the bytes of its orders,
/// one after another; an order is its head, its signature and its instructions.
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
/// Bit 0 of an order's flags: the order is atomic. Bit 0 of an instruction's flags: its link is not zero, and follows. Two fields
/// of an instruction are not signed, because they only say where to find things: its flags, and `evidence`, the index of the
/// element of the batch's evidence that proves the original of a reversal.
library Orders {
    /// @dev Bytes of an order before its instructions.
    uint256 internal constant ORDER_BYTES = 82;

    /// @dev Bytes of the shortest instruction.
    uint256 internal constant INSTRUCTION_BYTES = 84;

    bytes32 internal constant INSTRUCTION_TYPEHASH = keccak256(
        "Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );
    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(uint32 merchant,uint48 nonce,uint40 deadline,bool atomic,Instruction[] instructions)Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,uint32 expiryDay,bytes32 link,bytes32 ref)"
    );

    /// @notice Reads the head and the signature of the order at `offset` of the calldata.
    function read(uint256 offset) internal pure returns (OrderHead head, bytes32 r, bytes32 vs) {
        assembly ("memory-safe") {
            head := calldataload(offset)
            r := calldataload(add(offset, 18))
            vs := calldataload(add(offset, 50))
        }
    }

    /// @notice Where the instructions of the order at `offset` begin.
    /// @dev Skips the check for overflow, because every order of a batch needs this sum.
    function instructionsOffset(uint256 offset) internal pure returns (uint256) {
        unchecked {
            return offset + ORDER_BYTES;
        }
    }

    /// @notice Unpacks `count` instructions that begin at `offset` of the calldata. They lie one after another in memory.
    /// @return first The first instruction.
    /// @return last The end of the last instruction, in memory.
    /// @return listHash The EIP-712 hash of the list: the hash of the instructions' hashes, one after another.
    /// @return end The end of the last instruction, in the calldata.
    /// @dev Assembly: the compiler would read each instruction once for every field.
    function unpack(uint256 offset, uint256 count)
        internal
        pure
        returns (Instruction first, Instruction last, bytes32 listHash, uint256 end)
    {
        bytes32 typeHash = INSTRUCTION_TYPEHASH;
        assembly ("memory-safe") {
            let instruction := mload(0x40)
            let hashes := add(instruction, mul(count, 0x140))
            let nextHash := hashes
            first := instruction
            last := hashes
            mstore(0x40, hashes)
            for {} lt(instruction, hashes) { instruction := add(instruction, 0x140) } {
                let head := calldataload(offset)
                mstore(instruction, typeHash)
                mstore(add(instruction, 0x20), byte(1, head)) // kind
                mstore(add(instruction, 0x40), and(shr(208, head), 0xffffffff)) // program
                mstore(add(instruction, 0x60), and(shr(176, head), 0xffffffff)) // agreement
                mstore(add(instruction, 0x80), shr(96, calldataload(add(offset, 32)))) // member
                mstore(add(instruction, 0xa0), shr(192, calldataload(add(offset, 14)))) // points
                mstore(add(instruction, 0xc0), shr(192, calldataload(add(offset, 22)))) // minOut
                mstore(add(instruction, 0xe0), and(shr(144, head), 0xffffffff)) // expiryDay
                mstore(add(instruction, 0x120), calldataload(add(offset, 52))) // ref
                let linked := and(byte(0, head), 1)
                mstore(add(instruction, 0x100), mul(linked, calldataload(add(offset, 84)))) // link
                offset := add(add(offset, 84), shl(5, linked))
                mstore(nextHash, keccak256(instruction, 0x140))
                mstore(instruction, and(head, 0xffff)) // evidence
                nextHash := add(nextHash, 0x20)
            }
            listHash := keccak256(hashes, shl(5, count))
            end := offset
        }
    }

    /// @notice The EIP-712 digest of an order whose instructions hash to `listHash`.
    /// @dev Assembly, because `abi.encode` would allocate memory for every order. Writes beyond the free memory pointer.
    function digest(OrderHead head, bytes32 listHash, bytes32 domainSeparator) internal pure returns (bytes32 result) {
        bytes32 typeHash = ORDER_TYPEHASH;
        assembly ("memory-safe") {
            let scratch := mload(0x40)
            mstore(scratch, typeHash)
            mstore(add(scratch, 0x20), shr(224, head)) // merchant
            mstore(add(scratch, 0x40), and(shr(176, head), 0xffffffffffff)) // nonce
            mstore(add(scratch, 0x60), and(shr(136, head), 0xffffffffff)) // deadline
            mstore(add(scratch, 0x80), and(shr(128, head), 1)) // atomic
            mstore(add(scratch, 0xa0), listHash)
            mstore(add(scratch, 0x40), keccak256(scratch, 0xc0))
            mstore(scratch, 0x1901)
            mstore(add(scratch, 0x20), domainSeparator)
            result := keccak256(add(scratch, 0x1e), 0x42)
        }
    }
}
