// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title RateMath
/// @notice Exact integer arithmetic of rates and fees. Every function that rounds says in its name which way.
/// @dev Nothing here can overflow: points, rates and prices have at most 64 bits, and the arithmetic has 256.
library RateMath {
    /// @dev One hundred per cent, in basis points.
    uint256 internal constant BPS = 10_000;

    /// @notice Target points that `points` source points buy: floor(points * rateNum / rateDen).
    function targetPointsDown(uint256 points, uint256 rateNum, uint256 rateDen) internal pure returns (uint256) {
        unchecked {
            return _divDown(points * rateNum, rateDen);
        }
    }

    /// @notice The fewest source points that buy `out` target points: ceil(out * rateDen / rateNum).
    /// @dev Never more than the source points from which `out` was computed, so the remainder stays with the member.
    function sourcePointsUp(uint256 out, uint256 rateNum, uint256 rateDen) internal pure returns (uint256) {
        unchecked {
            return _divDown(out * rateDen + rateNum - 1, rateNum);
        }
    }

    /// @notice The price of `points`, which needs no rounding.
    function product(uint256 points, uint256 unitPriceMicros) internal pure returns (uint256) {
        unchecked {
            return points * unitPriceMicros;
        }
    }

    /// @notice The operator's fee on `amount`: ceil(amount * feeBps / 10,000).
    function feeUp(uint256 amount, uint256 feeBps) internal pure returns (uint256) {
        unchecked {
            return (amount * feeBps + BPS - 1) / BPS;
        }
    }

    /// @notice The share of `whole` that belongs to what lies between `from` and `to` of `total`. Shares of neighbouring parts add up
    /// to exactly the share of both, and so all of them to the whole.
    function shareBetween(uint256 whole, uint256 from, uint256 to, uint256 total) internal pure returns (uint256) {
        unchecked {
            return shareUp(whole, to, total) - shareUp(whole, from, total);
        }
    }

    /// @notice The share of `whole` that belongs to `part` of `total`: ceil(whole * part / total).
    function shareUp(uint256 whole, uint256 part, uint256 total) internal pure returns (uint256) {
        unchecked {
            return (whole * part + total - 1) / total;
        }
    }

    /// @dev Assembly skips the check for a zero divisor: `Agreements` registers no rate that contains a zero.
    function _divDown(uint256 dividend, uint256 divisor) private pure returns (uint256 quotient) {
        assembly ("memory-safe") {
            quotient := div(dividend, divisor)
        }
    }
}
