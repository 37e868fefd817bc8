// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {
    AgreementKind,
    AgreementTerms,
    Entry,
    IClearingHouse,
    MerchantStatus,
    ProgramTotals
} from "./interfaces/IClearingHouse.sol";
import {IClearingHouseLens} from "./interfaces/IClearingHouseLens.sol";
import {IClearingHouseSuccession, Predecessor, Stage} from "./interfaces/IClearingHouseSuccession.sol";
import {Domain} from "./libraries/Domain.sol";
import {Orders} from "./libraries/Orders.sol";
import {PaddedText} from "./libraries/PaddedText.sol";
import {StorageLayout} from "./libraries/StorageLayout.sol";
import {SuccessionStorage} from "./libraries/SuccessionStorage.sol";
import {AgreementParties} from "./types/AgreementParties.sol";
import {AgreementPrice} from "./types/AgreementPrice.sol";
import {AgreementRoute} from "./types/AgreementRoute.sol";
import {BalancePage} from "./types/BalancePage.sol";
import {IssuanceCap} from "./types/IssuanceCap.sol";
import {MerchantPosition} from "./types/MerchantPosition.sol";
import {OrderHead} from "./types/OrderHead.sol";
import {ProgramSide, ProgramSideLib} from "./types/ProgramSide.sol";

