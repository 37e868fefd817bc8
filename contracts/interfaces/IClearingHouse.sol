// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EntryAmounts} from "../types/EntryAmounts.sol";
import {EntryHead} from "../types/EntryHead.sol";

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
    UnknownSigner, // no live key of the merchant made the signature
    DeadlinePassed,
    NonceUsed,
    MerchantClosed,
    AtomicFailed, // one instruction of an atomic order was refused, so the whole order was
    // any instruction
    UnknownKind,
    MerchantSuspended, // a suspended merchant may only redeem, expire and reverse
    ZeroPoints,
    ZeroMember,
    NotProgramMerchant, // the program is unknown or belongs to another merchant
    ProgramPaused,
    InsufficientPoints,
    SupplyOverflow, // a program can mint at most 2^64 - 1 points in its life
    // issue
    AlreadyExpired,
    // exchange and spend
    WrongAgreement, // the agreement is unknown, or is of another kind or program
    AgreementNotLive, // not yet valid, expired, superseded or terminated
    NotInitiator, // the agreement does not let this merchant initiate
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
    OverReversal, // more points than are left of the original
    // the whole order, again
    EmptyOrder, // the order has no instructions
    // issue, again
    OverIssuanceCap // the program would issue more than its cap of the day
}

/// @notice What an address of the network's operator may do. The owner (admin) grants roles and holds none by itself.
enum Role {
    Operator, // onboards merchants, programs and agreements; sets limits
    Sequencer, // executes batches
    Treasury, // books money at the settlement bank
    Pauser // stops and restarts programs and the network; nobody's second role
}

/// @notice The life of a merchant. Nobody starts new business with a suspended merchant, nor does it, but what it owes stays payable:
/// it redeems, expires and reverses, reversals of other merchants pay it back, and it deposits and withdraws. It may end agreements and
/// change its keys. A closed merchant signs nothing more: no orders, terms, terminations and keys, and nobody gives it a key. Its points stay where they are. Its position need not be zero and is still paid in and out.
enum MerchantStatus {
    None,
    Active,
    Suspended,
    Closed
}

/// @notice Whether an agreement exchanges points for points or accepts points for goods.
enum AgreementKind {
    None,
    Exchange,
    Acceptance
}

/// @notice What two merchants agree on. Both sign it (EIP-712, type `AgreementTerms`, same fields in the same order).
/// @param kind Exchange (program to program) or acceptance (the target merchant takes source points for goods).
/// @param initiators Bit 0: the source merchant may initiate instructions. Bit 1: the target merchant may.
/// @param feeBps The operator's fee on the settled amount, in basis points. The source merchant pays it. If the target
/// merchant undoes what it had initiated itself, it pays the fee back to the source merchant.
/// @param lifetimeDays Exchange: the number of days after which the minted target points expire, or 0 for never.
/// @param sourceMerchant The merchant that runs `sourceProgram`, and pays.
/// @param targetMerchant The merchant that is paid. In an exchange it runs `targetProgram`.
/// @param sourceProgram The program whose points are burnt.
/// @param targetProgram Exchange: the program whose points are minted. Acceptance: 0.
/// @param validFrom Unix time from which the agreement can be used.
/// @param validUntil Unix time from which the agreement can no longer be used.
/// @param rateNum Exchange: the target points for `rateDen` source points. Acceptance: 1.
/// @param rateDen See `rateNum`.
/// @param unitPriceMicros The settlement for one target point (exchange) or one source point (acceptance).
/// @param maxPoints The most source points that one instruction may burn.
/// @param dailyCap The most source points that may be burnt under this agreement in one network day. A successor starts with what its
/// predecessor has used of the day at its registration. During the grace each of the two counts on its own. A reversal on the day of
/// its original gives back what that used, but not what a successor inherited of it.
/// @param supersedes The agreement that this one replaces, or 0.
/// @param graceSeconds How long the superseded agreement stays usable, so that locked quotes still execute.
/// @param acceptBy Unix time after which the terms can no longer be registered, or 0 for none: an old signature is then worth nothing.
/// @param keepExpiry Exchange: the minted points also expire when the burnt ones would have, if that is earlier. A rule of lots, which
/// the chain does not keep: an entry's `expiryDay` follows from `lifetimeDays` alone.
/// @param document Hash of the contract on paper, or any salt. It makes equal terms distinct.
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
    uint40 acceptBy;
    bool keepExpiry;
    bytes32 document;
}

