"""Rules of activity: whose totals a viewer may see, and what they say of positions, partners and points in circulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import InvalidRequest, NotFound
from clearing.kit.identity import NetworkIdentity
from clearing.kit.viewer import Viewer
from clearing.ledger.activity.circulation import Circulation
from clearing.ledger.activity.models import EVERYONE, DailyTotal, Flow, Place
from clearing.ledger.activity.repository import ActivityRepository
from clearing.ledger.activity.totals import Sums
from clearing.ledger.journal.effects import OPERATOR_MERCHANT
from clearing.ledger.settlement.service import SettlementService
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import require_merchant
from clearing.parties.programs.models import Program
from clearing.parties.programs.service import require_program

LONGEST_DAYS = 92
"""Of partners and positions: so many days are added up for an answer."""
_NOTHING = Sums(0)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a merchant and a partner paid each other, in micros."""

    received: int = 0
    paid: int = 0
    fees: int = 0
    """What the merchant paid to the operator for it."""

    @property
    def net(self) -> int:
        """What the merchant has got more than it has given; below zero, the other way round."""
        return self.received - self.paid


@dataclass(frozen=True, slots=True)
class Partner:
    """Who owes whom."""

    merchant: Merchant
    since: Settled
    today: Settled


@dataclass(frozen=True, slots=True)
class PositionDay:
    """A merchant's position at the end of a day; of today, now."""

    day: int
    position: int
    change: int
    """What the day did to it."""


class ActivityService:
    """Activity in one session. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._activity = ActivityRepository(session)

    @property
    def today(self) -> int:
        """The network's day."""
        return self._network.day_at(clock_of(self._session).unix())

    def list(
        self,
        viewer: Viewer,
        *,
        merchant: str | None,
        counterparty: str | None,
        program: str | None,
        first_day: int,
        last_day: int,
        after: Place | None,
        limit: int,
    ) -> Sequence[DailyTotal]:
        """A merchant's daily totals, the last day first: with one counterparty, or with everyone together."""
        number = self._merchant(viewer, merchant)
        other = require_merchant(self._session, counterparty).number if counterparty is not None else EVERYONE
        wanted = require_program(self._session, program).number if program is not None else None
        return self._activity.page(
            number, other, first_day=first_day, last_day=last_day, program=wanted, after=after, limit=limit
        )

    def partners(
        self, viewer: Viewer, *, merchant: str | None, since: int, after: int | None, limit: int
    ) -> Sequence[Partner]:
        """Those with whom a merchant has or had an agreement, by number, with what they paid each other since a day and today."""
        self._require_recent("since", since)
        number = self._merchant(viewer, merchant)
        shown = [other for other in agreements_in(self._session).partners_of(number) if after is None or other > after]
        shown = shown[:limit]
        all_days = self._settled(number, shown, since)
        today = self._settled(number, shown, self.today)
        directory = merchants_in(self._session)
        found = [(directory.by_number(other), other) for other in shown]
        return [
            Partner(merchant, all_days.get(other, Settled()), today.get(other, Settled()))
            for merchant, other in found
            if merchant is not None
        ]

    def positions(self, viewer: Viewer, merchant: str, days: int) -> Sequence[PositionDay]:
        """A merchant's position at the end of each of the last days, oldest first; the last one is the position now."""
        now = SettlementService(self._session).position(viewer, merchant)
        today = self.today
        found, position = [], now.position
        changes = self._changes(now.merchant_number, today - days + 1)
        for day in range(today, today - days, -1):
            found.append(PositionDay(day, position, changes[day]))
            position -= changes[day]
        return found[::-1]

    def circulation(self, program: str) -> tuple[Program, Circulation]:
        """A program's points since it exists, and those in circulation now. The chain shows them to anyone."""
        found = require_program(self._session, program)
        return found, Circulation.of(self._activity.ever(found.merchant_number, found.number))

    def _settled(self, merchant: int, others: Sequence[int], since: int) -> dict[int, Settled]:
        sums = self._activity.of_partners(merchant, others, since, self.today + 1)

        def of(other: int, flow: Flow, *, back: bool) -> Sums:
            return sums.get((other, flow, back), _NOTHING)

        return {
            other: Settled(
                received=of(other, Flow.IN, back=False).total + of(other, Flow.IN, back=True).total,
                paid=of(other, Flow.OUT, back=False).micros + of(other, Flow.OUT, back=True).total,
                fees=of(other, Flow.OUT, back=False).fees,
            )
            for other in others
        }

    def _changes(self, merchant: int, first_day: int) -> Counter[int]:
        """What each day did to a position. The chain's day may have begun before ours: what it did since counts for today."""
        changes: Counter[int] = Counter()
        for day, change in self._activity.changes(merchant, first_day).items():
            changes[min(day, self.today)] += change
        return changes

    def _merchant(self, viewer: Viewer, merchant: str | None) -> int:
        """Whose activity is asked for: the viewer's own; of the network's own roles the operator's, or anybody's."""
        if merchant is None:
            return OPERATOR_MERCHANT if viewer.merchant_number is None else viewer.merchant_number
        named = require_merchant(self._session, merchant)
        if not viewer.sees(named.number):
            raise NotFound(f"there is no merchant {merchant}", code="unknown_merchant")
        return named.number

    def _require_recent(self, name: str, day: int) -> None:
        if day <= self.today - LONGEST_DAYS:
            raise InvalidRequest.of_parameter(name, f"must be within the last {LONGEST_DAYS} days")
