// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, EntryAmounts, EntryHead, Evidence} from "../libraries/Entries.sol";

/// @notice What an instruction does. The numbers are part of the wire protocol.
enum Kind {
    None,
    Issue,
    Redeem,
    Exchange,
    Spend,
    Transfer,
    Reverse,
    Expire
}

/// @notice Why an order or an instruction was refused. The numbers are part of the wire protocol: append only.
enum Reason {
    None,
    // the whole order
    UnknownSigner, // the signature is not by a live key of the merchant
    DeadlinePassed,
    NonceUsed,
    MerchantClosed,
    AtomicFailed, // an instruction of an atomic order was refused, so all of it was
    // any instruction
    UnknownKind,
    MerchantSuspended, // a suspended merchant may only redeem, expire and reverse
    ZeroPoints,
    ZeroMember,
    NotProgramMerchant, // unknown program, or one of another merchant
    ProgramPaused,
    InsufficientPoints,
    SupplyOverflow, // a program can mint at most 2^64 - 1 points in its life
    // issue
    AlreadyExpired,
    // exchange and spend
    WrongAgreement, // unknown, or of another kind or program
    AgreementNotLive, // before, after, superseded or terminated
    NotInitiator, // the agreement does not let this merchant start
    CounterpartyInactive,
    OverInstructionCap,
    OverDailyCap,
    BelowMinimum, // fewer target points than the signer's minimum, or none
    AmountTooLarge, // the settlement does not fit 64 bits of micros
    InsufficientLiquidity,
    // transfer
    BadRecipient,
    // reverse
    UnknownEntry, // the evidence is missing or does not prove the signed entry
    NotReversible, // a reversal cannot be reversed
    NotGiver, // only the merchant that gives value back may reverse
    OverReversal, // more than is left of the original
    // the whole order, again
    EmptyOrder // it has no instructions
}

/// @notice What an account of the network's operator may do. The owner (admin) grants roles and has none by itself.
enum Role {
    Operator, // onboards merchants, programs and agreements; sets limits
    Sequencer, // executes batches
    Treasury, // books money at the settlement bank
    Pauser // stops and restarts programs and the network
}

/// @notice Life of a merchant. Suspended: no new business with it, from either side, but what it owes stays payable: it redeems,
/// expires and reverses, others' reversals pay it back, its position is paid in and out. Closed: it signs nothing more; its
/// position, which need not be zero, is still paid in and out, and its points stay where they are.
enum MerchantStatus {
    None,
    Active,
    Suspended,
    Closed
}

enum AgreementKind {
    None,
    Exchange,
    Acceptance
}

/// @notice What two merchants agree on and both sign (EIP-712, type `AgreementTerms`, same fields in the same order).
/// @param kind Exchange (program to program) or acceptance (target merchant takes source points for goods).
/// @param initiators Bit 0: the source merchant may start an instruction. Bit 1: the target merchant may.
/// @param feeBps The operator's fee on the settled amount, in basis points, paid by the source merchant.
/// @param lifetimeDays Exchange: days until the minted target points expire; 0 for never.
/// @param sourceMerchant Runs `sourceProgram` and pays.
/// @param targetMerchant Is paid; runs `targetProgram` where there is one.
/// @param sourceProgram The points that are burnt.
/// @param targetProgram Exchange: the points that are minted. Acceptance: 0.
/// @param validFrom Unix time from which it can be used.
/// @param validUntil Unix time from which it cannot be used any more.
/// @param rateNum Exchange: target points for `rateDen` source points. Acceptance: 1.
/// @param rateDen See `rateNum`.
/// @param unitPriceMicros Settlement for one target point (exchange) or one source point (acceptance).
/// @param maxPoints Most source points an instruction may burn.
/// @param dailyCap Most source points that may be burnt under this agreement in a network day. A successor begins with what its
/// predecessor had used of the day when it was registered; during the grace both go on by themselves.
/// @param supersedes The agreement that this one replaces, or 0.
/// @param graceSeconds How long the superseded agreement stays usable, so that locked quotes still execute.
/// @param document Hash of the contract on paper, or any salt: it makes equal terms distinct.
struct AgreementTerms {
    AgreementKind kind;
    uint8 initiators;
    uint16 feeBps;
    uint16 lifetimeDays;
    uint32 sourceMerchant;
    uint32 targetMerchant;
    uint32 sourceProgram;
    uint32 targetProgram;
    uint40 validFrom;
    uint40 validUntil;
    uint32 rateNum;
    uint32 rateDen;
    uint64 unitPriceMicros;
    uint64 maxPoints;
    uint64 dailyCap;
    uint32 supersedes;
    uint32 graceSeconds;
    bytes32 document;
}

