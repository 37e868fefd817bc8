// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerchantStatus} from "../interfaces/IClearingHouse.sol";

/// @notice What a settlement must know about a merchant: its position and credit limit, in micros, and its status.
///
///      255      160 159         96 95    8 7        0
///     +------------+-------------+--------+----------+
///     |   micros   | creditLimit |    0   |  status  |
///     +------------+-------------+--------+----------+
///
/// The position (`micros`) is signed. It takes the top bits, where the carry of an addition falls off the word.
type MerchantPosition is uint256;

using MerchantPositionLib for MerchantPosition global;

/// @dev Nothing here can overflow: `Settlement` explains why every position stays between -2^63 and 2^95.
library MerchantPositionLib {
    /// @notice A position of 0.
    function pack(uint256 creditLimitMicros_, MerchantStatus status_) internal pure returns (MerchantPosition) {
        return MerchantPosition.wrap(creditLimitMicros_ << 96 | uint256(status_));
    }

    function micros(MerchantPosition position) internal pure returns (int256) {
        return int256(MerchantPosition.unwrap(position)) >> 160;
    }

    function creditLimitMicros(MerchantPosition position) internal pure returns (uint256) {
        return MerchantPosition.unwrap(position) >> 96 & type(uint64).max;
    }

    function status(MerchantPosition position) internal pure returns (MerchantStatus) {
        return MerchantStatus(uint8(MerchantPosition.unwrap(position)));
    }

    /// @dev Unlike a comparison with `status`, this does not check that the bits are one of the enum's numbers.
    function hasStatus(MerchantPosition position, MerchantStatus status_) internal pure returns (bool) {
        return MerchantPosition.unwrap(position) & type(uint8).max == uint256(status_);
    }

    /// @notice Whether the merchant can pay `amountMicros` and stay within its credit limit.
    function covers(MerchantPosition position, uint256 amountMicros) internal pure returns (bool) {
        unchecked {
            return position.micros() + int256(position.creditLimitMicros()) >= int256(amountMicros);
        }
    }

    function plus(MerchantPosition position, uint256 amountMicros) internal pure returns (MerchantPosition) {
        unchecked {
            return MerchantPosition.wrap(MerchantPosition.unwrap(position) + (amountMicros << 160));
        }
    }

    function minus(MerchantPosition position, uint256 amountMicros) internal pure returns (MerchantPosition) {
        unchecked {
            return MerchantPosition.wrap(MerchantPosition.unwrap(position) - (amountMicros << 160));
        }
    }

    function withCreditLimit(MerchantPosition position, uint256 creditLimitMicros_)
        internal
        pure
        returns (MerchantPosition)
    {
        uint256 others = MerchantPosition.unwrap(position) & ~(uint256(type(uint64).max) << 96);
        return MerchantPosition.wrap(others | creditLimitMicros_ << 96);
    }

    function withStatus(MerchantPosition position, MerchantStatus status_) internal pure returns (MerchantPosition) {
        return MerchantPosition.wrap(MerchantPosition.unwrap(position) >> 8 << 8 | uint256(status_));
    }
}
