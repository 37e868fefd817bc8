// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Four balances of one member. Program `id` is in page `(id - 1) / 4`, lane `(id - 1) % 4`.
///
///      255       192 191       128 127        64 63          0
///     +-------------+-------------+-------------+-------------+
///     |   lane 3    |   lane 2    |   lane 1    |   lane 0    |
///     +-------------+-------------+-------------+-------------+
///
/// @dev An exchange between two programs of one page writes one slot instead of two. Most of its speed comes from that.
type BalancePage is uint256;

using BalancePageLib for BalancePage global;

library BalancePageLib {
    uint256 private constant LANE_MASK = type(uint64).max;

    /// @notice The number of the page that holds `program`. Programs are numbered from 1.
    function pageOf(uint256 program) internal pure returns (uint256) {
        unchecked {
            return (program - 1) >> 2;
        }
    }

    /// @notice The balance of `program`, which must be one of this page's four.
    function balance(BalancePage page, uint256 program) internal pure returns (uint256) {
        return (BalancePage.unwrap(page) >> _shift(program)) & LANE_MASK;
    }

    /// @notice The page with `points` added to the balance of `program`.
    /// @dev Warning: the caller makes sure that the sum fits the lane. It does if the program minted the points, because a
    /// program mints less than 2^64 points in its life.
    function credit(BalancePage page, uint256 program, uint256 points) internal pure returns (BalancePage) {
        unchecked {
            return BalancePage.wrap(BalancePage.unwrap(page) + (points << _shift(program)));
        }
    }

    /// @notice The page with `points` taken from the balance of `program`.
    /// @dev Warning: the caller makes sure that the balance covers `points`.
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