/// @notice A merchant gives one of its keys a validity window, or takes it away (`validUntil` in the past). EIP-712 signed.
/// @param nonce From the same sequence as the merchant's orders, so a change is applied at most once.
struct SignerChange {
    uint32 merchant;
    address key;
    uint40 validFrom;
    uint40 validUntil;
    uint48 nonce;
}

/// @notice Totals of a program over its whole life, in points. What is in circulation is the sum of the first three minus the rest.
struct ProgramTotals {
    uint64 issued;
    uint64 exchangedIn;
    uint64 restored;
    uint64 redeemed;
    uint64 spent;
    uint64 exchangedOut;
    uint64 expired;
    uint64 revoked;
}

// Parameters are called what they are in the ABI, even where a function is called so, too.
// slither-disable-start shadowing-local

/// @title IClearingHouse
/// @notice Issues, exchanges and settles loyalty points between merchants. See docs/contracts.md for the whole picture.
///
/// The owner (two-step transfer, never nobody) grants the roles and recovers a merchant that lost all its keys; OPERATOR onboards
/// merchants, programs and agreements; SEQUENCER executes batches; TREASURY books money at the settlement bank; PAUSER stops a program
/// or the network.
interface IClearingHouse {
    // ---------------------------------------------------------------- events: registry

    event RoleChanged(Role indexed role, address indexed account, bool held);
    event MerchantRegistered(uint32 indexed merchant, uint96 creditLimitMicros, bytes32 name);
    event MerchantStatusChanged(uint32 indexed merchant, MerchantStatus status);
    /// @param nonce The nonce that the merchant's own change used up; `type(uint64).max` where it is the operator's or the owner's doing.
    event SignerChanged(
        uint32 indexed merchant, address indexed key, uint40 validFrom, uint40 validUntil, uint64 nonce
    );
    event ProgramRegistered(uint32 indexed program, uint32 indexed merchant, bytes32 code, bytes32 name);
    event ProgramPauseChanged(uint32 indexed program, bool paused);

    // ---------------------------------------------------------------- events: agreements

    /// @notice Both signatures are recorded here, for whoever wants to check them again.
    event AgreementRegistered(
        uint32 indexed agreement,
        bytes32 indexed digest,
        AgreementTerms terms,
        bytes sourceSignature,
        bytes targetSignature
    );
    /// @notice An agreement ends earlier than its terms say: superseded (then `by` is the successor) or terminated (`by` is 0).
    event AgreementEnds(uint32 indexed agreement, uint40 validUntil, uint32 by);

    // ---------------------------------------------------------------- events: settlement

    event CreditLimitChanged(uint32 indexed merchant, uint96 creditLimitMicros);
    event Deposited(uint32 indexed merchant, uint96 micros, bytes32 indexed bankRef);
    event Withdrawn(uint32 indexed merchant, uint96 micros, bytes32 indexed bankRef);

    // ---------------------------------------------------------------- events: journal

    /// @notice An accepted instruction without a link. Its leaf is the hash of the five words of its `Entry`.
    event EntryPosted(address indexed member, EntryHead head, EntryAmounts amounts, bytes32 ref);
    /// @notice An accepted instruction with a link: a transfer (the recipient) or a reversal (the leaf of the original).
    event LinkedEntryPosted(
        address indexed member, bytes32 indexed link, EntryHead head, EntryAmounts amounts, bytes32 ref
    );
    event InstructionRejected(uint32 indexed merchant, uint48 indexed nonce, uint16 item, Reason reason);
    /// @notice A whole order was refused. Its nonce is consumed only if `reason` is `AtomicFailed`.
    event OrderRejected(uint32 indexed merchant, uint48 indexed nonce, bytes32 digest, Reason reason);
    /// @param root Merkle root of the batch's leaves, in order; zero if it has none.
    /// @param head keccak256(abi.encode(previous head, batch, entries, root)).
    event BatchClosed(uint40 indexed batch, uint16 entries, bytes32 root, bytes32 head);

    // ---------------------------------------------------------------- errors

