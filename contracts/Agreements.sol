// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementKind, AgreementTerms, IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {RateMath} from "./libraries/RateMath.sol";
import {Registry} from "./Registry.sol";

/// @title Agreements
/// @notice Dual-signed terms between two merchants. Immutable but for their end, which can only come closer, and the day's use.
abstract contract Agreements is Registry {
    /// @dev Five slots: the terms (four, see `AgreementTerms`) and what was used of the daily cap on `usedDay`.
    struct Agreement {
        AgreementTerms terms;
        uint32 usedDay;
        uint64 usedPoints;
    }

    uint8 internal constant SOURCE_MAY_INITIATE = 1;
    uint8 internal constant TARGET_MAY_INITIATE = 2;

    /// @dev Longest time an agreement may outlive its successor's registration.
    uint32 internal constant MAX_GRACE = 7 days;

    bytes32 internal constant TERMS_TYPEHASH = keccak256(
        "AgreementTerms(uint8 kind,uint8 initiators,uint16 feeBps,uint16 lifetimeDays,uint32 sourceMerchant,uint32 targetMerchant,uint32 sourceProgram,uint32 targetProgram,uint40 validFrom,uint40 validUntil,uint32 rateNum,uint32 rateDen,uint64 unitPriceMicros,uint64 maxPoints,uint64 dailyCap,uint32 supersedes,uint32 graceSeconds,bytes32 document)"
    );
    bytes32 internal constant TERMINATION_TYPEHASH = keccak256("Termination(uint32 agreement,uint40 effectiveAt)");

    mapping(uint32 agreement => Agreement) internal _agreements;
    /// @dev Signed terms can be registered once, or a terminated agreement could be brought back by anyone who kept them.
    mapping(bytes32 digest => uint32 agreement) private _registered;

    /// @inheritdoc IClearingHouse
    uint32 public override agreementCount;

    // ---------------------------------------------------------------- registration and end

    /// @inheritdoc IClearingHouse
    function registerAgreement(
        uint32 id,
        AgreementTerms calldata terms,
        bytes calldata sourceSignature,
        bytes calldata targetSignature
    ) external override onlyRole(Role.Operator) {
        if (id != agreementCount + 1) revert UnexpectedId(id, agreementCount + 1);
        _checkTerms(terms);
        bytes32 structHash = keccak256(abi.encode(TERMS_TYPEHASH, terms));
        bytes32 digest = _hashTypedDataV4(structHash);
        if (_registered[digest] != 0) revert AlreadyRegistered(digest, _registered[digest]);
        _requireSignature(terms.sourceMerchant, structHash, sourceSignature);
        _requireSignature(terms.targetMerchant, structHash, targetSignature);

        agreementCount = id;
        _registered[digest] = id;
        _agreements[id].terms = terms;

        emit AgreementRegistered(id, digest, terms, sourceSignature, targetSignature);
        if (terms.supersedes != 0) _end(terms.supersedes, uint40(block.timestamp) + terms.graceSeconds, id);
    }

    /// @inheritdoc IClearingHouse
    function terminateAgreement(uint32 id, uint40 effectiveAt, uint32 merchant, bytes calldata signature)
        external
        override
    {
        AgreementTerms storage a = _knownAgreement(id);
        if (merchant != a.sourceMerchant && merchant != a.targetMerchant) revert BadSignature(merchant);
        _requireSignature(merchant, keccak256(abi.encode(TERMINATION_TYPEHASH, id, effectiveAt)), signature);

        _end(id, effectiveAt, 0);
    }

    /// @dev The end never comes before now, nor later than it already would.
    function _end(uint32 id, uint40 when, uint32 successor) private {
        AgreementTerms storage a = _agreements[id].terms;
        uint40 validUntil = when > block.timestamp ? when : uint40(block.timestamp);
        if (validUntil > a.validUntil) validUntil = a.validUntil;

        a.validUntil = validUntil;

        emit AgreementEnds(id, validUntil, successor);
    }

    function _checkTerms(AgreementTerms calldata t) private view {
        _knownMerchant(t.sourceMerchant);
        _knownMerchant(t.targetMerchant);
        if (_knownProgram(t.sourceProgram).merchant != t.sourceMerchant) revert BadTerms("sourceProgram");
        if (t.kind == AgreementKind.Exchange) {
            if (_knownProgram(t.targetProgram).merchant != t.targetMerchant) revert BadTerms("targetProgram");
            if (t.targetProgram == t.sourceProgram) revert BadTerms("targetProgram");
            if (t.initiators & SOURCE_MAY_INITIATE == 0) revert BadTerms("initiators");
        } else if (t.kind == AgreementKind.Acceptance) {
            if (t.targetProgram != 0) revert BadTerms("targetProgram");
            if (t.targetMerchant == t.sourceMerchant) revert BadTerms("targetMerchant");
            if (t.rateNum != 1 || t.rateDen != 1) revert BadTerms("rateNum");
            if (t.lifetimeDays != 0) revert BadTerms("lifetimeDays");
        } else {
            revert BadTerms("kind");
        }
        if (t.initiators == 0 || t.initiators > 3) revert BadTerms("initiators");
        if (t.rateNum == 0) revert BadTerms("rateNum");
        if (t.rateDen == 0) revert BadTerms("rateDen");
        if (t.feeBps > RateMath.BPS) revert BadTerms("feeBps");
        if (t.maxPoints == 0) revert BadTerms("maxPoints");
        if (t.dailyCap < t.maxPoints) revert BadTerms("dailyCap");
        if (t.validUntil <= t.validFrom || t.validUntil <= block.timestamp) revert BadTerms("validUntil");
        if (t.graceSeconds > MAX_GRACE) revert BadTerms("graceSeconds");
        if (t.supersedes != 0) _checkSupersedes(t);
    }

    function _checkSupersedes(AgreementTerms calldata t) private view {
        AgreementTerms storage old = _knownAgreement(t.supersedes);
        bool sameRoute = old.kind == t.kind && old.sourceMerchant == t.sourceMerchant
            && old.targetMerchant == t.targetMerchant && old.sourceProgram == t.sourceProgram
            && old.targetProgram == t.targetProgram;
        if (!sameRoute) revert BadTerms("supersedes");
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function agreementOf(uint32 id) external view override returns (AgreementTerms memory) {
        return _knownAgreement(id);
    }

    /// @inheritdoc IClearingHouse
    function usedToday(uint32 id) external view override returns (uint64) {
        _knownAgreement(id);
        Agreement storage a = _agreements[id];
        return a.usedDay == today() ? a.usedPoints : 0;
    }

    function _knownAgreement(uint32 id) internal view returns (AgreementTerms storage a) {
        a = _agreements[id].terms;
        if (a.kind == AgreementKind.None) revert UnknownAgreement(id);
    }
}
