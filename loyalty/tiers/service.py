"""Moves customers between tiers. Whoever calls holds the customers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from sqlalchemy.orm import Session

from loyalty.activity.measures import Measures
from loyalty.activity.service import ActivityService
from loyalty.customers.models import Customer
from loyalty.customers.service import CustomerService
from loyalty.kit.database import clock_of
from loyalty.kit.ids import new_id
from loyalty.messages.service import MessageService
from loyalty.plans.service import PlanService
from loyalty.tiers.models import KeptTierScheme, TierMove
from loyalty.tiers.repository import TierMoveRepository
from loyalty.tiers.schemes import Level, TierScheme, counted, read_tier_scheme, write_tier_scheme
from loyalty.tiers.standing import MoveCause, Standing, stand

_PIECE = 500
"""Customers that are looked at together."""
_SHOWN = 20
"""Customers that a preview names of each move."""


class TierSchemeService(PlanService[KeptTierScheme, TierScheme]):
    """Tier schemes in one transaction."""

    ROW = KeptTierScheme
    PREFIX = "trs"
    KIND = "tier_scheme"
    FIELD = "/scheme"
    read = staticmethod(read_tier_scheme)
    write = staticmethod(write_tier_scheme)


@dataclass(frozen=True, slots=True)
class Reached:
    """The highest rank that a customer's windows reach, and what was counted there."""

    rank: int
    measures: Measures


@dataclass(frozen=True, slots=True)
class Way:
    """Where a customer stands, and what is missing for the next level.

    Attributes:
        scheme: The scheme that is in force.
        level: The customer's level.
        grace_until: The last day of the grace, if the customer no longer reaches the level.
        measures: What counts, in the whole units of what levels need.
        next: The next level, or None on the highest.
        missing: What is missing for it, by name.
        until: The last day on which it can be reached in this window; None where the window moves on with each day.
    """

    scheme: TierScheme
    level: Level
    grace_until: date | None
    measures: Mapping[str, int]
    next: Level | None
    missing: Mapping[str, int]
    until: date | None


@dataclass(frozen=True, slots=True)
class Crowd:
    """Customers who would go from one tier to another one."""

    from_tier: str
    to_tier: str
    count: int
    some: Sequence[str]


@dataclass(frozen=True, slots=True)
class Mover:
    """A customer whom a scheme would move, or leave.

    Attributes:
        customer: The id.
        move: The tier of now, and the one of then.
        measures: What counts in the best window, in the whole units of what levels need.
    """

    customer: str
    move: tuple[str, str]
    measures: Mapping[str, int]