    error MissingRole(Role role, address account);
    error OwnerNeeded();
    error UnknownMerchant(uint32 merchant);
    error UnknownProgram(uint32 program);
    error UnknownAgreement(uint32 agreement);
    /// @notice Ids are dense and given by the caller, so that a repeated registration fails instead of making a twin.
    error UnexpectedId(uint32 given, uint32 next);
    error BadStatusChange(uint32 merchant, MerchantStatus from, MerchantStatus to);
    error ZeroKey();
    error KeyTaken(address key, uint32 merchant);
    error KeyUnknown(address key);
    error KeyNotProven(address key);
    error BadWindow(uint40 validFrom, uint40 validUntil);
    error BadSignature(uint32 merchant);
    error NonceAlreadyUsed(uint32 merchant, uint48 nonce);
    error BadTerms(string field);
    error AlreadyRegistered(bytes32 digest, uint32 agreement);
    error BadCreditLimit(uint32 merchant, uint96 creditLimitMicros, int96 positionMicros);
    error BankRefUsed(bytes32 bankRef);
    error ZeroAmount();
    error AmountOutOfRange(uint96 micros);
    error PositionTooLow(uint32 merchant, int96 positionMicros, uint96 withdrawalMicros);
    /// @notice There is less money in the bank than is to be paid out: what is owed to the merchant was not paid in yet.
    error FundsTooLow(uint96 fundsMicros, uint96 withdrawalMicros);
    error BatchTooLarge(uint256 instructions);
    /// @notice The bytes of a batch end inside an order, or after it.
    error BadEncoding();
    error OnlySelf();
    /// @dev Leaves the frame of an atomic order; never leaves `execute`.
    error AtomicRefused(uint16 item, Reason reason);

    // ---------------------------------------------------------------- registry

    /// @notice Gives a role to an account, or takes it away. Role: owner.
    function setRole(Role role, address account, bool held) external;

    /// @notice Registers merchant `id` (the next free number) with its first signer key. Role: OPERATOR, who makes sure that the key
    /// is the merchant's.
    function registerMerchant(uint32 id, bytes32 name, address key, uint96 creditLimitMicros) external;

    /// @notice Moves a merchant between active and suspended, or closes it for good, whatever its position is: the insolvent leave, too.
    /// Role: OPERATOR.
    function setMerchantStatus(uint32 merchant, MerchantStatus status) external;

    /// @notice Adds a key to a merchant or changes a key's window, on the signature of one of its live keys. Anyone may send it.
    /// @param keySignature The new key's own signature over the same change, so that nobody takes an address that it does not
    /// control; not looked at if the key is one of the merchant's already.
    function changeSigner(SignerChange calldata change, bytes calldata signature, bytes calldata keySignature) external;

    /// @notice Cuts a key's window short, for example when it was stolen. It can only take power away. Role: OPERATOR.
    function revokeSigner(address key, uint40 validUntil) external;

    /// @notice Gives a merchant that lost all its keys a new one. Visible to every auditor. Role: owner.
    function recoverSigner(uint32 merchant, address key) external;

    /// @notice Registers program `id` (the next free number) of `merchant`. Role: OPERATOR.
    function registerProgram(uint32 id, uint32 merchant, bytes32 code, bytes32 name) external;

    /// @notice Stops or restarts every movement of a program. Role: PAUSER.
    function setProgramPaused(uint32 program, bool paused) external;

    /// @notice Stops the network: no batch is executed. Role: PAUSER.
    function pause() external;

    /// @notice Restarts the network. Role: PAUSER.
    function unpause() external;

    // ---------------------------------------------------------------- agreements

    /// @notice Registers terms that both merchants signed, as agreement `id` (the next free number), and ends the agreement they
    /// supersede after the grace. The same signed terms can be registered once. Role: OPERATOR.
    function registerAgreement(
        uint32 id,
        AgreementTerms calldata terms,
        bytes calldata sourceSignature,
        bytes calldata targetSignature
    ) external;

    /// @notice Ends an agreement at `effectiveAt` (now, if that is past) on the signature of either merchant over the EIP-712
    /// type `Termination(uint32 agreement,uint40 effectiveAt)`. It can only end it earlier. Anyone may send it.
    function terminateAgreement(uint32 agreement, uint40 effectiveAt, uint32 merchant, bytes calldata signature)
        external;

