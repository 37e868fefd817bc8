// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Where in memory the copy of a stored word lies. A batch reads a word once, works on its copy, and stores it at the end.
///
///     +------+------+----------------------+-------+-----------+
///     | slot | word | older in the bucket  | older | six notes |
///     +------+------+----------------------+-------+-----------+
///     0x00   0x20   0x40                   0x60    0x80        0x140
///
/// Notes are words that are never stored: what a batch found out about the record and need not find out again.
///
/// @dev Not a struct, for the same reason as `Instruction`. `CopyTable` makes copies and finds them again.
type WordCopy is uint256;

using WordCopyLib for WordCopy global;

library WordCopyLib {
    /// @notice The slot of storage that this is a copy of.
    function slot(WordCopy copy) internal pure returns (uint256) {
        return _wordAt(copy, 0x00);
    }

    function word(WordCopy copy) internal pure returns (uint256) {
        return _wordAt(copy, 0x20);
    }

    function set(WordCopy copy, uint256 word_) internal pure {
        _setWordAt(copy, 0x20, word_);
    }

    /// @notice A note, or 0 if nobody made it. A note is named by its place, as in the drawing.
    function note(WordCopy copy, uint256 place) internal pure returns (uint256) {
        return _wordAt(copy, place);
    }

    function setNote(WordCopy copy, uint256 place, uint256 note_) internal pure {
        _setWordAt(copy, place, note_);
    }

    function _wordAt(WordCopy copy, uint256 offset) private pure returns (uint256 word_) {
        assembly ("memory-safe") {
            word_ := mload(add(copy, offset))
        }
    }

    function _setWordAt(WordCopy copy, uint256 offset, uint256 word_) private pure {
        assembly ("memory-safe") {
            mstore(add(copy, offset), word_)
        }
    }
}
