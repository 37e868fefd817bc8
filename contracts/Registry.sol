// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {TypedData} from "./TypedData.sol";
import {IClearingHouse, MerchantStatus, ProgramTotals, Role, SignerChange} from "./interfaces/IClearingHouse.sol";
import {Account, AccountLib} from "./libraries/Account.sol";
import {ProgramSide, ProgramSideLib} from "./libraries/ProgramSide.sol";

/// @title Registry
/// @notice Who takes part: merchants, their signer keys and programs; roles, the nonces of merchants' signatures.
abstract contract Registry is IClearingHouse, Ownable2Step, TypedData {
    /// @dev One slot a merchant. See `Account`.
    struct Merchant {
        Account account;
    }

    /// @dev One slot a key. A key belongs to one merchant for ever; its power has a window.
    struct SignerKey {
        uint32 merchant;
        uint40 validFrom;
        uint40 validUntil;
    }

    /// @dev 256 nonces a slot. A bit that is set stays set, whatever keys come and go.
    struct NonceWord {
        uint256 bits;
    }

    /// @dev A movement touches one of the first two slots, or one each of two programs. See `ProgramSide`.
    struct Program {
        ProgramSide minted;
        ProgramSide burnt;
        ProgramSide voided;
        bytes32 code;
        bytes32 name;
    }

    bytes32 internal constant SIGNER_CHANGE_TYPEHASH =
        keccak256("SignerChange(uint32 merchant,address key,uint40 validFrom,uint40 validUntil,uint48 nonce)");

    /// @dev In micros: nine million millions of the currency, which keeps every position inside its 96 bits (see `Settlement`).
    uint96 internal constant MAX_CREDIT_LIMIT = uint64(type(int64).max);

    /// @dev Agreements keep program ids in 24 bits.
    uint32 internal constant MAX_PROGRAM = type(uint24).max;

    /// @dev Merchant 0 is the network operator itself: it earns the fees.
    uint32 internal constant OPERATOR_MERCHANT = 0;

    /// @dev In an event: no merchant's nonce was used.
    uint64 internal constant NO_NONCE = type(uint64).max;

    /// @dev Seconds east of UTC at which the network's day begins.
    int256 private immutable UTC_OFFSET;

    /// @dev Ids are dense, so records lie in a row: no hash is needed to find one. See `_merchant` and `_program`.
    Merchant[2 ** 32] private _merchants;
    Program[2 ** 32] private _programs;

    mapping(address key => SignerKey) private _signers;
    mapping(uint256 merchantAndWord => NonceWord) private _nonces;

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

    constructor(address admin, bytes32 operatorName, int32 utcOffsetSeconds) Ownable(admin) {
        UTC_OFFSET = utcOffsetSeconds;
        _merchant(OPERATOR_MERCHANT).account = AccountLib.pack(0, MerchantStatus.Active);
        merchantCount = 1;
        emit MerchantRegistered(OPERATOR_MERCHANT, 0, operatorName);
    }

    // ---------------------------------------------------------------- owner and roles

    /// @dev There is always somebody who can take a role away again.
    function renounceOwnership() public pure override {
        revert OwnerNeeded();
    }

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
        if (creditLimitMicros > MAX_CREDIT_LIMIT) revert BadCreditLimit(id, creditLimitMicros, 0);

        merchantCount = id + 1;
        _merchant(id).account = AccountLib.pack(creditLimitMicros, MerchantStatus.Active);

        emit MerchantRegistered(id, creditLimitMicros, name_);
        _setSigner(id, key, 0, type(uint40).max, NO_NONCE);
    }

    /// @inheritdoc IClearingHouse
    function setMerchantStatus(uint32 merchant, MerchantStatus status) external override onlyRole(Role.Operator) {
        Account account = _knownMerchant(merchant);
        MerchantStatus from = account.status();
        bool possible = from != MerchantStatus.Closed && status != MerchantStatus.None && status != from;
        if (!possible || merchant == OPERATOR_MERCHANT) revert BadStatusChange(merchant, from, status);

        _merchant(merchant).account = account.withStatus(status);

        emit MerchantStatusChanged(merchant, status);
    }

    // ---------------------------------------------------------------- signer keys

    /// @inheritdoc IClearingHouse
    function changeSigner(SignerChange calldata change, bytes calldata signature, bytes calldata keySignature)
        external
        override
    {
        bytes32 structHash = keccak256(
            abi.encode(
                SIGNER_CHANGE_TYPEHASH, change.merchant, change.key, change.validFrom, change.validUntil, change.nonce
            )
        );
        _requireSignature(change.merchant, structHash, signature);
        // Otherwise a merchant could take an address that is about to become another one's key.
        bool proven = _signers[change.key].validUntil != 0 || _signerOf(structHash, keySignature) == change.key;
        if (!proven) revert KeyNotProven(change.key);
        if (!_useNonce(change.merchant, change.nonce)) revert NonceAlreadyUsed(change.merchant, change.nonce);

        _setSigner(change.merchant, change.key, change.validFrom, change.validUntil, change.nonce);
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
    function recoverSigner(uint32 merchant, address key) external override onlyOwner {
        _knownMerchant(merchant);
        _setSigner(merchant, key, uint40(block.timestamp), type(uint40).max, NO_NONCE);
    }

    /// @dev `validUntil` is never stored as 0, which marks a key nobody has.
    function _setSigner(uint32 merchant, address key, uint40 validFrom, uint40 validUntil, uint64 nonce) private {
        SignerKey storage signer = _signers[key];
        if (key == address(0)) revert ZeroKey();
        if (validUntil == 0 || validUntil < validFrom) revert BadWindow(validFrom, validUntil);
        if (signer.validUntil != 0 && signer.merchant != merchant) revert KeyTaken(key, signer.merchant);

        _signers[key] = SignerKey({merchant: merchant, validFrom: validFrom, validUntil: validUntil});

        emit SignerChanged(merchant, key, validFrom, validUntil, nonce);
    }

    /// @dev Whether `key` may sign for `merchant` now. Key 0 is nobody's.
    function _isLiveKey(uint256 merchant, address key) internal view returns (bool) {
        SignerKey storage signer = _signers[key];
        if (signer.merchant != merchant || block.timestamp >= signer.validUntil) return false;
        return block.timestamp >= signer.validFrom;
    }

    /// @dev Reverts unless `signature` over the typed data with `structHash` is by a live key of `merchant`.
    function _requireSignature(uint32 merchant, bytes32 structHash, bytes calldata signature) internal view {
        if (!_isLiveKey(merchant, _signerOf(structHash, signature))) revert BadSignature(merchant);
    }

    /// @dev The key that signed the typed data with `structHash`, or 0, which is nobody's, whatever is wrong with it.
    function _signerOf(bytes32 structHash, bytes calldata signature) private view returns (address key) {
        // slither-disable-next-line unused-return
        (key,,) = ECDSA.tryRecover(_digest(structHash), signature);
    }

    /// @dev Consumes a nonce; false if it was used before.
    function _useNonce(uint256 merchant, uint256 nonce) internal returns (bool) {
        NonceWord storage word = _nonceWord(merchant, nonce);
        uint256 bits = word.bits;
        uint256 bit = 1 << (nonce & 0xff);
        if (bits & bit != 0) return false;
        word.bits = bits | bit;
        return true;
    }

    function _nonceWord(uint256 merchant, uint256 nonce) private view returns (NonceWord storage) {
        return _nonces[merchant << 40 | nonce >> 8];
    }

    // ---------------------------------------------------------------- programs

    /// @inheritdoc IClearingHouse
    function registerProgram(uint32 id, uint32 merchant, bytes32 code, bytes32 name_)
        external
        override
        onlyRole(Role.Operator)
    {
        if (id != programCount + 1 || id > MAX_PROGRAM) revert UnexpectedId(id, programCount + 1);
        _knownMerchant(merchant);

        programCount = id;
        Program storage p = _program(id);
        p.minted = ProgramSideLib.pack(merchant);
        p.burnt = ProgramSideLib.pack(merchant);
        p.code = code;
        p.name = name_;

        emit ProgramRegistered(id, merchant, code, name_);
    }

    /// @inheritdoc IClearingHouse
    function setProgramPaused(uint32 program, bool paused_) external override onlyRole(Role.Pauser) {
        Program storage p = _knownProgram(program);

        p.minted = p.minted.withPaused(paused_);
        p.burnt = p.burnt.withPaused(paused_);

        emit ProgramPauseChanged(program, paused_);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function merchantOf(uint32 merchant) external view override returns (MerchantStatus, int96, uint96) {
        Account account = _merchant(merchant).account;
        return (account.status(), int96(account.position()), uint96(account.creditLimit()));
    }

    /// @inheritdoc IClearingHouse
    function signerOf(address key) external view override returns (uint32, uint40, uint40) {
        SignerKey memory signer = _signers[key];
        return (signer.merchant, signer.validFrom, signer.validUntil);
    }

    /// @inheritdoc IClearingHouse
    function programOf(uint32 program) external view override returns (uint32, bool, bytes32, bytes32) {
        Program storage p = _program(program);
        return (uint32(p.minted.merchant()), p.minted.paused(), p.code, p.name);
    }

    /// @inheritdoc IClearingHouse
    function totalsOf(uint32 program) external view override returns (ProgramTotals memory) {
        Program storage p = _knownProgram(program);
        return ProgramTotals({
            issued: uint64(
                p.minted.total(ProgramSideLib.MINTED) - p.minted.total(ProgramSideLib.EXCHANGED_IN)
                    - p.minted.total(ProgramSideLib.RESTORED)
            ),
            exchangedIn: uint64(p.minted.total(ProgramSideLib.EXCHANGED_IN)),
            restored: uint64(p.minted.total(ProgramSideLib.RESTORED)),
            redeemed: uint64(p.burnt.total(ProgramSideLib.REDEEMED)),
            spent: uint64(p.burnt.total(ProgramSideLib.SPENT)),
            exchangedOut: uint64(p.burnt.total(ProgramSideLib.EXCHANGED_OUT)),
            expired: uint64(p.voided.total(ProgramSideLib.EXPIRED)),
            revoked: uint64(p.voided.total(ProgramSideLib.REVOKED))
        });
    }

    /// @inheritdoc IClearingHouse
    function nonceUsed(uint32 merchant, uint48 nonce) external view override returns (bool) {
        return _nonceWord(merchant, nonce).bits & 1 << (nonce & 0xff) != 0;
    }

    /// @inheritdoc IClearingHouse
    function today() public view override returns (uint32) {
        return uint32(uint256(int256(block.timestamp) + UTC_OFFSET) / 1 days);
    }

    function _knownMerchant(uint32 merchant) internal view returns (Account account) {
        account = _merchant(merchant).account;
        if (account.isIn(MerchantStatus.None)) revert UnknownMerchant(merchant);
    }

    function _knownProgram(uint32 program) internal view returns (Program storage) {
        if (program == 0 || program > programCount) revert UnknownProgram(program);
        return _program(program);
    }

    // ---------------------------------------------------------------- places

    /// @dev Assembly, here and in `_program`, saves the check that `id` is inside the row.
    /// Warning: the caller makes sure that `id` has 32 bits.
    function _merchant(uint256 id) internal pure returns (Merchant storage m) {
        assembly ("memory-safe") {
            m.slot := add(_merchants.slot, id)
        }
    }

    /// @dev Warning: the caller makes sure that `id` has 32 bits. A program has five slots.
    function _program(uint256 id) internal pure returns (Program storage p) {
        assembly ("memory-safe") {
            p.slot := add(_programs.slot, mul(id, 5))
        }
    }

    // ---------------------------------------------------------------- words

    /// @dev UTF-8 text from a zero-padded word. Assembly, because the compiler makes ten times as much code of it.
    function _text(bytes32 word) internal pure returns (string memory text) {
        assembly ("memory-safe") {
            text := mload(0x40)
            mstore(0x40, add(text, 0x40))
            let length := 0
            for {} and(lt(length, 32), gt(byte(length, word), 0)) {} { length := add(length, 1) }
            mstore(text, length)
            mstore(add(text, 0x20), word)
        }
    }
}