/// @notice A merchant adds a key, moves the validity window of one, or removes one (`validUntil` in the past). EIP-712 signed.
/// @param merchant The merchant that the key signs for.
/// @param key The address of the key.
/// @param validFrom Unix time from which the key is live.
/// @param validUntil Unix time from which the key is no longer live.
/// @param nonce From the same sequence as the merchant's orders, so that a change is applied at most once.
struct SignerChange {
    uint32 merchant;
    address key;
    uint40 validFrom;
    uint40 validUntil;
    uint48 nonce;
}

/// @notice A program's totals over its whole life, in points. The first three minus the other five are in circulation.
/// @param issued Points minted by issues.
/// @param exchangedIn Points minted by exchanges from other programs.
/// @param restored Points minted again by the reversal of a redeem, exchange, spend or expire.
/// @param redeemed Points burnt at the program's own merchant.
/// @param spent Points burnt at other merchants.
/// @param exchangedOut Points burnt by exchanges into other programs.
/// @param expired Points burnt because they expired.
/// @param revoked Points burnt by the reversal of an issue, or of an exchange into this program.
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

/// @notice The accepted result of one instruction. Its leaf is the hash of these five words, all of which are in its event.
/// @param member The member whose points moved.
/// @param head Where the entry stands and what it moved (see `types/EntryHead.sol`).
/// @param amounts How much it moved (see `types/EntryAmounts.sol`).
/// @param ref The merchant's reference, a salted hash of its own document number.
/// @param link Transfer: the recipient. Reversal: the leaf of the original. Otherwise free, usually zero.
struct Entry {
    address member;
    EntryHead head;
    EntryAmounts amounts;
    bytes32 ref;
    bytes32 link;
}

/// @notice An earlier entry and its Merkle proof, for a reversal.
/// @param entry The entry to reverse.
/// @param proof The Merkle proof of its leaf in the root of its batch.
struct Evidence {
    Entry entry;
    bytes32[] proof;
}

// Parameters keep their names in the ABI, even where a function has the same name.
// slither-disable-start shadowing-local

/// @title IClearingHouse
/// @notice Issues, exchanges and settles loyalty points between merchants. docs/contracts.md explains the whole.
///
/// The owner grants the roles and recovers a merchant that lost all its keys. Ownership moves in two steps and cannot be renounced.
/// OPERATOR onboards merchants, programs and agreements; SEQUENCER executes batches; TREASURY books money at the settlement bank;
/// PAUSER stops a program or the network. Somebody else holds each role, so that no single key moves money or undoes a stop.
interface IClearingHouse {
    // ---------------------------------------------------------------- events: registry

    /// @notice The owner gave a role to an address (`held`) or took it away.
    event RoleChanged(Role indexed role, address indexed account, bool held);
    /// @notice A merchant joined the network. `SignerChanged` follows with its first key.
    event MerchantRegistered(uint32 indexed merchant, uint96 creditLimitMicros, bytes32 name);
    /// @notice A merchant was suspended, made active again or closed.
    event MerchantStatusChanged(uint32 indexed merchant, MerchantStatus status);
    /// @notice A merchant's key was added or its window moved.
    /// @param nonce The nonce that the merchant's own change used up, or `type(uint64).max` for a change by the operator or the owner.
    event SignerChanged(
        uint32 indexed merchant, address indexed key, uint40 validFrom, uint40 validUntil, uint64 nonce
    );
    /// @notice A program was registered. Code and name are UTF-8, padded with zeros.
    event ProgramRegistered(uint32 indexed program, uint32 indexed merchant, bytes32 code, bytes32 name);
    /// @notice A program was stopped or restarted.
    event ProgramPauseChanged(uint32 indexed program, bool paused);
    /// @notice From network day `fromDay` on, a program issues at most `points` a day, or as many as it likes if they are 0. That is today
    /// for a lower cap, which also calls off a higher one that was to come.
    event IssuanceCapChanged(uint32 indexed program, uint64 points, uint32 fromDay);

    // ---------------------------------------------------------------- events: agreements

