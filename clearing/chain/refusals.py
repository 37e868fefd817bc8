"""What the contract's errors mean to whoever has called it with a role's key, and what to do about them."""

from __future__ import annotations

from clearing.chain.contract import ROLES, custom_error
from clearing.chain.errors import ChainError
from clearing.chain.node_errors import explanation_of, revert_data
from clearing.chain.state import MERCHANT_STATUSES

_SENTENCES = {
    "OwnableUnauthorizedAccount": "{account} is not the owner of the contract: `clearing contract show` says who is",
    "EnforcedPause": "the contract is paused; `clearing contract resume` lets it go on",
    "ExpectedPause": "the contract is not paused",
    "UnknownMerchant": "the contract has no merchant {merchant}",
    "UnknownProgram": "the contract has no program {program}",
    "UnknownAgreement": "the contract has no agreement {agreement}",
    "KeyUnknown": "{key} is no merchant's key",
    "KeyTaken": "{key} is a key of merchant {merchant} for ever; take another key",
    "KeyNotProven": "{key} has not signed its own addition",
    "ZeroKey": "address 0 cannot be a key",
    "BadWindow": "the key ends at {validUntil} already, or earlier: a revocation can only shorten its window",
    "BadSignature": "the signature is not by a live key of merchant {merchant}, or the merchant is not a party",
    "NonceAlreadyUsed": "merchant {merchant} has used the nonce {nonce} already",
    "BadCreditLimit": "merchant {merchant} has a debt that is larger than this limit",
    "OwnerNeeded": "the ownership cannot be given up: hand it to somebody else",
    "OwnableInvalidOwner": "{owner} cannot be the owner",
}


def refusal_sentence(error: ChainError) -> str:
    """Why the contract refuses, in words, with its own name for it; the node's words where it is no error of the contract."""
    found = custom_error(revert_data(error))
    if found is None:
        return explanation_of(error)
    match found.name:
        case "MissingRole":
            role, account = ROLES[found.arguments["role"]], found.arguments["account"]
            sentence = (
                f"{account} lacks the role {role}; the owner gives it with `clearing role grant {role} {account}`"
            )
        case "BadStatusChange":
            before, after = (MERCHANT_STATUSES[found.arguments[name]] for name in ("from", "to"))
            sentence = f"merchant {found.arguments['merchant']} is {before} and cannot become {after}"
        case "MerchantInactive":
            sentence = f"merchant {found.arguments['merchant']} is {MERCHANT_STATUSES[found.arguments['status']]}"
        case _:
            sentence = _SENTENCES.get(found.name, explanation_of(error)).format(**found.arguments)
    return f"{sentence} ({found.name})"
