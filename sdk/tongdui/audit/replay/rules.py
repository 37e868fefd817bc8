"""The rules of the contract that a replay checks, each with a code and a sentence."""

from __future__ import annotations

from ...orders import Reason

_ORDER_REASONS = {
    Reason.UNKNOWN_SIGNER: "an order counts only if a live key of its merchant signed it",
    Reason.DEADLINE_PASSED: "an order counts only until its deadline",
    Reason.NONCE_USED: "an order counts once: its nonce is used up",
    Reason.MERCHANT_CLOSED: "a closed merchant signs nothing more",
    Reason.ATOMIC_FAILED: "an atomic order applies whole or not at all",
    Reason.EMPTY_ORDER: "an order has instructions",
}

_INSTRUCTION_REASONS = {
    Reason.UNKNOWN_KIND: "an instruction has a kind that the rules know",
    Reason.MERCHANT_SUSPENDED: "a suspended merchant only redeems, expires and reverses",
    Reason.ZERO_POINTS: "an instruction moves points",
    Reason.ZERO_MEMBER: "an instruction has a member",
    Reason.NOT_PROGRAM_MERCHANT: "points of a program are its own merchant's to issue, redeem, transfer and expire",
    Reason.PROGRAM_PAUSED: "no points of a paused program move",
    Reason.INSUFFICIENT_POINTS: "nobody gives points that they do not have",
    Reason.SUPPLY_OVERFLOW: "a program mints less than 2^64 points in its life",
    Reason.OVER_ISSUANCE_CAP: "issues of a day stay within the program's cap",
    Reason.ALREADY_EXPIRED: "points are issued with an expiry day that is to come",
    Reason.WRONG_AGREEMENT: "a conversion names an agreement of its kind and program",
    Reason.AGREEMENT_NOT_LIVE: "a conversion needs an agreement that is in force",
    Reason.NOT_INITIATOR: "a conversion is begun by a merchant whom the agreement allows it",
    Reason.COUNTERPARTY_INACTIVE: "nobody does new business with a merchant that is not active",
    Reason.OVER_INSTRUCTION_CAP: "a conversion stays within the agreement's cap for one instruction",
    Reason.OVER_DAILY_CAP: "conversions of a day stay within the agreement's daily cap",
    Reason.BELOW_MINIMUM: "an exchange gives at least the points that its signer asked for",
    Reason.AMOUNT_TOO_LARGE: "a settlement fits 64 bits of micros",
    Reason.INSUFFICIENT_LIQUIDITY: "no position falls below its credit limit",
    Reason.BAD_RECIPIENT: "a transfer goes to another member",
    Reason.UNKNOWN_ENTRY: "a reversal proves the entry that it undoes",
    Reason.NOT_REVERSIBLE: "a reversal is not reversed",
    Reason.NOT_GIVER: "a reversal is signed by the merchant that gives value back",
    Reason.OVER_REVERSAL: "no more of an entry is reversed than it moved",
}

_CALL_ERRORS = {
    "MissingRole": "call.role",
    "OwnableUnauthorizedAccount": "call.owner",
    "OwnerNeeded": "call.owner",
    "BadSignature": "call.signature",
    "KeyNotProven": "call.signature",
    "KeyTaken": "call.key",
    "ZeroKey": "call.key",
    "KeyUnknown": "call.key",
    "BadWindow": "call.key",
    "NonceAlreadyUsed": "call.replayed",
    "AlreadyRegistered": "call.replayed",
    "BankRefUsed": "call.bank_reference",
    "PositionTooLow": "call.funds",
    "FundsTooLow": "call.funds",
    "BadTerms": "call.terms",
    "BadCreditLimit": "call.credit_limit",
    "EnforcedPause": "call.paused",
    "WrongStage": "call.stage",
    **dict.fromkeys(
        ("NotEmpty", "BadPredecessor", "UnexpectedLeaf", "BadChunk", "BadProof", "BadLeaf", "AlreadyImported"),
        "succession.import",
    ),
    **dict.fromkeys(("ImportIncomplete", "TotalsDiffer", "HeadDiffers"), "succession.opening"),
    "MerchantInactive": "call.merchant",
}

