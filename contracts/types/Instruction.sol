// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Where in memory an instruction lies, unpacked: the ten words that are hashed for its signature.
///
///     +----------+------+---------+-----------+--------+--------+--------+-----------+-------+-------+
///     | typeHash | kind | program | agreement | member | points | minOut | expiryDay | link  | ref   |
///     +----------+------+---------+-----------+--------+--------+--------+-----------+-------+-------+
///     0x00       0x20   0x40      0x60        0x80     0xa0     0xc0     0xe0        0x100   0x120   0x140
///
/// Once the words are hashed, `evidence` takes the place of the type hash.
///
/// @dev Not a struct: the compiler would allocate a fresh one for every variable that points to one.
type Instruction is uint256;

using InstructionLib for Instruction global;

library InstructionLib {
    /// @notice Whether this instruction lies before `end` in memory.
    function isBefore(Instruction instruction, Instruction end) internal pure returns (bool) {
        return Instruction.unwrap(instruction) < Instruction.unwrap(end);
    }

    /// @notice The instruction that follows in memory.
    function next(Instruction instruction) internal pure returns (Instruction) {
        unchecked {
            return Instruction.wrap(Instruction.unwrap(instruction) + 0x140);
        }
    }

    function kind(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0x20);
    }

    function program(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0x40);
    }

    function agreement(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0x60);
    }

    function member(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0x80);
    }

    function points(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0xa0);
    }

    function minOut(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0xc0);
    }

    function expiryDay(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0xe0);
    }

    function link(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0x100);
    }

    function ref(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0x120);
    }

    /// @notice Which element of the batch's evidence proves the original of a reversal.
    function evidence(Instruction instruction) internal pure returns (uint256) {
        return _wordAt(instruction, 0x00);
    }

    function _wordAt(Instruction instruction, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(instruction, offset))
        }
    }
}
