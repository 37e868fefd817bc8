"""How many points of a program are in circulation, and why: the totals of its merchant in it, in the contract's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clearing.ledger.activity.models import Flow
from clearing.ledger.activity.totals import Sums, TotalKey
from tongdui.orders import Kind

_NAMES = {
    (Kind.ISSUE, Flow.IN): "issued",
    (Kind.REDEEM, Flow.OUT): "redeemed",
    (Kind.EXCHANGE, Flow.OUT): "exchanged_out",
    (Kind.EXCHANGE, Flow.IN): "exchanged_in",
    (Kind.SPEND, Flow.OUT): "spent",
    (Kind.EXPIRE, Flow.OUT): "expired",
    (Kind.REVERSE, Flow.IN): "restored",
    (Kind.REVERSE, Flow.OUT): "revoked",
}
"""By kind and flow. A spend that comes in is the acceptor's, and moves points of another merchant's program."""
_GAINS = ("issued", "exchanged_in", "restored")


def contract_total(key: TotalKey) -> str | None:
    """Which of the contract's totals of a program a total of its merchant counts for; None where points only changed hands."""
    if key.reversed_kind == Kind.TRANSFER:
        return None
    return _NAMES.get((Kind(key.kind), Flow(key.flow))) if key.kind else None


@dataclass(frozen=True, slots=True)
class Circulation:
    """Points of a program since it exists, and those in circulation now."""

    issued: int = 0
    exchanged_in: int = 0
    restored: int = 0
    """What reversals gave back to members."""
    redeemed: int = 0
    exchanged_out: int = 0
    spent: int = 0
    expired: int = 0
    revoked: int = 0
    """What reversals took back from members."""

    @classmethod
    def of(cls, totals: Mapping[TotalKey, Sums]) -> Circulation:
        """The circulation that the totals of a program's merchant in it say."""
        found: dict[str, int] = {}
        for key, sums in totals.items():
            name = contract_total(key)
            if name is not None:
                found[name] = found.get(name, 0) + sums.points
        return cls(**found)

    @property
    def in_circulation(self) -> int:
        """Points that members have now."""
        gains = self.issued + self.exchanged_in + self.restored
        return gains - self.redeemed - self.exchanged_out - self.spent - self.expired - self.revoked
