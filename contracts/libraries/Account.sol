// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerchantStatus} from "../interfaces/IClearingHouse.sol";

/// @notice All that a settlement needs to know about a merchant.
///
///      255      160 159         96 95    8 7        0
///     +------------+-------------+--------+----------+
///     |  position  | creditLimit |    0   |  status  |
///     +------------+-------------+--------+----------+
///
/// The position is signed and on top, where adding to it can carry into nothing.
type Account is uint256;

using AccountLib for Account global;

/// @dev Nothing here can overflow: see `Settlement` for why every position stays between -2^63 and 2^95.
library AccountLib {
    function pack(uint256 creditLimit_, MerchantStatus status_) internal pure returns (Account) {
        return Account.wrap(creditLimit_ << 96 | uint256(status_));
    }

    function position(Account account) internal pure returns (int256) {
        return int256(Account.unwrap(account)) >> 160;
    }

    function creditLimit(Account account) internal pure returns (uint256) {
        return Account.unwrap(account) >> 96 & type(uint64).max;
    }

    function status(Account account) internal pure returns (MerchantStatus) {
        return MerchantStatus(uint8(Account.unwrap(account)));
    }

    function isIn(Account account, MerchantStatus status_) internal pure returns (bool) {
        return Account.unwrap(account) & type(uint8).max == uint256(status_);
    }

    /// @notice Whether the account can pay `micros` and stay within its credit limit.
    function covers(Account account, uint256 micros) internal pure returns (bool) {
        unchecked {
            return account.position() + int256(account.creditLimit()) >= int256(micros);
        }
    }

    function plus(Account account, uint256 micros) internal pure returns (Account) {
        unchecked {
            return Account.wrap(Account.unwrap(account) + (micros << 160));
        }
    }

    function minus(Account account, uint256 micros) internal pure returns (Account) {
        unchecked {
            return Account.wrap(Account.unwrap(account) - (micros << 160));
        }
    }

    function withCreditLimit(Account account, uint256 creditLimit_) internal pure returns (Account) {
        uint256 others = Account.unwrap(account) & ~(uint256(type(uint64).max) << 96);
        return Account.wrap(others | creditLimit_ << 96);
    }

    function withStatus(Account account, MerchantStatus status_) internal pure returns (Account) {
        return Account.wrap(Account.unwrap(account) >> 8 << 8 | uint256(status_));
    }
}
