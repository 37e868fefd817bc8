"""Calls that another contract made, such as a timelock: read off their events, because nobody sees their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...orders import NO_NONCE, ZERO_ADDRESS, AgreementTerms
from ..model.records import Role
from ..watching import Event

Made = tuple[str, str, tuple[Any, ...], int]
"""Method, caller, arguments, and how many events it has."""

_SAME = {
    "RoleChanged": "setRole",
    "MerchantStatusChanged": "setMerchantStatus",
    "ProgramRegistered": "registerProgram",
    "ProgramPauseChanged": "setProgramPaused",
    "CreditLimitChanged": "setCreditLimit",
    "Deposited": "deposit",
    "Withdrawn": "withdraw",
    "ImportBegun": "beginImport",
}
"""Events that have the arguments of their call, in the same order."""

_FIRST = {"IssuanceCapChanged": ("setIssuanceCap", 2), "Opened": ("open", 0)}
"""Events that begin with the arguments of their call, and how many those are."""

ROLES = {
    "registerMerchant": Role.OPERATOR,
    "setMerchantStatus": Role.OPERATOR,
    "registerProgram": Role.OPERATOR,
    "registerAgreement": Role.OPERATOR,
    "setCreditLimit": Role.OPERATOR,
    "revokeSigner": Role.OPERATOR,
    "setIssuanceCap": Role.OPERATOR,
    "setProgramPaused": Role.PAUSER,
    "deposit": Role.TREASURY,
    "withdraw": Role.TREASURY,
}
"""Whose calls these are. Those of the pause say themselves who made them."""
OF_THE_OWNER = frozenset({"setRole", "recoverSigner", "beginImport", "open"})


def reconstructed(events: Sequence[Event], caller: str) -> Made | None:
    """The call that the first events came from.

    Args:
        events: What is left of a transaction's events.
        caller: The contract that made the call.

    Returns:
        The call, or None where the events do not say it: what a merchant signed is not in all of them.
    """
    name, values = events[0]
    if name in _SAME:
        return _SAME[name], caller, values, 1
    if name in _FIRST:
        method, count = _FIRST[name]
        return method, caller, values[:count], 1
    match name, values:
        case ("Paused", (account,)) | ("Unpaused", (account,)):
            return "pause" if name == "Paused" else "unpause", account, (), 1
        case "OwnershipTransferStarted", (owner, new):
            return "transferOwnership", owner, (new,), 1
        case "OwnershipTransferred", (owner, new):
            return ("acceptOwnership", new, (), 1) if new != ZERO_ADDRESS else ("freeze", owner, (), 2)
        case "MerchantRegistered", (merchant, limit, text) if len(events) > 1 and events[1][0] == "SignerChanged":
            return "registerMerchant", caller, (merchant, text, events[1][1][1], limit), 2
        case "SignerChanged", (merchant, key, _, end, nonce) if nonce == NO_NONCE:
            if end == 2**40 - 1:
                return "recoverSigner", caller, (merchant, key), 1
            return "revokeSigner", caller, (key, end), 1
        case "AgreementRegistered", (number, _, terms, source, target):
            agreed = AgreementTerms(*terms)
            return "registerAgreement", caller, (number, agreed, source, target), 2 if agreed.supersedes else 1
    return None