RULES = {
    **{f"order.{reason.code}": sentence for reason, sentence in _ORDER_REASONS.items()},
    **{f"instruction.{reason.code}": sentence for reason, sentence in _INSTRUCTION_REASONS.items()},
    "order.missing": "every order of a batch is accepted or rejected, and an event says which",
    "order.invented": "every entry and every rejection comes from an order of the batch's transaction",
    "order.rejected": "an order is rejected only for the reason that the rules give",
    "instruction.rejected": "an instruction is rejected only for the reason that the rules give",
    "entry.missing": "every instruction that the rules accept has its entry",
    "entry.batch": "an entry names its batch",
    "entry.index": "entries are numbered in the order of their batch",
    "entry.merchant": "an entry names the merchant that signed its order",
    "entry.nonce": "an entry names the nonce of its order",
    "entry.item": "an entry names its place in its order",
    "entry.kind": "an entry has the kind of its instruction",
    "entry.program": "an entry has the program of its instruction",
    "entry.agreement": "an entry has the agreement of its instruction",
    "entry.member": "an entry moves the points of the member in the instruction",
    "entry.points": "an entry takes or gives the points that the rules lead to",
    "entry.out": "an exchange gives the target points that the agreement's rate leads to",
    "entry.settled": "a conversion settles the target points, or the points taken, at the agreement's price",
    "entry.fee": "the fee is the agreement's share of what is settled, rounded up",
    "entry.expiry_day": "points expire on the day that the instruction or the agreement leads to",
    "entry.ref": "an entry has the reference of its instruction",
    "entry.link": "an entry has the link of its instruction",
    "batch.number": "batches are numbered without a gap",
    "batch.entries": "a batch counts its entries",
    "batch.root": "a batch's root is the Merkle root of its entries",
    "batch.head": "the journal's head chains the roots of all batches",
    "batch.missing": "a batch is closed in its own transaction",
    "call.role": "what needs a role is called by an account that holds it",
    "call.owner": "what is the owner's alone is called by the owner",
    "call.signature": "what needs a merchant's signature has one, by a live key",
    "call.key": "a key belongs to one merchant, and its window makes sense",
    "call.replayed": "what a merchant signed counts once",
    "call.bank_reference": "a bank reference is booked once",
    "call.funds": "nobody withdraws more than its position, nor more than the bank has",
    "call.terms": "the terms of an agreement make sense",
    "call.credit_limit": "a credit limit covers the debt that there is",
    "call.merchant": "a closed merchant signs nothing and gets no key, and a suspended one begins no new business",
    "call.paused": "while the network is paused, nothing is executed or booked, and nobody gets more to do or to spend",
    "call.stage": "a frozen contract does nothing more, and one that imports does nothing else",
    "succession.import": "a new contract takes over each leaf of its predecessor's snapshot once, and with its proof",
    "succession.opening": "a successor opens when it has every leaf, and points and money add up",
    "call.refused": "the contract does only what its rules allow",
    "call.events": "a call has exactly the events that the rules lead to",
    "call.unknown": "every call of the contract is one of its functions",
}


def rule_of_reason(reason: int) -> str:
    """The rule that a reason for refusing an order or an instruction is about."""
    known = Reason(reason) if reason in set(Reason) else Reason.NONE
    return f"{'order' if known in _ORDER_REASONS else 'instruction'}.{known.code}"


def rule_of_error(error: str) -> str:
    """The rule that a custom error of the contract is about."""
    return _CALL_ERRORS.get(error, "call.refused")


def sentence_of_reason(reason: int) -> str:
    """A reason in words: what had to hold."""
    return RULES.get(rule_of_reason(reason), f"reason {reason}")
