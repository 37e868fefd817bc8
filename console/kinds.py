"""What the kinds and states of movements are called: the one place for it."""

from __future__ import annotations

from pages.translations import lazy

KINDS = {
    "issue": lazy("Issue"),
    "redeem": lazy("Redeem"),
    "exchange": lazy("Exchange"),
    "spend": lazy("Spend"),
    "transfer": lazy("Transfer"),
    "reverse": lazy("Reverse"),
    "expire": lazy("Expire"),
}
"""By kind, as entries, statements and filters have it."""
_KIND_OF_OBJECT = {"issuance": "issue", "redemption": "redeem", "reversal": "reverse", "expiration": "expire"}
"""Where a movement's `object` is another word than its kind."""
STATES = {
    "accepted": lazy("Accepted"),
    "submitted": lazy("On its way"),
    "settled": lazy("Settled"),
    "rejected": lazy("Rejected"),
    "expired": lazy("Too late"),
    "cancelled": lazy("Cancelled"),
}
STATE_TONES = {
    "accepted": "info",
    "submitted": "info",
    "settled": "good",
    "rejected": "bad",
    "expired": "bad",
    "cancelled": "warn",
}
DIRECTIONS = {"in": lazy("Points come in"), "out": lazy("Points go out")}


def kind_name(kind: str) -> str:
    """The name of a kind, or of a movement's `object`; what is not known is shown as it is."""
    return str(KINDS.get(_KIND_OF_OBJECT.get(kind, kind), kind))


def state_name(state: str) -> str:
    """The name of a movement's or an order's state."""
    return str(STATES.get(state, state))


def state_tone(state: str) -> str:
    """Its tone: good, warn, bad, info."""
    return STATE_TONES.get(state, "")
