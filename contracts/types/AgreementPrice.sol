// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementTerms} from "../interfaces/IClearingHouse.sol";

/// @notice The rate, the unit price and the caps of an agreement.
///
///      255    192 191     128 127             64 63      32 31       0
///     +----------+-----------+------------------+----------+----------+
///     | dailyCap | maxPoints | unitPriceMicros  | rateDen  | rateNum  |
///     +----------+-----------+------------------+----------+----------+
type AgreementPrice is uint256;

using AgreementPriceLib for AgreementPrice global;

library AgreementPriceLib {
    function pack(AgreementTerms memory terms) internal pure returns (AgreementPrice) {
        uint256 caps = uint256(terms.dailyCap) << 192 | uint256(terms.maxPoints) << 128;
        return
            AgreementPrice.wrap(
                caps | uint256(terms.unitPriceMicros) << 64 | uint256(terms.rateDen) << 32 | terms.rateNum
            );
    }

    function rateNum(AgreementPrice price) internal pure returns (uint256) {
        return AgreementPrice.unwrap(price) & type(uint32).max;
    }

    function rateDen(AgreementPrice price) internal pure returns (uint256) {
        return AgreementPrice.unwrap(price) >> 32 & type(uint32).max;
    }

    function unitPriceMicros(AgreementPrice price) internal pure returns (uint256) {
        return AgreementPrice.unwrap(price) >> 64 & type(uint64).max;
    }

    function maxPoints(AgreementPrice price) internal pure returns (uint256) {
        return AgreementPrice.unwrap(price) >> 128 & type(uint64).max;
    }

    function dailyCap(AgreementPrice price) internal pure returns (uint256) {
        return AgreementPrice.unwrap(price) >> 192;
    }
}
