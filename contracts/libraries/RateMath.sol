// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title RateMath
/// @notice Exact integer arithmetic of rates and fees. Every function says in its name which way it rounds.
/// @dev Nothing here can overflow: points, rates and prices are at most 64 bits wide and the work is done in 256.
library RateMath {
    /// @dev One hundred per cent, in basis points.
    uint256 internal constant BPS = 10_000;

    /// @notice Target points bought by `points` source points: floor(points * num / den).
    function targetPointsDown(uint256 points, uint256 num, uint256 den) internal pure returns (uint256) {
        unchecked {
            return _divDown(points * num, den);
        }
    }

    /// @notice The fewest source points that buy `out` target points: ceil(out * den / num).
    /// @dev Never more than the source points that `out` was computed from, so the remainder stays with the member.
    function sourcePointsUp(uint256 out, uint256 num, uint256 den) internal pure returns (uint256) {
        unchecked {
            return _divDown(out * den + num - 1, num);
        }
    }

    /// @notice The price of `points`: exact.
    function product(uint256 points, uint256 unitPrice) internal pure returns (uint256) {
        unchecked {
            return points * unitPrice;
        }
    }

    /// @notice The operator's fee on `amount`: ceil(amount * bps / 10,000).
    function feeUp(uint256 amount, uint256 bps) internal pure returns (uint256) {
        unchecked {
            return (amount * bps + BPS - 1) / BPS;
        }
    }

    /// @notice The part of `whole` that belongs to `part` of `total`: ceil(whole * part / total).
    /// @dev Used cumulatively (share of what is reversed so far, minus share before), so that parts add up to the whole.
    function shareUp(uint256 whole, uint256 part, uint256 total) internal pure returns (uint256) {
        unchecked {
            return (whole * part + total - 1) / total;
        }
    }

    /// @dev Assembly saves the check for zero: `Agreements` registers no rate with a zero in it.
    function _divDown(uint256 a, uint256 b) private pure returns (uint256 quotient) {
        assembly ("memory-safe") {
            quotient := div(a, b)
        }
    }
}
