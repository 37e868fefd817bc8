"""Daily totals of entries: first sums by kind, because a block has few kinds and many entries; then as each merchant sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from clearing.ledger.activity.models import BANK, EVER, EVERYONE, NO_PROGRAM, Flow
from clearing.ledger.journal.effects import OPERATOR_MERCHANT
from clearing.parties.agreements.models import Route
from tongdui.orders import Kind
from tongdui.receipts import Entry

_GAINS = frozenset({(Kind.ISSUE, 0), (Kind.REVERSE, Kind.REDEEM), (Kind.REVERSE, Kind.EXPIRE)})
"""Kinds without an agreement, with what they reverse, by which points come into being."""


class TotalKey(NamedTuple):
    """The primary key of a total."""

    merchant: int
    counterparty: int
    day: int
    program: int
    kind: int
    reversed_kind: int
    flow: int


class Sums(NamedTuple):
    """What a total counts and adds up."""

    entries: int
    points: int = 0
    micros: int = 0
    fees: int = 0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))

    def negated(self) -> Sums:
        """The same with the other sign."""
        return Sums(*(-value for value in self))

    @property
    def total(self) -> int:
        """Micros with the fees."""
        return self.micros + self.fees

    def net(self, flow: int) -> int:
        """What they do to the merchant's position."""
        return self.total if flow == Flow.IN else -self.total


Totals = dict[TotalKey, Sums]


class _Group(NamedTuple):
    """Entries that differ in their numbers only."""

    kind: int
    reversed_kind: int
    program: int
    agreement: int


@dataclass(slots=True)
class _GroupSums:
    entries: int = 0
    points: int = 0
    out: int = 0
    settled: int = 0
    fee: int = 0
    with_fee: int = 0


class _Side(NamedTuple):
    """What a group did for one merchant."""

    merchant: int
    counterparty: int
    program: int
    flow: Flow
    sums: Sums


def totals_of(
    entries: Iterable[Entry],
    day: int,
    *,
    routes: Mapping[int, Route],
    owners: Mapping[int, int],
    originals: Mapping[bytes, Entry],
) -> Totals:
    """The totals of a block's entries. `routes`: agreement -> its sides; `owners`: program -> merchant; `originals`: what reversals
    undo, by leaf."""
    totals: Totals = {}
    for group, sums in _grouped(entries, originals).items():
        sides = (
            _sides_under(routes[group.agreement], group, sums) if group.agreement else _own_side(owners, group, sums)
        )
        for side in sides:
            _add(totals, side, day, group.kind, group.reversed_kind)
    return totals


def bank_total(merchant: int, day: int, *, deposited: bool, micros: int) -> Totals:
    """The totals of one deposit or withdrawal."""
    flow = Flow.IN if deposited else Flow.OUT
    totals: Totals = {}
    _add(totals, _Side(merchant, EVERYONE, NO_PROGRAM, flow, Sums(1, micros=micros)), day, BANK, 0)
    return totals


def negated(totals: Totals) -> Totals:
    """The totals that take these back."""
    return {key: sums.negated() for key, sums in totals.items()}


def _grouped(entries: Iterable[Entry], originals: Mapping[bytes, Entry]) -> dict[_Group, _GroupSums]:
    groups: dict[tuple[int, int, int, int], _GroupSums] = {}
    for entry in entries:
        undone = originals[entry.link].kind if entry.kind == Kind.REVERSE else 0
        key = (entry.kind, undone, entry.program, entry.agreement)
        sums = groups.get(key)
        if sums is None:
            sums = groups[key] = _GroupSums()
        sums.entries += 1
        sums.points += entry.points
        sums.out += entry.out
        sums.settled += entry.settled
        if entry.fee:
            sums.fee += entry.fee
            sums.with_fee += 1
    return {_Group(*key): sums for key, sums in groups.items()}


def _own_side(owners: Mapping[int, int], group: _Group, sums: _GroupSums) -> Iterator[_Side]:
    """Points of a program that come into being, vanish, or only move from member to member (which counts as out)."""
    flow = Flow.IN if (group.kind, group.reversed_kind) in _GAINS else Flow.OUT
    yield _Side(owners[group.program], EVERYONE, group.program, flow, Sums(sums.entries, sums.points))


def _sides_under(route: Route, group: _Group, sums: _GroupSums) -> Iterator[_Side]:
    """Both merchants' sides of conversions, or of their reversals, and the operator's fees.

    A conversion's fee is the operator's. A reversal's fee is what the giver pays back for it to the source merchant.
    """
    is_back = bool(group.reversed_kind)
    points, micros = Sums(sums.entries, sums.points, sums.settled, sums.fee), sums.settled
    source_flow, target_flow = (Flow.IN, Flow.OUT) if is_back else (Flow.OUT, Flow.IN)
    yield _Side(route.source_merchant, route.target_merchant, group.program, source_flow, points)
    program, gained = (route.target_program, sums.out) if route.target_program else (group.program, sums.points)
    received = Sums(sums.entries, gained, micros, sums.fee if is_back else 0)
    yield _Side(route.target_merchant, route.source_merchant, program, target_flow, received)
    if sums.fee and not is_back:
        # Where the operator is the acceptor itself, the fee belongs to the movement that is counted already.
        is_counted = route.target_merchant == OPERATOR_MERCHANT and program == group.program
        fees = Sums(0 if is_counted else sums.with_fee, fees=sums.fee)
        yield _Side(OPERATOR_MERCHANT, route.source_merchant, group.program, Flow.IN, fees)


def _add(totals: Totals, side: _Side, day: int, kind: int, reversed_kind: int) -> None:
    """Adds a side to the totals with its counterparty, with everyone, and of all days."""
    places = [(EVERYONE, day), (EVERYONE, EVER)]
    if side.counterparty != EVERYONE:
        places.append((side.counterparty, day))
    for counterparty, when in places:
        key = TotalKey(side.merchant, counterparty, when, side.program, kind, reversed_kind, side.flow)
        totals[key] = totals[key].plus(side.sums) if key in totals else side.sums