class TierService:
    """Customers' tiers in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._activity = ActivityService(session)
        self._schemes = TierSchemeService(session)
        self._customers = CustomerService(session)
        self._moves = TierMoveRepository(session)
        self._messages = MessageService(session)

    # ---------------------------------------------------------------- moving

    def review(self, customer: Customer, *, before_return: Reached | None = None) -> None:
        """Has a customer stand where they belong now. `before_return` is what they reached before a return was booked."""
        kept = self._in_force()
        if kept is not None and customer.erased_at is None:
            self.place(kept, customer, self._reached([customer.id], kept)[customer.id], before_return)
            self._moves.flush()

    def reached(self, customer: Customer) -> Reached | None:
        """What a customer reaches now; None where no scheme is in force."""
        kept = self._in_force()
        return None if kept is None else self._reached([customer.id], kept)[customer.id]

    def review_after(self, customer: str | None, limit: int = _PIECE) -> str | None:
        """Reviews some customers, those with the next ids. Returns the last one's, or None when all have been reviewed."""
        found = self._customers.some(customer, limit)
        kept = self._in_force()
        if not found or kept is None:
            return None
        reached = self._reached([one.id for one in found], kept)
        for one in found:
            self.place(kept, one, reached[one.id], None)
        self._moves.flush()
        return found[-1].id

    def place(self, kept: KeptTierScheme, customer: Customer, reached: Reached, before_return: Reached | None) -> None:
        """Has a customer stand where a scheme has them, and be told. Whoever calls has the session write it."""
        scheme = scheme_of(kept)
        cause: MoveCause | None
        if customer.tier in [level.id for level in scheme.levels]:
            standing, cause = stand(
                Standing(scheme.rank_of(customer.tier), customer.tier_grace_until),
                reached.rank,
                scheme.day_of(clock_of(self._session).now()),
                scheme.grace_days,
                reached_before_return=None if before_return is None else before_return.rank,
            )
        else:
            standing = Standing(reached.rank)
            cause = MoveCause.SCHEME if customer.tier else MoveCause.REACHED if reached.rank else None
        level = scheme.levels[standing.rank]
        if cause is not None:
            move = TierMove(
                id=new_id("tmv"),
                customer_id=customer.id,
                scheme=kept.id,
                from_tier=customer.tier,
                to_tier=level.id,
                cause=cause,
                measures=counted(reached.measures),
            )
            self._moves.add(move)
            self._notify_of_move(move, level)
        if standing.grace_until is not None and customer.tier_grace_until is None:
            matter = f"tier_ending:{level.id}:{standing.grace_until}"
            values = {"tier": _in_words(level), "until": standing.grace_until.isoformat()}
            self._messages.notify(customer.id, "tier_ending", matter, values, good_until=standing.grace_until)
        placed = level.id, level.coefficient, standing.grace_until
        if placed != (customer.tier, customer.tier_coefficient, customer.tier_grace_until):
            customer.tier, customer.tier_coefficient, customer.tier_grace_until = placed

    def _notify_of_move(self, move: TierMove, level: Level) -> None:
        """Tells a customer who has reached a level. What waits to be told of another one is no longer true."""
        self._messages.drop_all(move.customer_id, "tier_reached")
        self._messages.drop_all(move.customer_id, "tier_ending")
        if move.cause is MoveCause.REACHED:
            self._messages.notify(move.customer_id, "tier_reached", f"tier:{move.id}", {"tier": _in_words(level)})

    # ---------------------------------------------------------------- looking

    def way(self, customer: Customer) -> Way | None:
        """Where a customer stands and what the next level needs; None where no scheme is in force."""
        kept = self._in_force()
        if kept is None:
            return None
        scheme = scheme_of(kept)
        rank = scheme.rank_of(customer.tier)
        today = scheme.day_of(clock_of(self._session).now())
        (first, last), *_ = scheme.window.windows(today)
        measures = self._activity.between([customer.id], first, last).get(customer.id, Measures())
        following = scheme.levels[rank + 1] if rank + 1 < len(scheme.levels) else None
        return Way(
            scheme=scheme,
            level=scheme.levels[rank],
            grace_until=customer.tier_grace_until,
            measures=counted(measures),
            next=following,
            missing={} if following is None else scheme.missing(following, measures),
            until=scheme.window.until(today),
        )

    def moves(self, customer: str, cursor: str | None, limit: int) -> tuple[Sequence[TierMove], str | None]:
        """A customer's moves, the last one first."""
        return self._moves.page(customer, cursor, limit)

    def preview(self, scheme: str) -> Sequence[Crowd]:
        """Who would have which tier under a scheme today, once every grace is over. Nothing is changed."""
        crowds: dict[tuple[str, str], tuple[int, list[str]]] = {}
        for mover in self._movers(scheme):
            count, shown = crowds.setdefault(mover.move, (0, []))
            crowds[mover.move] = count + 1, shown
            if len(shown) < _SHOWN:
                shown.append(mover.customer)
        return [Crowd(*move, *found) for move, found in sorted(crowds.items())]

    def crowd(
        self, scheme: str, move: tuple[str, str], *, cursor: str | None, limit: int
    ) -> tuple[Sequence[Mover], str | None]:
        """Some of the customers who would go from one tier to another one, by id, and the cursor of the next ones."""
        moving = (mover for mover in self._movers(scheme, cursor or "") if mover.move == move)
        found = [*islice(moving, limit + 1)]
        return found[:limit], found[limit - 1].customer if len(found) > limit else None

    def _movers(self, scheme: str, after: str = "") -> Iterator[Mover]:
        """All customers, those with the next ids, with the tier that they would have under a scheme today."""
        kept = self._schemes.get(scheme)
        levels = scheme_of(kept).levels
        while some := self._customers.tiers_after(after, _PIECE):
            reached = self._reached([customer for customer, _ in some], kept)
            for customer, tier in some:
                found = reached[customer]
                yield Mover(customer, (tier, levels[found.rank].id), counted(found.measures))
            after = some[-1][0]

    def _in_force(self) -> KeptTierScheme | None:
        return self._schemes.in_force_at(clock_of(self._session).now())

    def _reached(self, customers: Sequence[str], kept: KeptTierScheme) -> Mapping[str, Reached]:
        """What customers reach in their best window."""
        windows = _windows(scheme_of(kept), clock_of(self._session).now())
        sums = [self._activity.between(customers, *window) for window in windows]
        return {one: _best(scheme_of(kept), [some.get(one) for some in sums]) for one in customers}


class TierGroup:
    """The tiers of a group's customers: what counts for them is read at once, and counted on."""

    def __init__(self, session: Session, customers: Collection[str]) -> None:
        now = clock_of(session).now()
        self._tiers = TierService(session)
        self._kept = TierSchemeService(session).in_force_at(now)
        if self._kept is None:
            return
        scheme = scheme_of(self._kept)
        self._windows = _windows(scheme, now)
        self._sums = [dict(ActivityService(session).between([*customers], *window)) for window in self._windows]

    def count(self, customer: str, day: date, change: Measures) -> None:
        """Adds what a sale brings."""
        if self._kept is not None:
            for (first, last), sums in zip(self._windows, self._sums, strict=True):
                if first <= day <= last:
                    sums[customer] = sums.get(customer, Measures()).plus(change)

    def review(self, customer: Customer) -> None:
        """Has a customer stand where they belong now."""
        if self._kept is None or customer.erased_at is not None:
            return
        reached = _best(scheme_of(self._kept), [sums.get(customer.id) for sums in self._sums])
        self._tiers.place(self._kept, customer, reached, None)


def _windows(scheme: TierScheme, now: datetime) -> Sequence[tuple[date, date]]:
    """The windows that count at a moment, the earliest first."""
    return [*reversed(scheme.window.windows(scheme.day_of(now)))]


def _best(scheme: TierScheme, measures: Iterable[Measures | None]) -> Reached:
    """What a customer reaches in the best window. Of those that reach as much, the last one counts."""
    best = Reached(0, Measures())
    for one in measures:
        if one is not None and (rank := scheme.reached(one)) >= best.rank:
            best = Reached(rank, one)
    return best


def scheme_of(kept: KeptTierScheme) -> TierScheme:
    """The scheme, ready to be used."""
    return TierSchemeService.plan_of(kept)


def _in_words(level: Level) -> dict[str, str]:
    return {"en": level.name.en, "zh": level.name.zh}
