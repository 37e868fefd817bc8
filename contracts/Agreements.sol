// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry} from "./Registry.sol";
import {AgreementKind, AgreementTerms, IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {AgreementWordsLib, Price, Route} from "./libraries/AgreementWords.sol";
import {RateMath} from "./libraries/RateMath.sol";

/// @title Agreements
/// @notice Dual-signed terms between two merchants. Immutable but for their end, which can only come closer, and the day's use.
abstract contract Agreements is Registry {
    /// @dev Two slots that every use reads, and one with what only people ask. The document is in the event.
    struct Agreement {
        Route route;
        Price price;
        uint32 sourceMerchant;
        uint32 targetMerchant;
        uint32 supersedes;
        uint32 graceSeconds;
    }

    uint8 internal constant SOURCE_MAY_INITIATE = 1;
    uint8 internal constant TARGET_MAY_INITIATE = 2;

    /// @dev Longest time an agreement may outlive its successor's registration.
    uint32 internal constant MAX_GRACE = 7 days;

    bytes32 internal constant TERMS_TYPEHASH = keccak256(
        "AgreementTerms(uint8 kind,uint8 initiators,uint16 feeBps,uint16 lifetimeDays,uint32 sourceMerchant,uint32 targetMerchant,uint32 sourceProgram,uint32 targetProgram,uint40 validFrom,uint40 validUntil,uint32 rateNum,uint32 rateDen,uint64 unitPriceMicros,uint64 maxPoints,uint64 dailyCap,uint32 supersedes,uint32 graceSeconds,bytes32 document)"
    );
    bytes32 internal constant TERMINATION_TYPEHASH = keccak256("Termination(uint32 agreement,uint40 effectiveAt)");

    /// @dev Ids are dense, so agreements lie in a row: no hash is needed to find one.
    Agreement[2 ** 32] private _agreements;
    /// @dev Signed terms can be registered once, or a terminated agreement could be brought back by anyone who kept them.
    mapping(bytes32 digest => uint32 agreement) private _registered;

    /// @inheritdoc IClearingHouse
    uint32 public override agreementCount;

    // ---------------------------------------------------------------- registration and end

    /// @inheritdoc IClearingHouse
    function registerAgreement(
        uint32 id,
        AgreementTerms memory terms,
        bytes calldata sourceSignature,
        bytes calldata targetSignature
    ) external override onlyRole(Role.Operator) {
        if (id != agreementCount + 1) revert UnexpectedId(id, agreementCount + 1);
        _checkTerms(terms);
        bytes32 structHash = keccak256(abi.encode(TERMS_TYPEHASH, terms));
        bytes32 digest = _digest(structHash);
        if (_registered[digest] != 0) revert AlreadyRegistered(digest, _registered[digest]);
        _requireSignature(terms.sourceMerchant, structHash, sourceSignature);
        _requireSignature(terms.targetMerchant, structHash, targetSignature);

        agreementCount = id;
        _registered[digest] = id;
        Agreement storage a = _agreement(id);
        a.route = AgreementWordsLib.packRoute(terms);
        a.price = AgreementWordsLib.packPrice(terms);
        a.sourceMerchant = terms.sourceMerchant;
        a.targetMerchant = terms.targetMerchant;
        a.supersedes = terms.supersedes;
        a.graceSeconds = terms.graceSeconds;

        emit AgreementRegistered(id, digest, terms, sourceSignature, targetSignature);
        if (terms.supersedes != 0) _supersede(terms, id);
    }

    /// @inheritdoc IClearingHouse
    function terminateAgreement(uint32 id, uint40 effectiveAt, uint32 merchant, bytes calldata signature)
        external
        override
    {
        Agreement storage a = _knownAgreement(id);
        if (merchant != a.sourceMerchant && merchant != a.targetMerchant) revert BadSignature(merchant);
        _requireSignature(merchant, keccak256(abi.encode(TERMINATION_TYPEHASH, id, effectiveAt)), signature);

        _end(id, effectiveAt, 0);
    }

    /// @dev The grace begins when the successor does: one that begins next month leaves its predecessor in force until then. What was
    /// used today counts under the successor, too, so that a new version does not open the day's cap again.
    function _supersede(AgreementTerms memory t, uint32 successor) private {
        uint256 day = today();
        Agreement storage a = _agreement(successor);
        a.route = a.route.withUse(day, _agreement(t.supersedes).route.usedOn(day));
        uint256 start = t.validFrom > block.timestamp ? t.validFrom : block.timestamp;
        _end(t.supersedes, start + t.graceSeconds, successor);
    }

    /// @dev The end never comes before now, nor later than it already would.
    function _end(uint32 id, uint256 when, uint32 successor) private {
        Route route = _agreement(id).route;
        if (when < block.timestamp) when = block.timestamp;
        if (when > route.validUntil()) when = route.validUntil();

        _agreement(id).route = route.withValidUntil(when);

        emit AgreementEnds(id, uint40(when), successor);
    }

    // ---------------------------------------------------------------- checks

    function _checkTerms(AgreementTerms memory t) private view {
        _knownMerchant(t.sourceMerchant);
        _knownMerchant(t.targetMerchant);
        _require(_program(t.sourceProgram).minted.isRunBy(t.sourceMerchant), "sourceProgram");
        if (t.kind == AgreementKind.Exchange) {
            _require(_program(t.targetProgram).minted.isRunBy(t.targetMerchant), "targetProgram");
            _require(t.targetProgram != t.sourceProgram, "targetProgram");
            _require(t.initiators & SOURCE_MAY_INITIATE != 0, "initiators");
        } else {
            _require(t.kind == AgreementKind.Acceptance, "kind");
            _require(t.targetProgram == 0, "targetProgram");
            _require(t.targetMerchant != t.sourceMerchant, "targetMerchant");
            _require(t.rateNum == 1 && t.rateDen == 1, "rateNum");
            _require(t.lifetimeDays == 0, "lifetimeDays");
        }
        _require(t.initiators != 0 && t.initiators <= 3, "initiators");
        _require(t.rateNum != 0, "rateNum");
        _require(t.rateDen != 0, "rateDen");
        _require(t.feeBps <= RateMath.BPS, "feeBps");
        _require(t.maxPoints != 0, "maxPoints");
        _require(t.dailyCap >= t.maxPoints, "dailyCap");
        _require(t.validUntil > t.validFrom && t.validUntil > block.timestamp, "validUntil");
        _require(t.graceSeconds <= MAX_GRACE, "graceSeconds");
        if (t.supersedes != 0) _checkSupersedes(t);
    }

    function _checkSupersedes(AgreementTerms memory t) private view {
        Agreement storage old = _knownAgreement(t.supersedes);
        Route route = AgreementWordsLib.packRoute(t);
        bool sameMerchants = old.sourceMerchant == t.sourceMerchant && old.targetMerchant == t.targetMerchant;
        bool sameRoute =
            old.route.isOf(t.kind) && old.route.source() == route.source() && old.route.target() == route.target();
        _require(sameMerchants && sameRoute, "supersedes");
    }

    function _require(bool holds, bytes32 field) private pure {
        if (!holds) revert BadTerms(_text(field));
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function agreementOf(uint32 id) external view override returns (AgreementTerms memory t) {
        Agreement storage a = _knownAgreement(id);
        Route route = a.route;
        Price price = a.price;
        t.kind = AgreementKind(route.kind());
        t.initiators = uint8(route.initiators());
        t.feeBps = uint16(route.feeBps());
        t.lifetimeDays = uint16(route.lifetimeDays());
        t.sourceMerchant = a.sourceMerchant;
        t.targetMerchant = a.targetMerchant;
        t.sourceProgram = uint32(route.source());
        if (t.kind == AgreementKind.Exchange) t.targetProgram = uint32(route.target());
        t.validFrom = uint40(route.validFrom());
        t.validUntil = uint40(route.validUntil());
        t.rateNum = uint32(price.rateNum());
        t.rateDen = uint32(price.rateDen());
        t.unitPriceMicros = uint64(price.unitPriceMicros());
        t.maxPoints = uint64(price.maxPoints());
        t.dailyCap = uint64(price.dailyCap());
        t.supersedes = a.supersedes;
        t.graceSeconds = a.graceSeconds;
    }

    /// @inheritdoc IClearingHouse
    function usedToday(uint32 id) external view override returns (uint64) {
        return uint64(_knownAgreement(id).route.usedOn(today()));
    }

    function _knownAgreement(uint32 id) internal view returns (Agreement storage a) {
        a = _agreement(id);
        if (a.route.isOf(AgreementKind.None)) revert UnknownAgreement(id);
    }

    /// @dev Assembly saves the check that `id` is inside the row. An agreement has three slots.
    /// Warning: the caller makes sure that `id` has 32 bits.
    function _agreement(uint256 id) internal pure returns (Agreement storage a) {
        assembly ("memory-safe") {
            a.slot := add(_agreements.slot, mul(id, 3))
        }
    }
}