    // ---------------------------------------------------------------- settlement

    /// @notice Sets how far below zero a position may go; not below what is used already. Role: OPERATOR.
    function setCreditLimit(uint32 merchant, uint96 creditLimitMicros) external;

    /// @notice Books money that arrived at the settlement bank. `bankRef` can be used once. Role: TREASURY.
    function deposit(uint32 merchant, uint96 micros, bytes32 bankRef) external;

    /// @notice Books money paid out by the settlement bank. A merchant cannot withdraw more than its position (credit cannot be
    /// withdrawn), nor more than there is in the bank (claims on merchants in debt wait until those pay in). `bankRef` can be used
    /// once. Role: TREASURY.
    function withdraw(uint32 merchant, uint96 micros, bytes32 bankRef) external;

    // ---------------------------------------------------------------- execution

    /// @notice Executes orders in the given order and closes the batch. A refused instruction changes nothing and is reported
    /// by an event; a refused order likewise, and its nonce stays free unless the order was atomic. Role: SEQUENCER.
    /// @param orders The orders, one after another, in the packed form that `libraries/Orders.sol` draws.
    /// @param evidence Proofs for the reversals among the instructions, which point into it.
    function execute(bytes calldata orders, Evidence[] calldata evidence) external;

    /// @notice The body of an atomic order, in a frame of its own so that it can be undone. Only `execute` may call it.
    /// @param start Head of the order's first entry.
    /// @param count How many instructions there are.
    /// @param instructions The order's instructions, packed.
    /// @return leaves The leaves of the entries, one an instruction.
    function executeAtomic(EntryHead start, uint256 count, bytes calldata instructions, Evidence[] calldata evidence)
        external
        returns (bytes32[] memory leaves);

    // ---------------------------------------------------------------- views

    function hasRole(Role role, address account) external view returns (bool);
    // What is registered under a number or key; all zero if nothing is.
    function merchantOf(uint32 merchant)
        external
        view
        returns (MerchantStatus status, int96 positionMicros, uint96 creditLimitMicros);
    function signerOf(address key) external view returns (uint32 merchant, uint40 validFrom, uint40 validUntil);
    function programOf(uint32 program) external view returns (uint32 merchant, bool paused, bytes32 code, bytes32 name);
    function merchantCount() external view returns (uint32);
    function programCount() external view returns (uint32);
    function agreementCount() external view returns (uint32);
    function batchCount() external view returns (uint40);

    /// @notice The terms; `validUntil` reflects supersession and termination. `document` is 0: it is in the event, not in storage.
    function agreementOf(uint32 agreement) external view returns (AgreementTerms memory terms);

    /// @notice Source points burnt under `agreement` on the current network day.
    function usedToday(uint32 agreement) external view returns (uint64 points);

    /// @notice Points of a member. Like all reads down to `decimals`, it fails as `UnknownProgram` where there is no such program.
    function balanceOf(address member, uint32 program) external view returns (uint64 points);
    function totalSupply(uint32 program) external view returns (uint64 points);
    function totalsOf(uint32 program) external view returns (ProgramTotals memory totals);
    /// @notice ERC-20 style reads, one program at a time.
    function name(uint32 program) external view returns (string memory);
    function symbol(uint32 program) external view returns (string memory);
    function decimals(uint32 program) external view returns (uint8);

    /// @notice The money in the bank: the sum of deposits minus withdrawals, which is also the sum of all positions. Never negative.
    function settlementFunds() external view returns (int256 micros);
    function bankRefUsed(bytes32 bankRef) external view returns (bool);
    function nonceUsed(uint32 merchant, uint48 nonce) external view returns (bool);

    /// @notice Source points of the entry with this leaf that were reversed so far.
    function reversedOf(bytes32 leaf) external view returns (uint64 points);
    function rootOf(uint40 batch) external view returns (bytes32);
    function head() external view returns (bytes32);

    /// @notice Whether `entry` was posted: its leaf is proven to be in its batch's root.
    function verifyEntry(Entry calldata entry, bytes32[] calldata proof) external view returns (bool);

    /// @notice The digest that a merchant signs for `order`, which is packed as in `execute`.
    function digestOf(bytes calldata order) external view returns (bytes32);

    /// @notice The network's current day: days since 1970-01-01 in its own time zone.
    function today() external view returns (uint32);
}
// slither-disable-end shadowing-local
