// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementTerms} from "../interfaces/IClearingHouse.sol";

/// @notice The merchants of an agreement, and those of its terms that no instruction needs.
///
///      255 169     168     167    128 127         96 95      64 63            32 31             0
///     +-------+------------+----------+-------------+----------+----------------+----------------+
///     |   0   | keepExpiry | acceptBy | graceSecs   |supersedes| targetMerchant | sourceMerchant |
///     +-------+------------+----------+-------------+----------+----------------+----------------+
type AgreementParties is uint256;

using AgreementPartiesLib for AgreementParties global;

library AgreementPartiesLib {
    function pack(AgreementTerms memory terms) internal pure returns (AgreementParties) {
        uint256 merchants = uint256(terms.sourceMerchant) | uint256(terms.targetMerchant) << 32;
        uint256 versions = uint256(terms.supersedes) << 64 | uint256(terms.graceSeconds) << 96;
        uint256 rest = uint256(terms.acceptBy) << 128 | (terms.keepExpiry ? 1 << 168 : 0);
        return AgreementParties.wrap(merchants | versions | rest);
    }

    function sourceMerchant(AgreementParties parties) internal pure returns (uint256) {
        return AgreementParties.unwrap(parties) & type(uint32).max;
    }

    function targetMerchant(AgreementParties parties) internal pure returns (uint256) {
        return AgreementParties.unwrap(parties) >> 32 & type(uint32).max;
    }

    /// @notice Whether both agreements are between the same merchants, in the same roles.
    function sameMerchants(AgreementParties parties, AgreementParties others) internal pure returns (bool) {
        return uint64(AgreementParties.unwrap(parties)) == uint64(AgreementParties.unwrap(others));
    }

    function supersedes(AgreementParties parties) internal pure returns (uint256) {
        return AgreementParties.unwrap(parties) >> 64 & type(uint32).max;
    }

    function graceSeconds(AgreementParties parties) internal pure returns (uint256) {
        return AgreementParties.unwrap(parties) >> 96 & type(uint32).max;
    }

    function acceptBy(AgreementParties parties) internal pure returns (uint256) {
        return AgreementParties.unwrap(parties) >> 128 & type(uint40).max;
    }

    function keepExpiry(AgreementParties parties) internal pure returns (bool) {
        return AgreementParties.unwrap(parties) >> 168 & 1 != 0;
    }
}