    /// @notice An agreement was registered. The event records both signatures, so that anyone can check them again.
    event AgreementRegistered(
        uint32 indexed agreement,
        bytes32 indexed digest,
        AgreementTerms terms,
        bytes sourceSignature,
        bytes targetSignature
    );
    /// @notice An agreement was superseded (`by` is the successor) or terminated (`by` is 0), and ends at `validUntil`.
    event AgreementEnds(uint32 indexed agreement, uint40 validUntil, uint32 by);

    // ---------------------------------------------------------------- events: settlement

    /// @notice The operator set a merchant's credit limit.
    event CreditLimitChanged(uint32 indexed merchant, uint96 creditLimitMicros);
    /// @notice A merchant's money arrived at the settlement bank.
    event Deposited(uint32 indexed merchant, uint96 micros, bytes32 indexed bankRef);
    /// @notice The settlement bank paid money out to a merchant.
    event Withdrawn(uint32 indexed merchant, uint96 micros, bytes32 indexed bankRef);

    // ---------------------------------------------------------------- events: journal

    /// @notice An instruction without a link was accepted. The leaf is the hash of the five words of its `Entry`.
    event EntryPosted(address indexed member, EntryHead head, EntryAmounts amounts, bytes32 ref);
    /// @notice An instruction with a link was accepted: usually a transfer (to the recipient) or a reversal (of the original's leaf).
    event LinkedEntryPosted(
        address indexed member, bytes32 indexed link, EntryHead head, EntryAmounts amounts, bytes32 ref
    );
    /// @notice An instruction was refused. `item` is its place in the order, from 0.
    event InstructionRejected(uint32 indexed merchant, uint48 indexed nonce, uint16 item, Reason reason);
    /// @notice A whole order was refused. Its nonce is used up only if `reason` is `AtomicFailed`.
    event OrderRejected(uint32 indexed merchant, uint48 indexed nonce, bytes32 digest, Reason reason);
    /// @notice A batch was executed.
    /// @param entries The number of its entries.
    /// @param root The Merkle root of its leaves, in order, or zero if it has none.
    /// @param head keccak256(abi.encode(previous head, batch, entries, root)).
    event BatchClosed(uint40 indexed batch, uint16 entries, bytes32 root, bytes32 head);

    // ---------------------------------------------------------------- errors: registry

    /// @notice The caller does not hold the role that this call needs.
    error MissingRole(Role role, address account);
    /// @notice Ownership cannot be renounced.
    error OwnerNeeded();
    /// @notice No merchant has this number.
    error UnknownMerchant(uint32 merchant);
    /// @notice The merchant is closed, or must be active for this.
    error MerchantInactive(uint32 merchant, MerchantStatus status);
    /// @notice No program has this number.
    error UnknownProgram(uint32 program);
    /// @notice `given` is not the next free number. The caller gives the id, so that a repeated registration fails instead of making a
    /// duplicate.
    error UnexpectedId(uint32 given, uint32 next);
    /// @notice The merchant cannot change to this status: closed is final, and the operator's own status is fixed.
    error BadStatusChange(uint32 merchant, MerchantStatus from, MerchantStatus to);
    /// @notice Address 0 cannot be a key.
    error ZeroKey();
    /// @notice The key belongs to another merchant.
    error KeyTaken(address key, uint32 merchant);
    /// @notice The key belongs to no merchant.
    error KeyUnknown(address key);
    /// @notice The new key did not sign its own addition.
    error KeyNotProven(address key);
    /// @notice The window is empty, or a revocation would extend it.
    error BadWindow(uint40 validFrom, uint40 validUntil);
    /// @notice The signature is not by a live key of this merchant, or the merchant is not a party.
    error BadSignature(uint32 merchant);
    /// @notice The merchant's nonce was used before.
    error NonceAlreadyUsed(uint32 merchant, uint48 nonce);

    // ---------------------------------------------------------------- errors: agreements

    /// @notice No agreement has this number.
    error UnknownAgreement(uint32 agreement);
    /// @notice `field` of the terms has a value that makes no sense.
    error BadTerms(string field);
    /// @notice These signed terms are registered already, as `agreement`.
    error AlreadyRegistered(bytes32 digest, uint32 agreement);

    // ---------------------------------------------------------------- errors: settlement