/// @title ClearingHouseLens
/// @notice Unpacks what the clearing house keeps packed. It has no state of its own: it reads the slots of the house that created
/// it (`StorageLayout` says which) through `extsload`. The house passes questions on to it; it may be asked directly as well.
contract ClearingHouseLens is IClearingHouseLens {
    IClearingHouse private immutable HOUSE = IClearingHouse(msg.sender);

    // ---------------------------------------------------------------- registry

    /// @inheritdoc IClearingHouseLens
    function merchantOf(uint32 merchant) external view override returns (MerchantStatus, int96, uint96) {
        MerchantPosition position = MerchantPosition.wrap(_word(StorageLayout.ofMerchant(merchant)));
        return (position.status(), int96(position.micros()), uint96(position.creditLimitMicros()));
    }

    /// @inheritdoc IClearingHouseLens
    function signerOf(address key) external view override returns (uint32, uint40, uint40) {
        uint256 word = _word(StorageLayout.ofSigner(key));
        return (uint32(word), uint40(word >> 32), uint40(word >> 72));
    }

    /// @inheritdoc IClearingHouseLens
    function nonceUsed(uint32 merchant, uint48 nonce) external view override returns (bool) {
        return _word(StorageLayout.ofNonce(merchant, nonce)) >> (nonce & 0xff) & 1 != 0;
    }

    /// @inheritdoc IClearingHouseLens
    function programOf(uint32 program) external view override returns (uint32, bool, bytes32, bytes32) {
        ProgramSide minted = _minted(program);
        return (uint32(minted.merchant()), minted.paused(), _code(program), _name(program));
    }

    /// @inheritdoc IClearingHouseLens
    function issuanceCapOf(uint32 program) external view override returns (uint64, uint64, uint64, uint32) {
        IssuanceCap cap = IssuanceCap.wrap(_word(StorageLayout.ofProgram(program) + 5));
        uint256 day = HOUSE.today();
        uint256 used = cap.usedOn(day);
        if (cap.nextDay() <= day) cap = cap.asOn(day);
        return (uint64(cap.pointsOn(day)), uint64(used), uint64(cap.next()), uint32(cap.nextDay()));
    }

    // ---------------------------------------------------------------- agreements

    /// @inheritdoc IClearingHouseLens
    function agreementOf(uint32 agreement) external view override returns (AgreementTerms memory terms) {
        AgreementRoute route = _route(agreement);
        terms.kind = AgreementKind(route.kind());
        terms.initiators = uint8(route.initiators());
        terms.feeBps = uint16(route.feeBps());
        terms.lifetimeDays = uint16(route.lifetimeDays());
        terms.sourceProgram = uint32(route.source());
        if (terms.kind == AgreementKind.Exchange) terms.targetProgram = uint32(route.target());
        terms.validFrom = uint40(route.validFrom());
        terms.validUntil = uint40(route.validUntil());

        AgreementPrice price = AgreementPrice.wrap(_word(StorageLayout.ofAgreement(agreement) + 1));
        terms.rateNum = uint32(price.rateNum());
        terms.rateDen = uint32(price.rateDen());
        terms.unitPriceMicros = uint64(price.unitPriceMicros());
        terms.maxPoints = uint64(price.maxPoints());
        terms.dailyCap = uint64(price.dailyCap());

        AgreementParties parties = AgreementParties.wrap(_word(StorageLayout.ofAgreement(agreement) + 2));
        terms.sourceMerchant = uint32(parties.sourceMerchant());
        terms.targetMerchant = uint32(parties.targetMerchant());
        terms.supersedes = uint32(parties.supersedes());
        terms.graceSeconds = uint32(parties.graceSeconds());
        terms.acceptBy = uint40(parties.acceptBy());
        terms.keepExpiry = parties.keepExpiry();
    }

    /// @inheritdoc IClearingHouseLens
    function usedToday(uint32 agreement) external view override returns (uint64) {
        return uint64(_route(agreement).usedOn(HOUSE.today()));
    }

    function _route(uint32 agreement) private view returns (AgreementRoute route) {
        route = AgreementRoute.wrap(_word(StorageLayout.ofAgreement(agreement)));
        if (route.hasKind(AgreementKind.None)) revert IClearingHouse.UnknownAgreement(agreement);
    }

    // ---------------------------------------------------------------- points

    /// @dev Reverts if no program has the number. Programs are numbered from 1.
    modifier known(uint32 program) {
        if (program == 0 || program > HOUSE.programCount()) revert IClearingHouse.UnknownProgram(program);
        _;
    }

    /// @inheritdoc IClearingHouseLens
    function balanceOf(address member, uint32 program) external view override known(program) returns (uint64) {
        BalancePage page = BalancePage.wrap(_word(StorageLayout.ofBalance(member, program)));
        return uint64(page.balance(program));
    }

    /// @inheritdoc IClearingHouseLens
    function totalSupply(uint32 program) external view override known(program) returns (uint64) {
        (ProgramSide burnt, ProgramSide voided) = (_burnt(program), _voided(program));
        uint256 supply = _minted(program).total(ProgramSideLib.MINTED);
        supply -= burnt.total(ProgramSideLib.REDEEMED) + burnt.total(ProgramSideLib.SPENT);
        supply -= burnt.total(ProgramSideLib.EXCHANGED_OUT) + voided.total(ProgramSideLib.EXPIRED);
        return uint64(supply - voided.total(ProgramSideLib.REVOKED));
    }

    /// @inheritdoc IClearingHouseLens
    function totalsOf(uint32 program) external view override known(program) returns (ProgramTotals memory totals) {
        (ProgramSide minted, ProgramSide burnt, ProgramSide voided) =
            (_minted(program), _burnt(program), _voided(program));
        totals.exchangedIn = uint64(minted.total(ProgramSideLib.EXCHANGED_IN));
        totals.restored = uint64(minted.total(ProgramSideLib.RESTORED));
        totals.issued = uint64(minted.total(ProgramSideLib.MINTED)) - totals.exchangedIn - totals.restored;
        totals.redeemed = uint64(burnt.total(ProgramSideLib.REDEEMED));
        totals.spent = uint64(burnt.total(ProgramSideLib.SPENT));
        totals.exchangedOut = uint64(burnt.total(ProgramSideLib.EXCHANGED_OUT));
        totals.expired = uint64(voided.total(ProgramSideLib.EXPIRED));
        totals.revoked = uint64(voided.total(ProgramSideLib.REVOKED));
    }

    /// @inheritdoc IClearingHouseLens
    function name(uint32 program) external view override known(program) returns (string memory) {
        return PaddedText.toString(_name(program));
    }

    /// @inheritdoc IClearingHouseLens
    function symbol(uint32 program) external view override known(program) returns (string memory) {
        return PaddedText.toString(_code(program));
    }

    /// @inheritdoc IClearingHouseLens
    function decimals(uint32 program) external view override known(program) returns (uint8) {
        return 0;
    }

    function _minted(uint32 program) private view returns (ProgramSide) {
        return ProgramSide.wrap(_word(StorageLayout.ofProgram(program)));
    }

    function _burnt(uint32 program) private view returns (ProgramSide) {
        return ProgramSide.wrap(_word(StorageLayout.ofProgram(program) + 1));
    }

    function _voided(uint32 program) private view returns (ProgramSide) {
        return ProgramSide.wrap(_word(StorageLayout.ofProgram(program) + 2));
    }

    function _code(uint32 program) private view returns (bytes32) {
        return bytes32(_word(StorageLayout.ofProgram(program) + 3));
    }

    function _name(uint32 program) private view returns (bytes32) {
        return bytes32(_word(StorageLayout.ofProgram(program) + 4));
    }

    // ---------------------------------------------------------------- succession

    /// @inheritdoc IClearingHouseLens
    function successionOf() external view override returns (Stage stage, Predecessor memory predecessor, uint32) {
        uint256 progress = _word(SuccessionStorage.SLOT);
        stage = Stage(uint8(progress));
        predecessor.leaves = uint32(progress >> 72);
        predecessor.chainId = uint64(progress >> 104);
        predecessor.house = address(uint160(_word(SuccessionStorage.SLOT + 1)));
        predecessor.head = bytes32(_word(SuccessionStorage.SLOT + 2));
        predecessor.root = bytes32(_word(SuccessionStorage.SLOT + 3));
        return (stage, predecessor, uint32(progress >> 40));
    }

    /// @inheritdoc IClearingHouseLens
    function positionsOf(uint32 first, uint32 last) external view override returns (int256 micros) {
        bytes32[] memory slots = new bytes32[](last < first ? 0 : uint256(last) - first + 1);
        for (uint256 i = 0; i < slots.length; ++i) {
            slots[i] = bytes32(StorageLayout.ofMerchant(first) + i);
        }
        bytes32[] memory words = HOUSE.extsload(slots);
        for (uint256 i = 0; i < words.length; ++i) {
            micros += MerchantPosition.wrap(uint256(words[i])).micros();
        }
    }

    // ---------------------------------------------------------------- entries and orders

    /// @inheritdoc IClearingHouseLens
    function verifyEntry(Entry calldata entry, bytes32[] calldata proof) external view override returns (bool) {
        bytes32 root = HOUSE.rootOf(uint40(entry.head.batch()));
        return root != 0 && MerkleProof.verifyCalldata(proof, root, keccak256(abi.encode(entry)));
    }

    /// @inheritdoc IClearingHouseLens
    function digestOf(bytes calldata order) external view override returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := order.offset
        }
        // Neither the signature nor the unpacked instructions are needed.
        // slither-disable-start unused-return
        (OrderHead head,,) = Orders.read(offset);
        (,, bytes32 listHash, uint256 end) = Orders.unpack(Orders.instructionsOffset(offset), head.count());
        // slither-disable-end unused-return
        if (end != offset + order.length) revert IClearingHouse.BadEncoding();
        return Orders.digest(head, listHash, Domain.separatorOf(address(HOUSE)));
    }

    /// @inheritdoc IClearingHouseLens
    function eip712Domain()
        external
        view
        override
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (hex"0f", Domain.NAME, Domain.VERSION, block.chainid, address(HOUSE), 0, new uint256[](0));
    }

    // ---------------------------------------------------------------- itself

    /// @inheritdoc IClearingHouseLens
    function supportsInterface(bytes4 id) external pure override returns (bool) {
        bool house = id == type(IClearingHouse).interfaceId || id == type(IClearingHouseLens).interfaceId;
        return house || id == type(IClearingHouseSuccession).interfaceId || id == type(IERC165).interfaceId;
    }

    function _word(uint256 slot) private view returns (uint256) {
        return uint256(HOUSE.extsload(bytes32(slot)));
    }
}
