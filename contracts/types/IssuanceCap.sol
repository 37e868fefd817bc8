// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice How many points a program may issue in a network day, and how many it has issued on the last day on which it did.
///
///      255     224 223     192 191      128 127       64 63        0
///     +-----------+-----------+------------+------------+-----------+
///     |  usedDay  |  nextDay  | nextPoints |    used    |  points   |
///     +-----------+-----------+------------+------------+-----------+
///
/// 0 points are no cap. From `nextDay` on `nextPoints` count in place of `points`; day 0 means that nothing follows. A word of zeros is
/// a program that never had a cap. Only what is issued under a cap is counted.
type IssuanceCap is uint256;

using IssuanceCapLib for IssuanceCap global;

/// @dev `used` cannot overflow: a program mints less than 2^64 points in its life.
library IssuanceCapLib {
    uint256 private constant USED = 64;
    uint256 private constant NEXT = 128;
    uint256 private constant NEXT_DAY = 192;
    uint256 private constant USED_DAY = 224;
    uint256 private constant USES = uint256(type(uint32).max) << USED_DAY | uint256(type(uint64).max) << USED;

    /// @notice The cap that counts on `day`, or 0 for none.
    function pointsOn(IssuanceCap cap, uint256 day) internal pure returns (uint256) {
        uint256 from = nextDay(cap);
        return from != 0 && day >= from ? next(cap) : IssuanceCap.unwrap(cap) & type(uint64).max;
    }

    /// @notice The cap that counts from `nextDay` on, if that is not 0.
    function next(IssuanceCap cap) internal pure returns (uint256) {
        return IssuanceCap.unwrap(cap) >> NEXT & type(uint64).max;
    }

    function nextDay(IssuanceCap cap) internal pure returns (uint256) {
        return IssuanceCap.unwrap(cap) >> NEXT_DAY & type(uint32).max;
    }

    /// @notice The points issued under the cap on `day`, which is not before the last day of use.
    function usedOn(IssuanceCap cap, uint256 day) internal pure returns (uint256) {
        if (IssuanceCap.unwrap(cap) >> USED_DAY != day) return 0;
        return IssuanceCap.unwrap(cap) >> USED & type(uint64).max;
    }

    /// @notice Whether there is a cap, or was one until its end came.
    function exists(IssuanceCap cap) internal pure returns (bool) {
        return IssuanceCap.unwrap(cap) & type(uint64).max != 0;
    }

    /// @notice Whether `points` are more than the cap. No cap is more than any.
    /// @dev Warning: the caller has brought the cap up to its day (`asOn`).
    function isRaisedBy(IssuanceCap cap, uint256 points) internal pure returns (bool) {
        unchecked {
            // 0 means no cap: minus one it wraps around and is more than any.
            return points - 1 > (IssuanceCap.unwrap(cap) & type(uint64).max) - 1;
        }
    }

    /// @notice The cap with what counts on `day`. Nothing follows.
    function asOn(IssuanceCap cap, uint256 day) internal pure returns (IssuanceCap) {
        return cap.withPoints(cap.pointsOn(day));
    }

    /// @notice The cap with `points` from now on. Nothing follows.
    function withPoints(IssuanceCap cap, uint256 points) internal pure returns (IssuanceCap) {
        return IssuanceCap.wrap(IssuanceCap.unwrap(cap) & USES | points);
    }

    /// @notice The cap with `points` from `day` on.
    /// @dev Warning: the caller makes sure that nothing follows yet (`asOn`).
    function withNext(IssuanceCap cap, uint256 points, uint256 day) internal pure returns (IssuanceCap) {
        return IssuanceCap.wrap(IssuanceCap.unwrap(cap) | points << NEXT | day << NEXT_DAY);
    }

    /// @notice The cap with `used` points issued on `day`.
    function withUse(IssuanceCap cap, uint256 day, uint256 used) internal pure returns (IssuanceCap) {
        return IssuanceCap.wrap(IssuanceCap.unwrap(cap) & ~USES | day << USED_DAY | used << USED);
    }
}