    /// @notice The credit limit is too large, or the merchant's debt already exceeds it.
    error BadCreditLimit(uint32 merchant, uint96 creditLimitMicros, int96 positionMicros);
    /// @notice A deposit or withdrawal already used this bank reference.
    error BankRefUsed(bytes32 bankRef);
    /// @notice An amount must not be zero.
    error ZeroAmount();
    /// @notice The deposit would exceed the largest sum that the contract can keep.
    error AmountOutOfRange(uint96 micros);
    /// @notice The withdrawal exceeds the merchant's position.
    error PositionTooLow(uint32 merchant, int96 positionMicros, uint96 withdrawalMicros);
    /// @notice The withdrawal exceeds the money in the bank: what other merchants owe was not paid in yet.
    error FundsTooLow(uint96 fundsMicros, uint96 withdrawalMicros);

    // ---------------------------------------------------------------- errors: execution

    /// @notice The bytes of the batch could hold more than 65,535 instructions.
    error BatchTooLarge(uint256 instructions);
    /// @notice The bytes of a batch do not end where an order ends.
    error BadEncoding();
    /// @notice Only the clearing house itself may call this function.
    error OnlySelf();
    /// @notice An instruction of an atomic order was refused.
    /// @dev Leaves the frame of an atomic order, never `execute`.
    error AtomicRefused(uint16 item, Reason reason);

    // ---------------------------------------------------------------- registry

    /// @notice Gives a role to an address, or takes it away. Role: owner.
    function setRole(Role role, address account, bool held) external;

    /// @notice Registers merchant `id` (the next free number) with its first signer key. Role: OPERATOR, which must make sure that the
    /// key belongs to the merchant.
    function registerMerchant(uint32 id, bytes32 name, address key, uint96 creditLimitMicros) external;

    /// @notice Suspends a merchant, makes it active again (not while the network is paused), or closes it for good. A merchant can be
    /// closed whatever its position is, because insolvent merchants leave too. Role: OPERATOR.
    function setMerchantStatus(uint32 merchant, MerchantStatus status) external;

    /// @notice Adds a key to a merchant or moves a key's window, on the signature of one of the merchant's live keys. Anyone may send it.
    /// @param keySignature The new key's own signature over the same change, so that nobody claims an address that it does not control.
    /// Ignored if the key is known already.
    function changeSigner(SignerChange calldata change, bytes calldata signature, bytes calldata keySignature) external;

    /// @notice Ends a key's window early, for example because the key was stolen. It can only shorten the window. Role: OPERATOR.
    function revokeSigner(address key, uint40 validUntil) external;

    /// @notice Gives a new key to a merchant that lost all its keys and is not closed. Every auditor can see it. Role: owner.
    function recoverSigner(uint32 merchant, address key) external;

    /// @notice Registers program `id` (the next free number) of `merchant`, which is active. Role: OPERATOR.
    /// @param code The program's code, such as `FUEL`: UTF-8, padded with zeros.
    /// @param name The program's name: UTF-8, padded with zeros.
    function registerProgram(uint32 id, uint32 merchant, bytes32 code, bytes32 name) external;

    /// @notice Sets the most points that a program may issue in a network day, or 0 for any number. A lower cap counts at once, and calls
    /// off a higher one that was to come. A higher cap, or none after one, counts from the day after the next: time in which whoever
    /// watches the network can object, because no single stolen key may lift a cap unseen. What is issued while there is a cap counts in
    /// its day, and a reversal gives nothing back. Role: OPERATOR.
    function setIssuanceCap(uint32 program, uint64 points) external;

    /// @notice Stops or restarts every movement of a program. Role: PAUSER.
    function setProgramPaused(uint32 program, bool paused) external;

    /// @notice Stops the network: no batch is executed, no money is booked, and nobody gets more to do or to spend: no merchants, programs,
    /// agreements and keys, no limits, no merchant that is active again, no higher caps. What takes something away goes on, and so does
    /// what the owner repairs: roles, ownership, suspended and closed merchants, revoked and recovered keys, ends of agreements, stopped
    /// programs, lower caps. Role: PAUSER.
    function pause() external;

    /// @notice Restarts the network. Role: PAUSER.
    function unpause() external;

    // ---------------------------------------------------------------- agreements

    /// @notice Registers terms that both merchants, which are active, signed, as agreement `id` (the next free number). If they supersede
    /// an agreement, it ends after the grace. The same signed terms can be registered only once. Role: OPERATOR.
    function registerAgreement(
        uint32 id,
        AgreementTerms calldata terms,
        bytes calldata sourceSignature,
        bytes calldata targetSignature
    ) external;

