"""The groups of the API's description."""

from __future__ import annotations

from collections.abc import Mapping

from clearing.ordering.orders.kinds import KINDS

TAGS: Mapping[str, str] = {
    "network": "The network itself: what signatures are bound to, and whether everything works.",
    "merchants": "Legal entities in the network. Everyone may read the directory; the operator changes it.",
    "programs": "Points currencies, each issued by one merchant.",
    "members": "Customers. A merchant knows a member by its own number, and sees balances in programs that it deals with.",
    "merges": "Two members of one person become one. It cannot be undone.",
    "agreements": "Terms between two merchants, signed by both and registered on the chain.",
    "quotes": "What an exchange would give and cost, locked for a short time.",
    "movements": "All movements of points, of every kind and of both sides.",
    **{kind.collection: kind.summary for kind in KINDS},
    "holds": "Points set aside until they are captured or released, or lapse.",
    "orders": "Many instructions under one signature, and the nonces to sign with.",
    "settlement": "What merchants owe each other, and money at the settlement bank.",
    "activity": "What a merchant did, day by day, and with whom: totals that grow with every block.",
    "statements": "A merchant's position, day by day.",
    "entries": "What the chain posted, with receipts that anyone can verify.",
    "batches": "What the sequencer sent at once, with the roots that prove its entries.",
    "events": "What happened, to what, and who did it.",
    "webhooks": "Where a merchant is told of its events; below, what it is told.",
    "sessions": "People who sign in: their sessions, seats, passwords and second factors.",
    "staff": "The people of a merchant, or of the network itself, and invitations.",
    "api keys": "Keys to this gateway, with a role and scopes.",
    "approvals": "What needs two persons: one asks, and another one approves or declines.",
    "operations": "The network at work, for whoever operates it.",
}
"""What each group is about."""
