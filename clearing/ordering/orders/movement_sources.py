"""Where a list of movements comes from. Every movement has a program, and one of two merchants has an agreement: so a list is the
union of some programs' movements of some kinds and of some agreements', and each of these is a place of an index."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from clearing.ordering.orders.models import OPEN_STATES, Direction, OrderState
from clearing.parties.agreements.models import AgreementKind
from tongdui.orders import Kind

_OUT = frozenset({Kind.REDEEM, Kind.EXCHANGE, Kind.SPEND, Kind.TRANSFER, Kind.EXPIRE})
"""Kinds whose points the owner of their program gives. Of reversals it may give or receive them."""
_IN = frozenset({Kind.ISSUE, Kind.TRANSFER})
"""Kinds whose points it receives."""
_WITHIN = frozenset({Kind.TRANSFER})
"""Kinds that have one merchant on both sides, without an agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementFilter:
    """Which movements; None means any."""

    merchant: int | None = None
    """Those that it has signed, gives or receives. Whoever signs also gives or receives."""
    kind: Kind | None = None
    direction: Direction | None = None
    """Of the merchant's points. Only with `merchant`."""
    counterparty: int | None = None
    """The merchant on the other side; without `merchant`, on either side."""
    member_id: str | None = None
    program: int | None = None
    """That points leave or enter."""
    state: OrderState | None = None
    reference: str | None = None
    """The signer's document number. With `merchant`, only of movements that it has signed."""
    original_id: str | None = None
    """The movement that they undo."""
    created_from: datetime | None = None
    created_before: datetime | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether few movements can be among them, which an index of their own finds."""
        named = (self.member_id, self.reference, self.original_id)
        return any(named) or self.state in OPEN_STATES

    @property
    def is_everything(self) -> bool:
        """Whether all movements are among them, but for their state and time."""
        return (self.merchant, self.kind, self.counterparty, self.program) == (None, None, None, None)

    @property
    def kinds(self) -> Collection[Kind]:
        """The kinds that they may have."""
        return tuple(Kind) if self.kind is None else (self.kind,)

    @property
    def sides(self) -> tuple[int, ...]:
        """The merchants that must be on their sides. One twice: on both."""
        return tuple(number for number in (self.merchant, self.counterparty) if number is not None)


class Sides(NamedTuple):
    """The sides of an agreement, by its number."""

    number: int
    kind: int
    source_merchant: int
    target_merchant: int
    source_program: int
    target_program: int

    @property
    def kinds(self) -> Collection[Kind]:
        """The kinds of movements under it."""
        return (Kind.EXCHANGE if self.kind == AgreementKind.EXCHANGE else Kind.SPEND), Kind.REVERSE


@dataclass(slots=True)
class MovementSources:
    """Where the movements of a list come from. No movement has two of these sources."""

    programs: list[tuple[int, int]] = field(default_factory=list)
    """(program, kind)."""
    agreements: list[tuple[int, int]] = field(default_factory=list)
    """(agreement, kind)."""
    givers: list[tuple[int, int]] = field(default_factory=list)
    """(merchant, program): reversals by which the merchant gives."""
    receivers: list[tuple[int, int]] = field(default_factory=list)
    """(merchant, program): reversals by which it receives."""


def sources_of(wanted: MovementFilter, owners: Mapping[int, int], agreements: Iterable[Sides]) -> MovementSources:
    """The sources of a list, given the owners of all programs and the agreements of at least the merchants on its sides."""
    found = MovementSources()
    own = _programs(wanted, owners)
    kinds = _kinds_of_owner(wanted)
    found.programs = [(program, int(kind)) for program in own for kind in wanted.kinds if kind in kinds]
    covered = set(found.programs)
    if Kind.REVERSE in wanted.kinds and Kind.REVERSE not in kinds and own:
        reversals = [(wanted.sides[0], program) for program in own]
        if wanted.direction is Direction.IN:
            found.receivers = reversals
        else:
            found.givers = reversals
        covered |= {(program, int(Kind.REVERSE)) for program in own}
    found.agreements = [
        (agreement.number, int(kind))
        for agreement in agreements
        if _is_about(agreement, wanted)
        for kind in _kinds_under(agreement, wanted)
        if (agreement.source_program, int(kind)) not in covered
    ]
    return found


def _programs(wanted: MovementFilter, owners: Mapping[int, int]) -> list[int]:
    """The programs of which all movements have the list's sides, or all of some kinds."""
    if len(set(wanted.sides)) > 1:
        return []  # two merchants: always under an agreement
    candidates = owners if wanted.program is None else (wanted.program,)
    return [program for program in candidates if not wanted.sides or owners.get(program) == wanted.sides[0]]


def _kinds_of_owner(wanted: MovementFilter) -> frozenset[Kind]:
    if len(wanted.sides) > 1:
        return _WITHIN
    match wanted.direction:
        case None:
            return frozenset(Kind)
        case Direction.OUT:
            return _OUT
        case Direction.IN:
            return _IN


def _is_about(agreement: Sides, wanted: MovementFilter) -> bool:
    merchants = (agreement.source_merchant, agreement.target_merchant)
    if wanted.program not in (None, agreement.source_program, agreement.target_program):
        return False
    if len(wanted.sides) > 1:
        return sorted(merchants) == sorted(wanted.sides)
    return not wanted.sides or wanted.sides[0] in merchants


def _kinds_under(agreement: Sides, wanted: MovementFilter) -> Iterator[Kind]:
    """The kinds of movements under an agreement that have the list's direction: a reversal goes the other way."""
    for kind in agreement.kinds:
        there, back = agreement.source_merchant, agreement.target_merchant
        giver, receiver = (back, there) if kind is Kind.REVERSE else (there, back)
        side = {None: wanted.merchant, Direction.OUT: giver, Direction.IN: receiver}[wanted.direction]
        if kind in wanted.kinds and side == wanted.merchant:
            yield kind