    /// @notice Ends an agreement at `effectiveAt`, or now if that is past, on either merchant's signature over the EIP-712 type
    /// `Termination(uint32 agreement,uint40 effectiveAt)`. It can only move the end closer. Anyone may send it.
    /// @param merchant The merchant that signed.
    function terminateAgreement(uint32 agreement, uint40 effectiveAt, uint32 merchant, bytes calldata signature)
        external;

    // ---------------------------------------------------------------- settlement

    /// @notice Sets how far below zero a merchant's position may go. The merchant's present debt must stay covered. Role: OPERATOR.
    function setCreditLimit(uint32 merchant, uint96 creditLimitMicros) external;

    /// @notice Books money that arrived at the settlement bank. A `bankRef` can be used only once. Role: TREASURY.
    function deposit(uint32 merchant, uint96 micros, bytes32 bankRef) external;

    /// @notice Books money that the settlement bank paid out. A merchant cannot withdraw more than its position, because credit cannot
    /// be withdrawn, nor more than there is in the bank: claims on merchants in debt wait until those pay in. A `bankRef` can be used
    /// only once. Role: TREASURY.
    function withdraw(uint32 merchant, uint96 micros, bytes32 bankRef) external;

    // ---------------------------------------------------------------- execution

    /// @notice Executes orders in the given sequence and closes the batch. A refused instruction changes nothing; an event reports it
    /// and the rest goes on. A refused order changes nothing either, and its nonce stays free unless the order was atomic and one of its
    /// instructions was refused. Role: SEQUENCER.
    /// @param orders The orders, one after another, packed as `libraries/Orders.sol` describes.
    /// @param evidence Proofs for the reversals among the instructions, which refer to them by index.
    function execute(bytes calldata orders, Evidence[] calldata evidence) external;

    /// @notice Executes the instructions of an atomic order in a frame of their own, so that they can be undone. Only `execute` may call
    /// it.
    /// @param start Head of the order's first entry.
    /// @param count The number of instructions.
    /// @param instructions The order's instructions, packed.
    /// @param evidence The evidence of the batch.
    /// @return leaves The leaves of the entries, one for each instruction.
    function executeAtomic(EntryHead start, uint256 count, bytes calldata instructions, Evidence[] calldata evidence)
        external
        returns (bytes32[] memory leaves);

    // ---------------------------------------------------------------- views

    // These are the plain variables. What must be unpacked, the house answers as well: see `IClearingHouseLens`.

    /// @notice Whether an address holds a role.
    function hasRole(Role role, address account) external view returns (bool);

    /// @notice The number of merchants. They are numbered from 0, the operator.
    function merchantCount() external view returns (uint32);

    /// @notice The number of programs. They are numbered from 1.
    function programCount() external view returns (uint32);

    /// @notice The network's current day: days since 1970-01-01 in its own time zone.
    function today() external view returns (uint32);

    /// @notice The number of agreements. They are numbered from 1.
    function agreementCount() external view returns (uint32);

    /// @notice The money in the bank: deposits minus withdrawals, which is also the sum of all positions. Never negative.
    function settlementFunds() external view returns (int256 micros);

    /// @notice Whether a deposit or withdrawal used this bank reference.
    function bankRefUsed(bytes32 bankRef) external view returns (bool);

    /// @notice The number of batches. They are numbered from 1.
    function batchCount() external view returns (uint40);

    /// @notice The Merkle root of a batch, or zero if it has no entries or does not exist.
    function rootOf(uint40 batch) external view returns (bytes32);

    /// @notice The head of the chain of roots, after the last batch.
    function head() external view returns (bytes32);

    /// @notice Source points of the entry with this leaf that were reversed so far.
    function reversedOf(bytes32 leaf) external view returns (uint64 points);

    /// @notice The contract that answers what `IClearingHouseLens` lists. It was created together with this one.
    function lens() external view returns (address);

    /// @notice The contract that carries out what `IClearingHouseSuccession` lists. It was created together with this one.
    function succession() external view returns (address);

    /// @notice The word in a slot of this contract's storage. `libraries/StorageLayout.sol` says what is where.
    function extsload(bytes32 slot) external view returns (bytes32 word);

    /// @notice The words in these slots, in the same order: a cheap way to read many balances at once.
    function extsload(bytes32[] calldata slots) external view returns (bytes32[] memory words);
}
// slither-disable-end shadowing-local
