"""Watches how points of each month are used, and says what of them is owed at the end of a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import NamedTuple, Protocol

from ...orders import Kind
from ..findings import CannotCheck, Finding
from ..leaves import LeafKind, LotWord
from ..tables import Tables
from ..watching import EntrySeen, EventSeen, Watcher
from .deferral import NOTHING, RollForward, Standing, deferred_share
from .estimate import History, Month, expected_redemptions
from .settings import ProgramTerms

Portion = tuple[int, int]


class LotsSeen(Protocol):
    """What the rules on lots know of the last entry, which they must be shown first."""

    used: Sequence[Portion]
    """Lots and points that it took from its giver or, as a reversal, returned."""
    revoked: Sequence[Portion]
    """Lots and points that it took back from a receiver."""

    def made_in(self, lot: int) -> int:
        """The batch of the entry that made a lot."""
        ...


class Flow(NamedTuple):
    """What happened on a day to the points that a program made in a month. Reversals are taken off."""

    issued: int = 0
    exchanged_in: int = 0
    consideration: int = 0
    """Micros that came in for points exchanged in."""
    made: int = 0
    """Issued and exchanged in, without what reversals took off."""
    used: int = 0
    """Redeemed, spent and exchanged out."""
    expired: int = 0
    revoked: int = 0
    """Taken back by reversals, from lots of this month: where the original's points are gone, others go in their place."""

    def plus(self, other: Flow) -> Flow:
        """Both together."""
        return Flow(*(one + more for one, more in zip(self, other, strict=True)))

    @property
    def open(self) -> int:
        """Points that are neither used nor expired nor taken back."""
        return self.made - self.used - self.expired - self.revoked


_NONE = Flow()


@dataclass(frozen=True, slots=True)
class Cohort:
    """Points that a program made in a month, at the end of a day."""

    month: Month
    flow: Flow
    standing: Standing


@dataclass(frozen=True, slots=True)
class ProgramLiability:
    """A program from the end of one day to the end of another."""

    program: int
    has_value: bool
    """Whether somebody said what a point is worth; otherwise all money is zero and means nothing."""
    opening_points: int
    closing_points: int
    roll_forward: RollForward
    cohorts: tuple[Cohort, ...]
    """At the end."""

    @property
    def expected_points(self) -> Fraction:
        """Of the closing points, those that are expected to be redeemed."""
        return sum(
            (one.standing.expected_in_the_end - one.standing.redeemed for one in self.cohorts if one.standing.open > 0),
            Fraction(0),
        )


class Cohorts(Watcher):
    """Points by program and month. Feed it all entries of the chain, each after the rules on lots."""

    def __init__(self, tables: Tables, lots: LotsSeen) -> None:
        self._lots = lots
        self._flows = tables.table("liability.flows", default=_NONE, load=lambda stored: Flow(*stored))
        """(program, month in which points were made, day) -> what happened to them."""
        self._months = tables.table("liability.months")
        """Batch -> its month."""

    def on_entry(self, seen: EntrySeen) -> Sequence[Finding]:
        """Adds an entry up."""
        entry, day = seen.entry, seen.block.day
        if entry.batch not in self._months:
            self._months[entry.batch] = month_of(day)
        kind = Kind(entry.kind)
        if kind is Kind.REVERSE:
            assert seen.original is not None
            made = self._months.get(seen.original.batch, month_of(day))  # of a batch that is missing, nobody knows
            self._undo(seen, Kind(seen.original.kind), made)
            return ()
        month = self._months[entry.batch]
        if kind is Kind.ISSUE:
            self._add(entry.program, month, day, Flow(issued=entry.points, made=entry.points))
        if kind is Kind.EXCHANGE:
            assert seen.terms is not None
            made = Flow(exchanged_in=entry.out, consideration=entry.settled, made=entry.out)
            self._add(seen.terms.target_program, month, day, made)
        self._use(seen, kind, 1)
        return ()

    def on_event(self, seen: EventSeen) -> Sequence[Finding]:
        """Takes over the lots of a predecessor: each counts as made in its month, as if it had been sold then."""
        if seen.name == "LeafImported" and seen.values[1] == LeafKind.LOT:
            _, _, key, packed = seen.values
            lot = LotWord.of(packed)
            month = month_of(lot.made_on)
            self._months[lot.batch] = month
            self._add(key >> 160, month, seen.block.day, Flow(issued=lot.points, made=lot.points))
        return ()

    def _undo(self, seen: EntrySeen, kind: Kind, month: Month) -> None:
        """What was made in the original's month was never made; what was used comes back to the lots that it came from."""
        entry, day, program = seen.entry, seen.block.day, seen.entry.program
        if kind is Kind.ISSUE:
            self._add(program, month, day, Flow(issued=-entry.points))
        if kind is Kind.EXCHANGE:
            assert seen.terms is not None
            program = seen.terms.target_program
            self._add(program, month, day, Flow(exchanged_in=-entry.out, consideration=-entry.settled))
        if kind in (Kind.ISSUE, Kind.EXCHANGE):
            for lot, points in self._lots.revoked:
                self._add(program, self._month_of_lot(lot), day, Flow(revoked=points))
        if kind is not Kind.ISSUE:
            self._use(seen, kind, -1)

    def _use(self, seen: EntrySeen, kind: Kind, sign: int) -> None:
        """Points that left lots of their months, or came back. Those of a transfer stay in their lots."""
        if kind is Kind.TRANSFER:
            return
        for lot, points in self._lots.used:
            if (
                self._lots.made_in(lot) not in self._months
            ):  # back from a predecessor's entry, nobody knows from which month
                self._months[self._lots.made_in(lot)] = month_of(seen.block.day)
                self._add(seen.entry.program, self._month_of_lot(lot), seen.block.day, Flow(issued=points, made=points))
                continue
            flow = Flow(expired=sign * points) if kind is Kind.EXPIRE else Flow(used=sign * points)
            self._add(seen.entry.program, self._month_of_lot(lot), seen.block.day, flow)

    def _month_of_lot(self, lot: int) -> Month:
        return self._months[self._lots.made_in(lot)]  # type: ignore[no-any-return]

    def _add(self, program: int, month: Month, day: int, flow: Flow) -> None:
        self._flows[program, month, day] = self._flows[program, month, day].plus(flow)

    # ---------------------------------------------------------------- what is owed

    def between(self, opening: int, closing: int, terms: Mapping[int, ProgramTerms]) -> Iterator[ProgramLiability]:
        """Work out each program's liability, in order.

        Args:
            opening: The day at whose end the roll-forward begins.
            closing: The day at whose end it ends.
            terms: What issuers say of their programs, by the program's number.
        """
        by_program: defaultdict[int, list[tuple[Month, int, Flow]]] = defaultdict(list)
        for (program, month, day), flow in self._flows.stored():
            by_program[program].append((month, day, flow))
        for program, flows in sorted(by_program.items()):
            yield _liability(program, flows, opening, closing, terms.get(program))


