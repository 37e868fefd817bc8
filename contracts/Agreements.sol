// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry} from "./Registry.sol";
import {AgreementKind, AgreementTerms, IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {PaddedText} from "./libraries/PaddedText.sol";
import {RateMath} from "./libraries/RateMath.sol";
import {AgreementParties, AgreementPartiesLib} from "./types/AgreementParties.sol";
import {AgreementPrice, AgreementPriceLib} from "./types/AgreementPrice.sol";
import {AgreementRoute, AgreementRouteLib} from "./types/AgreementRoute.sol";

/// @title Agreements
/// @notice Terms between two merchants, signed by both. Two things about them can change: their end can move closer, and the day's
/// use grows.
abstract contract Agreements is Registry {
    /// @dev Three slots. An exchange or a spend reads only the first two. The document is in the event, not in storage.
    struct Agreement {
        AgreementRoute route;
        AgreementPrice price;
        AgreementParties parties;
    }

    uint8 internal constant SOURCE_MAY_INITIATE = 1;
    uint8 internal constant TARGET_MAY_INITIATE = 2;

    /// @dev The longest time for which an agreement may stay usable beside its successor.
    uint32 internal constant MAX_GRACE = 7 days;

    bytes32 internal constant TERMS_TYPEHASH = keccak256(
        "AgreementTerms(uint8 kind,uint8 initiators,uint16 feeBps,uint16 lifetimeDays,uint32 sourceMerchant,uint32 targetMerchant,uint32 sourceProgram,uint32 targetProgram,uint40 validFrom,uint40 validUntil,uint32 rateNum,uint32 rateDen,uint64 unitPriceMicros,uint64 maxPoints,uint64 dailyCap,uint32 supersedes,uint32 graceSeconds,uint40 acceptBy,bool keepExpiry,bytes32 document)"
    );
    bytes32 internal constant TERMINATION_TYPEHASH = keccak256("Termination(uint32 agreement,uint40 effectiveAt)");

    /// @dev Ids are dense, so the agreements are an array and no hash is needed to find one. See `_agreement`.
    Agreement[2 ** 32] private _agreements;
    /// @dev Signed terms can be registered only once. Otherwise the operator could bring back a terminated agreement.
    mapping(bytes32 digest => uint32 agreement) private _agreementOfDigest;

    /// @inheritdoc IClearingHouse
    uint32 public override agreementCount;

    // ---------------------------------------------------------------- operator

    /// @inheritdoc IClearingHouse
    function registerAgreement(
        uint32 id,
        AgreementTerms memory terms,
        bytes calldata sourceSignature,
        bytes calldata targetSignature
    ) external override onlyRole(Role.Operator) whileRunning {
        if (id != agreementCount + 1) revert UnexpectedId(id, agreementCount + 1);
        _checkTerms(terms);
        bytes32 structHash = keccak256(abi.encode(TERMS_TYPEHASH, terms));
        bytes32 digest = _digest(structHash);
        if (_agreementOfDigest[digest] != 0) revert AlreadyRegistered(digest, _agreementOfDigest[digest]);
        _requireSignature(terms.sourceMerchant, structHash, sourceSignature);
        _requireSignature(terms.targetMerchant, structHash, targetSignature);

        agreementCount = id;
        _agreementOfDigest[digest] = id;
        Agreement storage agreement = _agreement(id);
        agreement.route = AgreementRouteLib.pack(terms);
        agreement.price = AgreementPriceLib.pack(terms);
        agreement.parties = AgreementPartiesLib.pack(terms);

        emit AgreementRegistered(id, digest, terms, sourceSignature, targetSignature);
        if (terms.supersedes != 0) _supersede(terms, id);
    }

    // ---------------------------------------------------------------- merchants

    /// @inheritdoc IClearingHouse
    function terminateAgreement(uint32 id, uint40 effectiveAt, uint32 merchant, bytes calldata signature)
        external
        override
    {
        _requireOperating();
        AgreementParties parties = _knownAgreement(id).parties;
        if (merchant != parties.sourceMerchant() && merchant != parties.targetMerchant()) {
            revert BadSignature(merchant);
        }
        _requireSignature(merchant, keccak256(abi.encode(TERMINATION_TYPEHASH, id, effectiveAt)), signature);

        _endAgreement(id, effectiveAt, 0);
    }

    // ---------------------------------------------------------------- ends

    /// @dev The grace begins when the successor becomes valid: a successor that starts next month leaves its predecessor in force
    /// until then. What was used today counts under the successor too, so that a new version does not restart the day's cap.
    function _supersede(AgreementTerms memory terms, uint32 successor) private {
        uint256 day = today();
        Agreement storage agreement = _agreement(successor);
        agreement.route = agreement.route.withUse(day, _agreement(terms.supersedes).route.usedOn(day));
        uint256 start = terms.validFrom > block.timestamp ? terms.validFrom : block.timestamp;
        _endAgreement(terms.supersedes, start + terms.graceSeconds, successor);
    }

    /// @dev Moves the end neither before now nor beyond the end that is set already.
    function _endAgreement(uint32 id, uint256 endsAt, uint32 successor) private {
        AgreementRoute route = _agreement(id).route;
        if (endsAt < block.timestamp) endsAt = block.timestamp;
        if (endsAt > route.validUntil()) endsAt = route.validUntil();

        _agreement(id).route = route.withValidUntil(endsAt);

        emit AgreementEnds(id, uint40(endsAt), successor);
    }

    // ---------------------------------------------------------------- checks

    function _checkTerms(AgreementTerms memory terms) private view {
        _requireActive(terms.sourceMerchant);
        _requireActive(terms.targetMerchant);
        bytes32 field = _badTerm(terms);
        if (field != 0) revert BadTerms(PaddedText.toString(field));
    }

    /// @dev The name of the first field with a value that makes no sense, or 0.
    function _badTerm(AgreementTerms memory terms) private view returns (bytes32) {
        if (!_program(terms.sourceProgram).minted.isRunBy(terms.sourceMerchant)) return "sourceProgram";
        if (terms.kind == AgreementKind.Exchange) {
            if (!_program(terms.targetProgram).minted.isRunBy(terms.targetMerchant)) return "targetProgram";
            if (terms.targetProgram == terms.sourceProgram) return "targetProgram";
            if (terms.initiators & SOURCE_MAY_INITIATE == 0) return "initiators";
        } else {
            if (terms.kind != AgreementKind.Acceptance) return "kind";
            if (terms.targetProgram != 0) return "targetProgram";
            if (terms.targetMerchant == terms.sourceMerchant) return "targetMerchant";
            if (terms.rateNum != 1 || terms.rateDen != 1) return "rateNum";
            if (terms.lifetimeDays != 0) return "lifetimeDays";
            if (terms.keepExpiry) return "keepExpiry";
        }
        if (terms.initiators == 0 || terms.initiators > 3) return "initiators";
        if (terms.rateNum == 0) return "rateNum";
        if (terms.rateDen == 0) return "rateDen";
        if (terms.feeBps > RateMath.BPS) return "feeBps";
        if (terms.maxPoints == 0) return "maxPoints";
        if (terms.dailyCap < terms.maxPoints) return "dailyCap";
        if (terms.validUntil <= terms.validFrom || terms.validUntil <= block.timestamp) return "validUntil";
        if (terms.graceSeconds > MAX_GRACE) return "graceSeconds";
        if (terms.acceptBy != 0 && block.timestamp > terms.acceptBy) return "acceptBy";
        if (terms.supersedes != 0 && !_mayFollow(terms)) return "supersedes";
        return 0;
    }

    /// @dev Whether the agreement that the terms supersede has the same merchants and the same route.
    function _mayFollow(AgreementTerms memory terms) private view returns (bool) {
        Agreement storage predecessor = _knownAgreement(terms.supersedes);
        AgreementRoute route = AgreementRouteLib.pack(terms);
        bool sameMerchants = predecessor.parties.sameMerchants(AgreementPartiesLib.pack(terms));
        return sameMerchants && predecessor.route.hasKind(terms.kind) && predecessor.route.source() == route.source()
            && predecessor.route.target() == route.target();
    }

    // ---------------------------------------------------------------- storage access

    function _knownAgreement(uint32 id) internal view returns (Agreement storage agreement) {
        agreement = _agreement(id);
        if (agreement.route.hasKind(AgreementKind.None)) revert UnknownAgreement(id);
    }

    /// @dev Assembly skips the check that `id` is within the array. An agreement has three slots.
    /// Warning: the caller makes sure that `id` has at most 32 bits.
    function _agreement(uint256 id) internal pure returns (Agreement storage agreement) {
        assembly ("memory-safe") {
            agreement.slot := add(_agreements.slot, mul(id, 3))
        }
    }

    /// @dev The slot of the route.
    function _slotOf(Agreement storage agreement) internal pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := agreement.slot
        }
    }
}
