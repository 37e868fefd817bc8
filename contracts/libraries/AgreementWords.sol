// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementKind, AgreementTerms} from "../interfaces/IClearingHouse.sol";

/// @notice What an agreement connects, when it may be used, and how much of it was used today.
///
///      255      192 191   176 175      136 135     96 95    64 63         40 39          24 23   8 7        4 3   0
///     +------------+---------+------------+-----------+--------+-------------+--------------+------+----------+-----+
///     | usedPoints | usedDay | validUntil | validFrom | target |   source    | lifetimeDays | fee  | initiat. | kind|
///     +------------+---------+------------+-----------+--------+-------------+--------------+------+----------+-----+
///
/// `source` is the program whose points are burnt. `target` is the program whose points are minted (exchange) or the merchant
/// that accepts the points (acceptance). Days are kept modulo 2^16: a use of 179 years ago would count as today's.
type Route is uint256;

/// @notice What an agreement gives and allows.
///
///      255    192 191     128 127       64 63      32 31       0
///     +----------+-----------+------------+----------+----------+
///     | dailyCap | maxPoints | unitPrice  | rateDen  | rateNum  |
///     +----------+-----------+------------+----------+----------+
type Price is uint256;

using AgreementWordsLib for Route global;
using AgreementWordsLib for Price global;

library AgreementWordsLib {
    function packRoute(AgreementTerms memory t) internal pure returns (Route) {
        bool exchange = t.kind == AgreementKind.Exchange;
        uint256 ends = uint256(t.sourceProgram) << 40 | uint256(exchange ? t.targetProgram : t.targetMerchant) << 64;
        uint256 times = uint256(t.validFrom) << 96 | uint256(t.validUntil) << 136;
        uint256 rest = uint256(t.lifetimeDays) << 24 | uint256(t.feeBps) << 8 | uint256(t.initiators) << 4;
        return Route.wrap(times | ends | rest | uint8(t.kind));
    }

    function packPrice(AgreementTerms memory t) internal pure returns (Price) {
        uint256 caps = uint256(t.dailyCap) << 192 | uint256(t.maxPoints) << 128;
        return Price.wrap(caps | uint256(t.unitPriceMicros) << 64 | uint256(t.rateDen) << 32 | t.rateNum);
    }

    // ---------------------------------------------------------------- route

    function kind(Route route) internal pure returns (uint256) {
        return Route.unwrap(route) & 0xf;
    }

    function isOf(Route route, AgreementKind kind_) internal pure returns (bool) {
        return route.kind() == uint256(kind_);
    }

    function initiators(Route route) internal pure returns (uint256) {
        return Route.unwrap(route) >> 4 & 0xf;
    }

    function feeBps(Route route) internal pure returns (uint256) {
        return Route.unwrap(route) >> 8 & type(uint16).max;
    }

    function lifetimeDays(Route route) internal pure returns (uint256) {
        return Route.unwrap(route) >> 24 & type(uint16).max;
    }

    function source(Route route) internal pure returns (uint256) {
        return Route.unwrap(route) >> 40 & type(uint24).max;
    }

    function target(Route route) internal pure returns (uint256) {
        return Route.unwrap(route) >> 64 & type(uint32).max;
    }

    function validFrom(Route route) internal pure returns (uint256) {
        return Route.unwrap(route) >> 96 & type(uint40).max;
    }

    function validUntil(Route route) internal pure returns (uint256) {
        return Route.unwrap(route) >> 136 & type(uint40).max;
    }

    /// @notice Source points burnt on `day`, which is not before the last use.
    function usedOn(Route route, uint256 day) internal pure returns (uint256) {
        bool same = (Route.unwrap(route) >> 176 ^ day) & type(uint16).max == 0;
        return same ? Route.unwrap(route) >> 192 : 0;
    }

    /// @notice The route with `points` as what was used on `day`.
    function withUse(Route route, uint256 day, uint256 points) internal pure returns (Route) {
        return Route.wrap(Route.unwrap(route) << 80 >> 80 | (day & type(uint16).max) << 176 | points << 192);
    }

    /// @notice The day on which points minted today expire, or 0 for never.
    function expiryDay(Route route, uint256 today) internal pure returns (uint256) {
        unchecked {
            return route.lifetimeDays() == 0 ? 0 : today + route.lifetimeDays();
        }
    }

    function withValidUntil(Route route, uint256 validUntil_) internal pure returns (Route) {
        uint256 others = Route.unwrap(route) & ~(uint256(type(uint40).max) << 136);
        return Route.wrap(others | validUntil_ << 136);
    }

    // ---------------------------------------------------------------- price

    function rateNum(Price price) internal pure returns (uint256) {
        return Price.unwrap(price) & type(uint32).max;
    }

    function rateDen(Price price) internal pure returns (uint256) {
        return Price.unwrap(price) >> 32 & type(uint32).max;
    }

    function unitPriceMicros(Price price) internal pure returns (uint256) {
        return Price.unwrap(price) >> 64 & type(uint64).max;
    }

    function maxPoints(Price price) internal pure returns (uint256) {
        return Price.unwrap(price) >> 128 & type(uint64).max;
    }

    function dailyCap(Price price) internal pure returns (uint256) {
        return Price.unwrap(price) >> 192;
    }
}