def terms_by_number(settings: Mapping[str, ProgramTerms], codes: Mapping[int, str]) -> dict[int, ProgramTerms]:
    """What issuers say of their programs, by the program's number.

    Args:
        settings: The same by code.
        codes: The code of each program on the chain.

    Raises:
        CannotCheck: There is no program of a code.
    """
    for code in settings:
        if code not in codes.values():
            known = ", ".join(sorted(codes.values())) or "none"
            raise CannotCheck(
                f"the liability's settings name the program {code!r}, which is not on the chain; there are: {known}"
            )
    return {number: settings[code] for number, code in codes.items() if code in settings}


def month_of(day: int) -> Month:
    """The month of a day that is counted from 1970-01-01."""
    known = datetime.fromtimestamp(day * 86_400, UTC)
    return 12 * known.year + known.month - 1


def month_text(month: Month) -> str:
    """A month as `2026-11`."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def _liability(
    program: int, flows: Iterable[tuple[Month, int, Flow]], opening: int, closing: int, terms: ProgramTerms | None
) -> ProgramLiability:
    flows = list(flows)
    first, last = (_Books(flows, day, terms) for day in (opening, closing))
    before, after = first.standings(), last.standings()
    parts = (RollForward.between(before.get(month, NOTHING), standing) for month, standing in after.items())
    return ProgramLiability(
        program,
        terms is not None,
        sum(one.open for one in before.values()),
        sum(one.open for one in after.values()),
        RollForward.together(parts),
        tuple(Cohort(month, last.flows[month], standing) for month, standing in sorted(after.items())),
    )


class _Books:
    """A program's cohorts as they are known at the end of a day."""

    def __init__(self, flows: Iterable[tuple[Month, int, Flow]], day: int, terms: ProgramTerms | None) -> None:
        self.flows: dict[Month, Flow] = {}
        self._day = day
        self._terms = terms
        self._history = History()
        for month, when, flow in flows:
            if when <= day:
                self.flows[month] = self.flows.get(month, _NONE).plus(flow)
                self._history.made[month, month_of(when)] += flow.issued + flow.exchanged_in
                self._history.redeemed[month, month_of(when)] += flow.used

    def standings(self) -> dict[Month, Standing]:
        """Each cohort."""
        expected = self._expected(self._day, month_of(self._day + 1))
        return {
            month: Standing(self._deferred(month, flow), flow.used, flow.open, expected[month])
            for month, flow in self.flows.items()
        }

    def _expected(self, day: int, end: Month) -> dict[Month, Fraction]:
        """Redemptions expected in the end, by the estimate of a day; `end` is the first month that is no history on that day."""
        made = {month: flow.issued + flow.exchanged_in for month, flow in self.flows.items()}
        share = self._terms.expectation(day) if self._terms is not None else None
        if share is not None:
            return {month: share * points for month, points in made.items()}
        return expected_redemptions(self._history, end, made)

    def _deferred(self, month: Month, flow: Flow) -> Fraction:
        """What was deferred in the first place: of sales by the estimate of the month's first day, of exchanges what came in."""
        if self._terms is None:
            return Fraction(0)
        day = (date(month // 12, month % 12 + 1, 1) - date(1970, 1, 1)).days
        share = self._terms.expectation(day)
        if share is None:
            share = expected_redemptions(self._history, month, {month: 1})[month]
        value = self._terms.point_value * share
        sales = self._terms.sales_per_point
        a_point = value if sales is None else deferred_share(Fraction(sales), Fraction(sales), value)
        return flow.issued * a_point + flow.consideration
