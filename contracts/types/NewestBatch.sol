// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The newest batch, its network day, and the first batch of that day.
///
///      111     80 79      40 39        0
///     +----------+----------+-----------+
///     |   day    | firstOf  |  number   |
///     |          |   Day    |           |
///     +----------+----------+-----------+
///
/// @dev Less than a word, so that it fits beside the pause: one slot, which every batch reads and writes.
type NewestBatch is uint112;

using NewestBatchLib for NewestBatch global;

library NewestBatchLib {
    /// @notice The number of the newest batch, which is also how many there are.
    function number(NewestBatch newest) internal pure returns (uint256) {
        return NewestBatch.unwrap(newest) & type(uint40).max;
    }

    /// @notice What to keep after the next batch, which is of `today`.
    function next(NewestBatch newest, uint256 today) internal pure returns (NewestBatch) {
        unchecked {
            uint256 number_ = newest.number() + 1;
            uint256 first = newest.day() == today ? newest.firstOfDay() : number_;
            return NewestBatch.wrap(uint112(today << 80 | first << 40 | number_));
        }
    }

    /// @notice Whether a batch was closed `today`, which is not before the day of the newest one.
    function isOfToday(NewestBatch newest, uint256 batch, uint256 today) internal pure returns (bool) {
        return newest.day() == today && batch >= newest.firstOfDay();
    }

    function day(NewestBatch newest) internal pure returns (uint256) {
        return NewestBatch.unwrap(newest) >> 80;
    }

    function firstOfDay(NewestBatch newest) internal pure returns (uint256) {
        return NewestBatch.unwrap(newest) >> 40 & type(uint40).max;
    }
}
