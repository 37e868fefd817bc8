// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Four balances of one member in one word. Program `p` lives in page `(p - 1) / 4`, lane `(p - 1) % 4`.
///
///      255       192 191       128 127        64 63          0
///     +-------------+-------------+-------------+-------------+
///     |   lane 3    |   lane 2    |   lane 1    |   lane 0    |
///     +-------------+-------------+-------------+-------------+
///
/// @dev An exchange between two programs of a page touches one storage word instead of two: that is most of its speed.
type BalancePage is uint256;

using BalancePageLib for BalancePage global;

library BalancePageLib {
    uint256 private constant LANE_MASK = type(uint64).max;

    /// @notice The page that holds `program`; programs are numbered from 1.
    function pageOf(uint256 program) internal pure returns (uint256) {
        unchecked {
            return (program - 1) >> 2;
        }
    }

    /// @notice The balance of `program` in its page.
    function balance(BalancePage page, uint256 program) internal pure returns (uint256) {
        return (BalancePage.unwrap(page) >> _shift(program)) & LANE_MASK;
    }

    /// @notice The page with `points` more in `program`'s lane.
    /// @dev Warning: the caller guarantees that the lane holds the sum (program totals are bounded by 64 bits).
    function credit(BalancePage page, uint256 program, uint256 points) internal pure returns (BalancePage) {
        unchecked {
            return BalancePage.wrap(BalancePage.unwrap(page) + (points << _shift(program)));
        }
    }

    /// @notice The page with `points` fewer in `program`'s lane.
    /// @dev Warning: the caller guarantees that the lane covers `points`.
    function debit(BalancePage page, uint256 program, uint256 points) internal pure returns (BalancePage) {
        unchecked {
            return BalancePage.wrap(BalancePage.unwrap(page) - (points << _shift(program)));
        }
    }

    function _shift(uint256 program) private pure returns (uint256) {
        unchecked {
            return ((program - 1) & 3) << 6;
        }
    }
}
