// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IClearingHouse, MerchantStatus, ProgramTotals, Role, SignerChange} from "./interfaces/IClearingHouse.sol";

/// @title Registry
/// @notice Who takes part: merchants, their signer keys and programs; roles, pause, the nonces of merchants' signatures.
abstract contract Registry is IClearingHouse, Ownable2Step, Pausable, EIP712 {
    /// @dev One slot a merchant: everything an exchange needs to know about it.
    struct Merchant {
        int96 position; // micros
        uint96 creditLimit; // micros
        MerchantStatus status;
    }

    /// @dev One slot a key. A key belongs to one merchant for ever; its power has a window.
    struct SignerKey {
        uint32 merchant;
        uint40 validFrom;
        uint40 validUntil;
    }

    /// @dev Slot 0: who runs it, and what came into circulation. Slot 1: what left. Slot 2: the rare rest. Then the names.
    struct Program {
        uint32 merchant;
        bool paused;
        uint64 issued;
        uint64 exchangedIn;
        uint64 restored;
        // slot 1
        uint64 redeemed;
        uint64 spent;
        uint64 exchangedOut;
        uint64 expired;
        // slot 2
        uint64 revoked;
        // slots 3, 4
        bytes32 code;
        bytes32 name;
    }

    bytes32 internal constant SIGNER_CHANGE_TYPEHASH =
        keccak256("SignerChange(uint32 merchant,address key,uint40 validFrom,uint40 validUntil,uint48 nonce)");

    /// @dev Merchant 0 is the network operator itself: it earns the fees.
    uint32 internal constant OPERATOR_MERCHANT = 0;

    /// @dev Seconds east of UTC at which the network's day begins.
    int256 private immutable UTC_OFFSET;

    mapping(uint32 merchant => Merchant) internal _merchants;
    mapping(address key => SignerKey) internal _signers;
    mapping(uint32 program => Program) internal _programs;
    /// @dev 256 nonces a word. A bit that is set stays set, whatever keys come and go.
    mapping(uint32 merchant => mapping(uint256 word => uint256 bits)) private _nonces;

    /// @inheritdoc IClearingHouse
    mapping(Role role => mapping(address account => bool)) public override hasRole;

    /// @inheritdoc IClearingHouse
    uint32 public override merchantCount;
    /// @inheritdoc IClearingHouse
    uint32 public override programCount;

    modifier onlyRole(Role role) {
        if (!hasRole[role][msg.sender]) revert MissingRole(role, msg.sender);
        _;
    }

    constructor(address admin, bytes32 operatorName, int32 utcOffsetSeconds)
        Ownable(admin)
        EIP712("Tongdui", "1")
    {
        UTC_OFFSET = utcOffsetSeconds;
        _merchants[OPERATOR_MERCHANT].status = MerchantStatus.Active;
        merchantCount = 1;
        emit MerchantRegistered(OPERATOR_MERCHANT, 0, operatorName);
    }

    // ---------------------------------------------------------------- roles

    /// @inheritdoc IClearingHouse
    function setRole(Role role, address account, bool held) external override onlyOwner {
        hasRole[role][account] = held;

        emit RoleChanged(role, account, held);
    }

    // ---------------------------------------------------------------- merchants

    /// @inheritdoc IClearingHouse
    function registerMerchant(uint32 id, bytes32 name_, address key, uint96 creditLimitMicros)
        external
        override
        onlyRole(Role.Operator)
    {
        if (id != merchantCount) revert UnexpectedId(id, merchantCount);
        if (creditLimitMicros > uint96(type(int96).max)) revert BadCreditLimit(id, creditLimitMicros, 0);

        merchantCount = id + 1;
        _merchants[id] = Merchant({position: 0, creditLimit: creditLimitMicros, status: MerchantStatus.Active});

        emit MerchantRegistered(id, creditLimitMicros, name_);
        _setSigner(id, key, 0, type(uint40).max);
    }

    /// @inheritdoc IClearingHouse
    function setMerchantStatus(uint32 merchant, MerchantStatus status) external override onlyRole(Role.Operator) {
        MerchantStatus from = _knownMerchant(merchant).status;
        bool possible = from != MerchantStatus.Closed && status != MerchantStatus.None && status != from;
        if (!possible || merchant == OPERATOR_MERCHANT) revert BadStatusChange(merchant, from, status);

        _merchants[merchant].status = status;

        emit MerchantStatusChanged(merchant, status);
    }

    // ---------------------------------------------------------------- signer keys

    /// @inheritdoc IClearingHouse
    function changeSigner(SignerChange calldata change, bytes calldata signature) external override {
        bytes32 structHash = keccak256(
            abi.encode(
                SIGNER_CHANGE_TYPEHASH,
                change.merchant,
                change.key,
                change.validFrom,
                change.validUntil,
                change.nonce
            )
        );
        _requireSignature(change.merchant, structHash, signature);
        if (!_useNonce(change.merchant, change.nonce)) revert NonceAlreadyUsed(change.merchant, change.nonce);

        _setSigner(change.merchant, change.key, change.validFrom, change.validUntil);
    }

    /// @inheritdoc IClearingHouse
    function revokeSigner(address key, uint40 validUntil) external override onlyRole(Role.Operator) {
        SignerKey storage signer = _signers[key];
        if (signer.validUntil == 0) revert KeyUnknown(key);
        if (validUntil >= signer.validUntil) revert BadWindow(signer.validFrom, validUntil);

        signer.validUntil = validUntil;

        emit SignerChanged(signer.merchant, key, signer.validFrom, validUntil);
    }

    /// @inheritdoc IClearingHouse
    function recoverSigner(uint32 merchant, address key) external override onlyOwner {
        _knownMerchant(merchant);
        _setSigner(merchant, key, uint40(block.timestamp), type(uint40).max);
    }

    /// @dev `validUntil` is never stored as 0, which marks a key nobody has.
    function _setSigner(uint32 merchant, address key, uint40 validFrom, uint40 validUntil) private {
        SignerKey storage signer = _signers[key];
        if (key == address(0)) revert ZeroKey();
        if (validUntil == 0 || validUntil < validFrom) revert BadWindow(validFrom, validUntil);
        if (signer.validUntil != 0 && signer.merchant != merchant) revert KeyTaken(key, signer.merchant);

        _signers[key] = SignerKey({merchant: merchant, validFrom: validFrom, validUntil: validUntil});

        emit SignerChanged(merchant, key, validFrom, validUntil);
    }

    /// @dev Whether `key` may sign for `merchant` now.
    function _isLiveKey(uint256 merchant, address key) internal view returns (bool) {
        SignerKey storage signer = _signers[key];
        return signer.merchant == merchant && signer.validFrom <= block.timestamp
            && block.timestamp < signer.validUntil;
    }

    /// @dev Reverts unless `signature` over the typed data with `structHash` is by a live key of `merchant`.
    function _requireSignature(uint32 merchant, bytes32 structHash, bytes calldata signature) internal view {
        (address key, ECDSA.RecoverError failure,) = ECDSA.tryRecover(_hashTypedDataV4(structHash), signature);
        if (failure != ECDSA.RecoverError.NoError || !_isLiveKey(merchant, key)) revert BadSignature(merchant);
    }

    /// @dev Consumes a nonce; false if it was used before.
    function _useNonce(uint32 merchant, uint256 nonce) internal returns (bool) {
        uint256 bit = 1 << (nonce & 0xff);
        uint256 bits = _nonces[merchant][nonce >> 8];
        if (bits & bit != 0) return false;
        _nonces[merchant][nonce >> 8] = bits | bit;
        return true;
    }

    // ---------------------------------------------------------------- programs

    /// @inheritdoc IClearingHouse
    function registerProgram(uint32 id, uint32 merchant, bytes32 code, bytes32 name_)
        external
        override
        onlyRole(Role.Operator)
    {
        if (id != programCount + 1) revert UnexpectedId(id, programCount + 1);
        _knownMerchant(merchant);

        programCount = id;
        Program storage program = _programs[id];
        program.merchant = merchant;
        program.code = code;
        program.name = name_;

        emit ProgramRegistered(id, merchant, code, name_);
    }

    /// @inheritdoc IClearingHouse
    function setProgramPaused(uint32 program, bool paused_) external override onlyRole(Role.Pauser) {
        _knownProgram(program).paused = paused_;

        emit ProgramPauseChanged(program, paused_);
    }

    // ---------------------------------------------------------------- network pause

    /// @inheritdoc IClearingHouse
    function pause() external override onlyRole(Role.Pauser) {
        _pause();
    }

    /// @inheritdoc IClearingHouse
    function unpause() external override onlyRole(Role.Pauser) {
        _unpause();
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function merchantOf(uint32 merchant) external view override returns (MerchantStatus, int96, uint96) {
        Merchant memory m = _merchants[merchant];
        return (m.status, m.position, m.creditLimit);
    }

    /// @inheritdoc IClearingHouse
    function signerOf(address key) external view override returns (uint32, uint40, uint40) {
        SignerKey memory signer = _signers[key];
        return (signer.merchant, signer.validFrom, signer.validUntil);
    }

    /// @inheritdoc IClearingHouse
    function programOf(uint32 program) external view override returns (uint32, bool, bytes32, bytes32) {
        Program storage p = _programs[program];
        return (p.merchant, p.paused, p.code, p.name);
    }

    /// @inheritdoc IClearingHouse
    function totalsOf(uint32 program) external view override returns (ProgramTotals memory) {
        Program memory p = _programs[program];
        return ProgramTotals({
            issued: p.issued,
            exchangedIn: p.exchangedIn,
            restored: p.restored,
            redeemed: p.redeemed,
            spent: p.spent,
            exchangedOut: p.exchangedOut,
            expired: p.expired,
            revoked: p.revoked
        });
    }

    /// @inheritdoc IClearingHouse
    function nonceUsed(uint32 merchant, uint48 nonce) external view override returns (bool) {
        return _nonces[merchant][nonce >> 8] & (1 << (nonce & 0xff)) != 0;
    }

    /// @inheritdoc IClearingHouse
    function today() public view override returns (uint32) {
        return uint32(uint256(int256(block.timestamp) + UTC_OFFSET) / 1 days);
    }

    function _knownMerchant(uint32 merchant) internal view returns (Merchant storage m) {
        m = _merchants[merchant];
        if (m.status == MerchantStatus.None) revert UnknownMerchant(merchant);
    }

    function _knownProgram(uint32 program) internal view returns (Program storage) {
        if (program == 0 || program > programCount) revert UnknownProgram(program);
        return _programs[program];
    }
}
