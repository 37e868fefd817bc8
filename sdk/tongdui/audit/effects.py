"""What an entry does to programs and to merchants, in the words of the report: one place for all who add entries up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..orders import Kind
from .watching import EntrySeen

OPERATOR = 0
"""The network operator's number as a merchant."""

ISSUED, REDEEMED, SPENT, EXCHANGED_OUT, EXCHANGED_IN, EXPIRED, TRANSFERRED, REVOKED, RESTORED = range(9)
MOVEMENTS = (
    "issued",
    "redeemed",
    "spent",
    "exchanged_out",
    "exchanged_in",
    "expired",
    "transferred",
    "revoked",
    "restored",
)
"""What points of a program may do. Revoked and restored are the two directions of reversals: what a program had made goes again,
and what it had taken comes back."""

_OWN = {Kind.ISSUE: ISSUED, Kind.REDEEM: REDEEMED, Kind.EXPIRE: EXPIRED, Kind.TRANSFER: TRANSFERRED, Kind.SPEND: SPENT}


@dataclass(frozen=True, slots=True)
class Moved:
    """Points of one program that an entry moved."""

    program: int
    movement: int
    """A place in `MOVEMENTS`."""
    points: int
    undone: int | None = None
    """Of a reversal, the place of the movement that it undoes."""


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that an entry moved from one merchant to another, in micros."""

    payer: int
    payee: int
    settled: int
    fee: int


def moved(seen: EntrySeen) -> Iterator[Moved]:
    """What an entry did to the programs that it touched."""
    entry = seen.entry
    if entry.kind == Kind.REVERSE:
        yield from _reversed(seen)
    elif entry.kind == Kind.EXCHANGE:
        assert seen.terms is not None
        yield Moved(entry.program, EXCHANGED_OUT, entry.points)
        yield Moved(seen.terms.target_program, EXCHANGED_IN, entry.out)
    else:
        yield Moved(entry.program, _OWN[Kind(entry.kind)], entry.points)


def _reversed(seen: EntrySeen) -> Iterator[Moved]:
    entry, original = seen.entry, seen.original
    assert original is not None
    match Kind(original.kind):
        case Kind.EXCHANGE:
            assert seen.terms is not None
            yield Moved(entry.program, RESTORED, entry.points, EXCHANGED_OUT)
            yield Moved(seen.terms.target_program, REVOKED, entry.out, EXCHANGED_IN)
        case Kind.ISSUE:
            yield Moved(entry.program, REVOKED, entry.points, ISSUED)
        case Kind.TRANSFER:
            yield Moved(entry.program, TRANSFERRED, entry.points, TRANSFERRED)
        case kind:
            yield Moved(entry.program, RESTORED, entry.points, _OWN[kind])


def paid(seen: EntrySeen) -> Iterator[Paid]:
    """What merchants paid each other for an entry."""
    entry, terms = seen.entry, seen.terms
    if terms is None:
        return
    if entry.kind == Kind.REVERSE:
        yield Paid(terms.target_merchant, terms.source_merchant, entry.settled, entry.fee)
        return
    yield Paid(terms.source_merchant, terms.target_merchant, entry.settled, 0)
    if entry.fee:
        yield Paid(terms.source_merchant, OPERATOR, 0, entry.fee)
