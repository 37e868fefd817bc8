"""The registry of kinds. A new kind is one file in this package and one line in `KindResources`.

From that line follow the attribute of both clients, what an order may hold, and what a hold may be captured as.
"""

from __future__ import annotations

from tongdui._instruction import CaptureTerms, InstructionRequest
from tongdui._models import Hold
from tongdui._resource import ResourceAttribute

from . import exchange, issue, redeem, reverse, spend, transfer


class KindResources:
    """One resource of both clients for each kind."""

    issuances = ResourceAttribute(issue.Issuances, issue.AsyncIssuances)
    redemptions = ResourceAttribute(redeem.Redemptions, redeem.AsyncRedemptions)
    exchanges = ResourceAttribute(exchange.Exchanges, exchange.AsyncExchanges)
    spends = ResourceAttribute(spend.Spends, spend.AsyncSpends)
    transfers = ResourceAttribute(transfer.Transfers, transfer.AsyncTransfers)
    reversals = ResourceAttribute(reverse.Reversals, reverse.AsyncReversals)


KINDS: tuple[type[InstructionRequest], ...] = tuple(
    attribute.blocking.request for attribute in vars(KindResources).values() if isinstance(attribute, ResourceAttribute)
)
"""The kinds of instruction that a caller can build."""


def instruction_of_capture(hold: Hold, terms: CaptureTerms) -> InstructionRequest:
    """Build the instruction that captures a hold.

    Args:
        hold: The hold, with its member.
        terms: What the caller says of the movement.

    Returns:
        An instruction of the first kind that the terms fit.

    Raises:
        ValueError: They fit none.
    """
    for kind in KINDS:
        if (instruction := kind.from_hold(hold, terms)) is not None:
            return instruction
    raise ValueError(f"{hold.id} cannot be captured on these terms: {terms}")
