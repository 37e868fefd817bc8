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
/// that accepts the points (acceptance). `usedDay` is a day modulo 2^16, so what was used 179 years ago would count as used
/// today.
type AgreementRoute is uint256;

using AgreementRouteLib for AgreementRoute global;

library AgreementRouteLib {
    /// @notice The route of new terms, with nothing used.
    function pack(AgreementTerms memory terms) internal pure returns (AgreementRoute) {
        bool exchange = terms.kind == AgreementKind.Exchange;
        uint256 ends =
            uint256(terms.sourceProgram) << 40 | uint256(exchange ? terms.targetProgram : terms.targetMerchant) << 64;
        uint256 times = uint256(terms.validFrom) << 96 | uint256(terms.validUntil) << 136;
        uint256 rest = uint256(terms.lifetimeDays) << 24 | uint256(terms.feeBps) << 8 | uint256(terms.initiators) << 4;
        return AgreementRoute.wrap(times | ends | rest | uint8(terms.kind));
    }

    function kind(AgreementRoute route) internal pure returns (uint256) {
        return AgreementRoute.unwrap(route) & 0xf;
    }

    function hasKind(AgreementRoute route, AgreementKind kind_) internal pure returns (bool) {
        return route.kind() == uint256(kind_);
    }

    function initiators(AgreementRoute route) internal pure returns (uint256) {
        return AgreementRoute.unwrap(route) >> 4 & 0xf;
    }

    function feeBps(AgreementRoute route) internal pure returns (uint256) {
        return AgreementRoute.unwrap(route) >> 8 & type(uint16).max;
    }

    function lifetimeDays(AgreementRoute route) internal pure returns (uint256) {
        return AgreementRoute.unwrap(route) >> 24 & type(uint16).max;
    }

    function source(AgreementRoute route) internal pure returns (uint256) {
        return AgreementRoute.unwrap(route) >> 40 & type(uint24).max;
    }

    function target(AgreementRoute route) internal pure returns (uint256) {
        return AgreementRoute.unwrap(route) >> 64 & type(uint32).max;
    }

    function validFrom(AgreementRoute route) internal pure returns (uint256) {
        return AgreementRoute.unwrap(route) >> 96 & type(uint40).max;
    }

    function validUntil(AgreementRoute route) internal pure returns (uint256) {
        return AgreementRoute.unwrap(route) >> 136 & type(uint40).max;
    }

    /// @notice Source points burnt on `day`, which must not be before the day of the last use.
    function usedOn(AgreementRoute route, uint256 day) internal pure returns (uint256) {
        bool sameDay = (AgreementRoute.unwrap(route) >> 176 ^ day) & type(uint16).max == 0;
        return sameDay ? AgreementRoute.unwrap(route) >> 192 : 0;
    }

    /// @notice Source points burnt on `day` after `points` more.
    function usedOnAfter(AgreementRoute route, uint256 day, uint256 points) internal pure returns (uint256) {
        unchecked {
            return route.usedOn(day) + points;
        }
    }

    /// @notice The route with `points` as the total of source points burnt on `day`.
    function withUse(AgreementRoute route, uint256 day, uint256 points) internal pure returns (AgreementRoute) {
        return
            AgreementRoute.wrap(
                AgreementRoute.unwrap(route) << 80 >> 80 | (day & type(uint16).max) << 176 | points << 192
            );
    }

    /// @notice The route after `points` came back that were burnt on the day of the last use.
    /// @dev Warning: the caller makes sure that they were burnt on that day.
    function withLessUse(AgreementRoute route, uint256 points) internal pure returns (AgreementRoute) {
        unchecked {
            return AgreementRoute.wrap(AgreementRoute.unwrap(route) - (points << 192));
        }
    }

    /// @notice The day on which points minted today expire, or 0 for never.
    function expiryDay(AgreementRoute route, uint256 today) internal pure returns (uint256) {
        unchecked {
            return route.lifetimeDays() == 0 ? 0 : today + route.lifetimeDays();
        }
    }

    function withValidUntil(AgreementRoute route, uint256 validUntil_) internal pure returns (AgreementRoute) {
        uint256 others = AgreementRoute.unwrap(route) & ~(uint256(type(uint40).max) << 136);
        return AgreementRoute.wrap(others | validUntil_ << 136);
    }
}
