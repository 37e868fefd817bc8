"""What became of a sheet's sales and returns. Good outcomes are counted, so that a year takes no memory; the others are listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tongdui._models import Movement

from ._returns import Return
from ._sheet import Sale

Source: TypeAlias = Sale | Return
"""What points were given for, or taken back for."""


@dataclass(slots=True)
class Tally:
    """Good outcomes: how many, and how many points they are. `len()` gives the first number."""

    count: int = 0
    points: int = 0

    def add(self, points: int) -> None:
        """Count one more."""
        self.count += 1
        self.points += points

    def __len__(self) -> int:
        return self.count

    def document(self) -> dict[str, int]:
        """The two numbers, for JSON."""
        return {"count": self.count, "points": self.points}


@dataclass(frozen=True, slots=True)
class Pending:
    """Points that were not final when the time was up: a sale's, or those that were to be taken back. The next run goes on."""

    source: Source
    movement: Movement

    def document(self) -> dict[str, Any]:
        """What to print as JSON."""
        return {**_named(self.source), "movement": self.movement.id, "points": self.movement.points}


@dataclass(frozen=True, slots=True)
class Changed:
    """A sale or a return that is not any more what its points were given or taken back for; `difference` says it in words."""

    source: Source
    movement: Movement
    difference: str

    def document(self) -> dict[str, Any]:
        """What to print as JSON."""
        return {**_named(self.source), "movement": self.movement.id, "difference": self.difference}


@dataclass(frozen=True, slots=True)
class Refused:
    """A sale or a return without effect. Run the import again when the cause is fixed.

    `code` is the gateway's code for the problem, or the chain's reason.
    """

    source: Source
    code: str
    detail: str

    def document(self) -> dict[str, Any]:
        """What to print as JSON."""
        return {**_named(self.source), "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Points of an issuance that a return, or a sale that is worth less now, takes back.

    `movement` is the reversal that did it. Without one, the points are due or owed.
    """

    source: Source
    original: Movement
    points: int
    movement: Movement | None = None

    def document(self) -> dict[str, Any]:
        """What to print as JSON."""
        reversal = self.movement.id if self.movement is not None else None
        return {
            **_named(self.source),
            "original": self.original.id,
            "original_reference": self.original.reference,
            "points": self.points,
            "movement": reversal,
        }


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Rows of a return whose points nobody can take back by itself; `reason` says why."""

    source: Return
    lines: tuple[int, ...]
    reason: str

    def document(self) -> dict[str, Any]:
        """What to print as JSON."""
        return {**_named(self.source), "lines": list(self.lines), "reason": self.reason}


@dataclass(slots=True)
class TillResult:
    """What became of the sales and returns of a sheet."""

    issued: Tally = field(default_factory=Tally)
    """Sales whose points this run issued."""
    already: Tally = field(default_factory=Tally)
    """Sales whose points an earlier run issued, and that are still the same."""
    reversed: list[TakenBack] = field(default_factory=list)
    """Points that this run took back."""
    reversed_before: Tally = field(default_factory=Tally)
    """Returns, and sales worth less now, whose points an earlier run took back."""
    due: list[TakenBack] = field(default_factory=list)
    """Points that a run with `reverse=True` would take back for returns."""
    owed: list[TakenBack] = field(default_factory=list)
    """Points that must come back, but that the member does not have any more. A later run takes them as they come."""
    unmatched: list[Unmatched] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    """The ids of the orders that this run submitted."""

    @property
    def points(self) -> int:
        """The points that this run issued."""
        return self.issued.points

    @property
    def needs_attention(self) -> bool:
        """Whether anything is pending, changed, refused, unmatched, due, or owed by a member."""
        return any((self.pending, self.changed, self.refused, self.unmatched, self.due, self.owed))

    def document(self) -> dict[str, Any]:
        """Everything as a dict that JSON can write."""
        return {
            "needs_attention": self.needs_attention,
            "issued": self.issued.document(),
            "already": self.already.document(),
            "reversed_before": self.reversed_before.document(),
            **{
                name: [one.document() for one in getattr(self, name)]
                for name in ("reversed", "due", "owed", "unmatched", "changed", "refused", "pending")
            },
            "orders": list(self.orders),
        }


def _named(source: Source) -> dict[str, Any]:
    """What tells a reader which sale or return it is."""
    kind = "return" if isinstance(source, Return) else "sale"
    return {kind: source.number, "till": source.till, "day": source.day.isoformat(), "customer": source.customer}
