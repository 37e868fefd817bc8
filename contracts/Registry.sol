// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {TypedData} from "./TypedData.sol";
import {IClearingHouse, MerchantStatus, Role, SignerChange} from "./interfaces/IClearingHouse.sol";
import {IClearingHouseSuccession, Stage} from "./interfaces/IClearingHouseSuccession.sol";
import {SuccessionStorage} from "./libraries/SuccessionStorage.sol";
import {IssuanceCap} from "./types/IssuanceCap.sol";
import {MerchantPosition, MerchantPositionLib} from "./types/MerchantPosition.sol";
import {ProgramSide, ProgramSideLib} from "./types/ProgramSide.sol";

/// @title Registry
/// @notice Who takes part: roles, merchants with their signer keys and nonces, and programs.
abstract contract Registry is IClearingHouse, Ownable2Step, TypedData {
    /// @dev One slot a merchant.
    struct Merchant {
        MerchantPosition position;
    }

    /// @dev One slot a key. A key belongs to one merchant for ever, but is live only within its window.
    struct SignerKey {
        uint32 merchant;
        uint40 validFrom;
        uint40 validUntil;
    }

    /// @dev One slot for 256 nonces. A used nonce stays used, whichever keys come and go.
    struct NonceBitmap {
        uint256 bits;
    }

    /// @dev A movement within a program touches one of the three sides. An exchange touches one side of each of two programs. An issue
    /// touches the cap as well, if the minted side says that there is one.
    struct Program {
        ProgramSide minted;
        ProgramSide burnt;
        ProgramSide voided;
        bytes32 code;
        bytes32 name;
        IssuanceCap cap;
    }

    bytes32 internal constant SIGNER_CHANGE_TYPEHASH =
        keccak256("SignerChange(uint32 merchant,address key,uint40 validFrom,uint40 validUntil,uint48 nonce)");

    /// @dev In micros. Nine million million units of the currency; it keeps every position within 96 bits (see `Settlement`).
    uint96 internal constant MAX_CREDIT_LIMIT = uint64(type(int64).max);

    /// @dev `AgreementRoute` has 24 bits for a program.
    uint32 internal constant MAX_PROGRAM = type(uint24).max;

    /// @dev Merchant 0 is the network operator, which earns the fees.
    uint32 internal constant OPERATOR_MERCHANT = 0;

    /// @dev How many network days after its announcement a higher cap counts: at least 24 hours, in which somebody can object.
    uint256 internal constant CAP_NOTICE_DAYS = 2;

    /// @dev In `SignerChanged`: the change used none of the merchant's nonces.
    uint64 internal constant NO_NONCE = type(uint64).max;

    /// @dev How many seconds before UTC the network's day begins.
    int256 private immutable UTC_OFFSET;

    /// @dev Ids are dense, so the records are an array and no hash is needed to find one. See `_merchant` and `_program`.
    Merchant[2 ** 32] private _merchants;
    Program[2 ** 32] private _programs;

    mapping(address key => SignerKey) private _signers;
    mapping(uint256 merchantAndBitmap => NonceBitmap) private _nonceBitmaps;

    /// @inheritdoc IClearingHouse
    mapping(Role role => mapping(address account => bool)) public override hasRole;

    /// @inheritdoc IClearingHouse
    uint32 public override merchantCount;
    /// @inheritdoc IClearingHouse
    uint32 public override programCount;

    constructor(address admin, bytes32 operatorName, int32 utcOffsetSeconds) Ownable(admin) {
        UTC_OFFSET = utcOffsetSeconds;
        _merchant(OPERATOR_MERCHANT).position = MerchantPositionLib.pack(0, MerchantStatus.Active);
        merchantCount = 1;
        emit MerchantRegistered(OPERATOR_MERCHANT, 0, operatorName);
    }

    modifier onlyRole(Role role) {
        if (!hasRole[role][msg.sender]) revert MissingRole(role, msg.sender);
        if (role != Role.Sequencer) _requireOperating(); // the pause stops the sequencer
        _;
    }

    /// @dev Reverts if the house is frozen, or does not have its predecessor's state yet.
    function _requireOperating() internal view {
        Stage stage = SuccessionStorage.load().stage;
        if (stage != Stage.Operating) revert IClearingHouseSuccession.WrongStage(stage);
    }

    /// @dev For whatever gives somebody more to do or to spend. What takes it away, and what repairs, goes on during a pause.
    modifier whileRunning() {
        _requireRunning();
        _;
    }

    /// @dev `Journal` has the pause, beside the newest batch.
    function _requireRunning() internal view virtual;

    // ---------------------------------------------------------------- owner

    /// @dev The owner cannot renounce, so that somebody can always take a role away again.
    function renounceOwnership() public pure override {
        revert OwnerNeeded();
    }

    /// @inheritdoc IClearingHouse
    function setRole(Role role, address account, bool held) external override onlyOwner {
        hasRole[role][account] = held;

        emit RoleChanged(role, account, held);
    }

    /// @inheritdoc IClearingHouse
    function recoverSigner(uint32 merchant, address key) external override onlyOwner {
        _requireOperating();
        _requireOpen(merchant);
        _setSigner(merchant, key, uint40(block.timestamp), type(uint40).max, NO_NONCE);
    }

    // ---------------------------------------------------------------- operator

    /// @inheritdoc IClearingHouse
    function registerMerchant(uint32 id, bytes32 name_, address key, uint96 creditLimitMicros)
        external
        override
        onlyRole(Role.Operator)
        whileRunning
    {
        if (id != merchantCount) revert UnexpectedId(id, merchantCount);
        if (creditLimitMicros > MAX_CREDIT_LIMIT) revert BadCreditLimit(id, creditLimitMicros, 0);

        merchantCount = id + 1;
        _merchant(id).position = MerchantPositionLib.pack(creditLimitMicros, MerchantStatus.Active);

        emit MerchantRegistered(id, creditLimitMicros, name_);
        _setSigner(id, key, 0, type(uint40).max, NO_NONCE);
    }

    /// @inheritdoc IClearingHouse
    function setMerchantStatus(uint32 merchant, MerchantStatus status) external override onlyRole(Role.Operator) {
        MerchantPosition position = _knownMerchant(merchant);
        MerchantStatus from = position.status();
        bool possible = from != MerchantStatus.Closed && status != MerchantStatus.None && status != from;
        if (!possible || merchant == OPERATOR_MERCHANT) revert BadStatusChange(merchant, from, status);
        if (status == MerchantStatus.Active) _requireRunning();

        _merchant(merchant).position = position.withStatus(status);

        emit MerchantStatusChanged(merchant, status);
    }

    /// @inheritdoc IClearingHouse
    function revokeSigner(address key, uint40 validUntil) external override onlyRole(Role.Operator) {
        SignerKey storage signer = _signers[key];
        if (signer.validUntil == 0) revert KeyUnknown(key);
        if (validUntil == 0 || validUntil >= signer.validUntil) revert BadWindow(signer.validFrom, validUntil);

        signer.validUntil = validUntil;

        emit SignerChanged(signer.merchant, key, signer.validFrom, validUntil, NO_NONCE);
    }

    /// @inheritdoc IClearingHouse
    function registerProgram(uint32 id, uint32 merchant, bytes32 code, bytes32 name_)
        external
        override
        onlyRole(Role.Operator)
        whileRunning
    {
        if (id != programCount + 1 || id > MAX_PROGRAM) revert UnexpectedId(id, programCount + 1);
        _requireActive(merchant);

        programCount = id;
        Program storage program = _program(id);
        program.minted = ProgramSideLib.pack(merchant);
        program.burnt = ProgramSideLib.pack(merchant);
        program.code = code;
        program.name = name_;

        emit ProgramRegistered(id, merchant, code, name_);
    }

    /// @inheritdoc IClearingHouse
    function setIssuanceCap(uint32 program, uint64 points) external override onlyRole(Role.Operator) {
        Program storage storedProgram = _knownProgram(program);
        uint256 from = today();
        IssuanceCap cap = storedProgram.cap.asOn(from);
        if (cap.isRaisedBy(points)) {
            _requireRunning();
            from += CAP_NOTICE_DAYS;
            cap = cap.withNext(points, from);
        } else {
            cap = cap.withPoints(points);
        }

        storedProgram.cap = cap;
        storedProgram.minted = storedProgram.minted.withCapped(cap.exists());

        emit IssuanceCapChanged(program, points, uint32(from));
    }

    // ---------------------------------------------------------------- pauser

    /// @inheritdoc IClearingHouse
    function setProgramPaused(uint32 program, bool paused_) external override onlyRole(Role.Pauser) {
        Program storage storedProgram = _knownProgram(program);

        storedProgram.minted = storedProgram.minted.withPaused(paused_);
        storedProgram.burnt = storedProgram.burnt.withPaused(paused_);

        emit ProgramPauseChanged(program, paused_);
    }

    // ---------------------------------------------------------------- merchants

    /// @inheritdoc IClearingHouse
    function changeSigner(SignerChange calldata change, bytes calldata signature, bytes calldata keySignature)
        external
        override
        whileRunning
    {
        bytes32 structHash = keccak256(
            abi.encode(
                SIGNER_CHANGE_TYPEHASH, change.merchant, change.key, change.validFrom, change.validUntil, change.nonce
            )
        );
        _requireSignature(change.merchant, structHash, signature);
        // Without this proof a merchant could claim an address that is about to become another merchant's key.
        bool proven = _signers[change.key].validUntil != 0 || _signerOf(structHash, keySignature) == change.key;
        if (!proven) revert KeyNotProven(change.key);
        if (!_useNonce(change.merchant, change.nonce)) revert NonceAlreadyUsed(change.merchant, change.nonce);

        _setSigner(change.merchant, change.key, change.validFrom, change.validUntil, change.nonce);
    }

    // ---------------------------------------------------------------- signer keys and nonces

    /// @dev Never stores 0 as `validUntil`: it marks a key that nobody has.
    function _setSigner(uint32 merchant, address key, uint40 validFrom, uint40 validUntil, uint64 nonce) private {
        SignerKey storage signer = _signers[key];
        if (key == address(0)) revert ZeroKey();
        if (validUntil == 0 || validUntil < validFrom) revert BadWindow(validFrom, validUntil);
        if (signer.validUntil != 0 && signer.merchant != merchant) revert KeyTaken(key, signer.merchant);

        _signers[key] = SignerKey({merchant: merchant, validFrom: validFrom, validUntil: validUntil});

        emit SignerChanged(merchant, key, validFrom, validUntil, nonce);
    }

    /// @dev Whether `key` may sign for `merchant` now. Nobody has key 0.
    function _isLiveKey(uint256 merchant, address key) internal view returns (bool) {
        SignerKey storage signer = _signers[key];
        if (signer.merchant != merchant || block.timestamp >= signer.validUntil) return false;
        return block.timestamp >= signer.validFrom;
    }

    /// @dev Reverts unless a live key of `merchant`, which is not closed, signed the typed data with `structHash`.
    function _requireSignature(uint32 merchant, bytes32 structHash, bytes calldata signature) internal view {
        _requireOpen(merchant);
        if (!_isLiveKey(merchant, _signerOf(structHash, signature))) revert BadSignature(merchant);
    }

    /// @dev The key that signed the typed data with `structHash`. 0, which nobody has, if the signature is bad in any way.
    function _signerOf(bytes32 structHash, bytes calldata signature) private view returns (address key) {
        // slither-disable-next-line unused-return
        (key,,) = ECDSA.tryRecover(_digest(structHash), signature);
    }

    /// @dev Uses up a nonce, outside of a batch. Returns false if it was used before.
    function _useNonce(uint256 merchant, uint256 nonce) private returns (bool) {
        NonceBitmap storage bitmap = _nonceBitmap(merchant, nonce);
        uint256 bits = bitmap.bits;
        uint256 bit = 1 << (nonce & 0xff);
        if (bits & bit != 0) return false;
        bitmap.bits = bits | bit;
        return true;
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function today() public view override returns (uint32) {
        return uint32(uint256(int256(block.timestamp) + UTC_OFFSET) / 1 days);
    }

    // ---------------------------------------------------------------- storage access

    function _knownMerchant(uint32 merchant) internal view returns (MerchantPosition position) {
        position = _merchant(merchant).position;
        if (position.hasStatus(MerchantStatus.None)) revert UnknownMerchant(merchant);
    }

    /// @dev Reverts unless there is such a merchant and it is not closed: a closed one gets no keys and signs nothing.
    function _requireOpen(uint32 merchant) internal view {
        MerchantPosition position = _knownMerchant(merchant);
        if (position.hasStatus(MerchantStatus.Closed)) revert MerchantInactive(merchant, MerchantStatus.Closed);
    }

    /// @dev Reverts unless there is such a merchant and it may begin new business.
    function _requireActive(uint32 merchant) internal view {
        MerchantStatus status = _knownMerchant(merchant).status();
        if (status != MerchantStatus.Active) revert MerchantInactive(merchant, status);
    }

    function _knownProgram(uint32 program) internal view returns (Program storage) {
        if (program == 0 || program > programCount) revert UnknownProgram(program);
        return _program(program);
    }

    /// @dev Assembly, here and in `_program`, skips the check that `id` is within the array.
    /// Warning: the caller makes sure that `id` has at most 32 bits.
    function _merchant(uint256 id) internal pure returns (Merchant storage merchant) {
        assembly ("memory-safe") {
            merchant.slot := add(_merchants.slot, id)
        }
    }

    function _nonceBitmap(uint256 merchant, uint256 nonce) internal view returns (NonceBitmap storage) {
        return _nonceBitmaps[merchant << 40 | nonce >> 8];
    }

    /// @dev A program has six slots.
    /// Warning: the caller makes sure that `id` has at most 32 bits.
    function _program(uint256 id) internal pure returns (Program storage program) {
        assembly ("memory-safe") {
            program.slot := add(_programs.slot, mul(id, 6))
        }
    }

    // ---------------------------------------------------------------- slots

    function _slotOf(Merchant storage merchant) internal pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := merchant.slot
        }
    }

    /// @dev The slot of the minted side. The burnt side is in the next one.
    function _slotOf(Program storage program) internal pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := program.slot
        }
    }

    /// @dev The slot of the cap, the last one of its program.
    function _slotOfCap(Program storage program) internal pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := add(program.slot, 5)
        }
    }

    function _slotOf(NonceBitmap storage bitmap) internal pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := bitmap.slot
        }
    }
}
