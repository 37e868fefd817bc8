"""Builds the days of all merchants from entries and bank movements, one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from clearing.ledger.journal.effects import OPERATOR_MERCHANT
from clearing.ledger.journal.models import ChainEvent
from clearing.parties.agreements.models import Route
from tongdui import receipts
from tongdui.orders import Kind

LineKey = tuple[str, str | None, int, int]
"""(kind, kind of what it reverses, program, agreement)"""


@dataclass(slots=True)
class Line:
    """What entries of one kind did for one merchant on one day. `out` is in points of the agreement's target program."""

    kind: str
    of: str | None
    """For a reversal: the kind of what it reversed."""
    program: int
    agreement: int
    count: int = 0
    points: int = 0
    out: int = 0
    received: int = 0
    """Micros."""
    paid: int = 0
    fees_paid: int = 0
    fees_received: int = 0

    @property
    def net(self) -> int:
        """What it did to the position."""
        return self.received - self.paid - self.fees_paid + self.fees_received


@dataclass(slots=True)
class MerchantDay:
    """One merchant's day."""

    lines: dict[LineKey, Line] = field(default_factory=dict)
    deposited: int = 0
    withdrawn: int = 0

    def line(self, key: LineKey) -> Line:
        """The line with this key."""
        if key not in self.lines:
            self.lines[key] = Line(*key)
        return self.lines[key]

    @property
    def net(self) -> int:
        """What the day did to the position."""
        return sum(line.net for line in self.lines.values()) + self.deposited - self.withdrawn

    def as_json(self) -> list[dict[str, Any]]:
        """The lines, in the order of their keys."""
        return [asdict(self.lines[key]) for key in sorted(self.lines, key=lambda key: (key[0], key[1] or "", key[2:]))]


class StatementBuilder:
    """Collects the days of all merchants."""

    def __init__(self, routes: Mapping[int, Route], owners: Mapping[int, int]) -> None:
        """`routes`: agreement -> its sides; `owners`: program -> merchant."""
        self._routes = routes
        self._owners = owners
        self.days: dict[int, MerchantDay] = defaultdict(MerchantDay)
        """By merchant."""

    def add_entry(self, entry: receipts.Entry, originals: Mapping[bytes, receipts.Entry]) -> None:
        """Adds an entry to the day of every merchant that has a part in it."""
        kind = Kind(entry.kind)
        original = originals[entry.link] if kind is Kind.REVERSE else None
        reversed_kind = Kind(original.kind).label if original is not None else None
        key = (kind.label, reversed_kind, entry.program, entry.agreement)
        route = self._routes[entry.agreement] if entry.agreement else None
        for merchant in self._parties(entry, route):
            line = self.days[merchant].line(key)
            line.count += 1
            line.points += entry.points
            line.out += entry.out
        if route is not None:
            self._settle(key, entry, route, backwards=original is not None)

    def add_bank_event(self, event: ChainEvent) -> None:
        """Adds a deposit or withdrawal to the day of its merchant."""
        day = self.days[event.arguments["merchant"]]
        if event.name == "Deposited":
            day.deposited += event.arguments["micros"]
        else:
            day.withdrawn += event.arguments["micros"]

    def _parties(self, entry: receipts.Entry, route: Route | None) -> set[int]:
        parties = {route.source_merchant, route.target_merchant} if route else {self._owners[entry.program]}
        return parties | {OPERATOR_MERCHANT} if entry.fee and entry.kind != Kind.REVERSE else parties

    def _settle(self, key: LineKey, entry: receipts.Entry, route: Route, *, backwards: bool) -> None:
        """Books what the two sides pay each other, and the fee.

        The source merchant pays an exchange's or a spend's fee to the operator. A reversal's fee is what the giver, which had
        initiated the original, pays back for it to the source merchant.
        """
        payer, payee = route.source_merchant, route.target_merchant
        earner = OPERATOR_MERCHANT
        if backwards:
            payer, payee = payee, payer
            earner = payee
        self.days[payer].line(key).paid += entry.settled
        self.days[payee].line(key).received += entry.settled
        self.days[payer].line(key).fees_paid += entry.fee
        if entry.fee:
            self.days[earner].line(key).fees_received += entry.fee


def recomputed(lines: Sequence[Mapping[str, int]], opening: int, deposited: int, withdrawn: int) -> int:
    """The closing position to which a statement's own lines lead: what its reader checks."""
    net = sum(line["received"] - line["paid"] - line["fees_paid"] + line["fees_received"] for line in lines)
    return opening + net + deposited - withdrawn
