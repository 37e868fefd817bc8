"""Who may do what on the console's pages. The gateway decides in the end; here it is decided what is offered."""

from __future__ import annotations

from console.registry import NETWORK, OPERATOR, TREASURY, merchant
from console.visit import NotYours, Visit

OPERATE = OPERATOR
"""Runs the network: merchants, credit limits, pauses, orders."""
BOOK = TREASURY
"""Books what has moved at the settlement bank."""
SEE_ALL_MONEY = NETWORK
NUMBER_MEMBERS = merchant("admin", "manager", "cashier")
"""Registers members, gives them numbers and codes, and merges them."""
KEEP_MEMBERS = OPERATOR | NUMBER_MEMBERS
"""Freezes and erases members."""
MOVE_POINTS = merchant("admin", "manager")
"""Issues and transfers by hand."""
AGREE = merchant("admin", "manager")
"""Proposes, signs and ends agreements."""
CHANGE_WEBHOOKS = merchant("admin")
MAKE_KEYS = OPERATOR | TREASURY | merchant("admin")
DECIDE = OPERATOR | TREASURY
"""Approves or declines what somebody else has asked for."""


def may(visit: Visit, seats: frozenset[str]) -> bool:
    """Whether the person sits on one of these seats."""
    return visit.seat.kind in seats


def require(visit: Visit, seats: frozenset[str]) -> None:
    """Lets only people on these seats on. Raises NotYours."""
    if not may(visit, seats):
        raise NotYours
