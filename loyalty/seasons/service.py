"""Counts stations' days and suggests when a seasonal fund helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from loyalty.earning.bounds import EVEN
from loyalty.kit.database import clock_of
from loyalty.kit.errors import Contradiction
from loyalty.kit.ids import earlier
from loyalty.sales.kept import return_of, sale_of
from loyalty.sales.net import what_is_left
from loyalty.sales.repository import SaleRepository
from loyalty.sales.types import Return
from loyalty.seasons.models import StationDay
from loyalty.seasons.quiet_weeks import Day, QuietPeriod, TooLittleKnown, YearsWeek, year_of
from loyalty.seasons.repository import StationDayRepository
from loyalty.stations.service import StationService

_OVERLAP_SECONDS = 3_600
"""Longer than any transaction takes: what has an earlier id may have been committed after the last count began."""
_YEARS = timedelta(days=3 * 366)
_PIECE = 50


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A period for a seasonal fund, and what it would have cost.

    Attributes:
        period: When the station sells little.
        fund_points: What sales in such weeks earn more by the coefficient.
    """

    period: QuietPeriod
    fund_points: int


@dataclass(frozen=True, slots=True)
class SuggestedYear:
    """A station's coming year, week by week, and when a seasonal fund helps."""

    weeks: Sequence[YearsWeek]
    suggestions: Sequence[Suggestion]


class SeasonService:
    """Stations' days in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._days = StationDayRepository(session)
        self._sales = SaleRepository(session)

    # ---------------------------------------------------------------- counting

    def since(self) -> Mapping[str, str]:
        """The ids after which sales and returns have to be counted."""
        return {name: earlier(last, _OVERLAP_SECONDS) for name, last in self._days.counted().items()}

    def newest(self) -> Mapping[str, str]:
        """The last sale and the last return that are there."""
        return self._days.newest()

    def count_after(self, since: Mapping[str, str], after: tuple[str, date] | None) -> tuple[str, date] | None:
        """Counts some days of which something came. Returns the last one, or None when all are counted. Again is harmless."""
        touched = self._days.touched_since(since, after, _PIECE)
        for station, day in touched:
            self._count(station, day)
        return touched[-1] if touched else None

    def finish(self, last: Mapping[str, str]) -> None:
        """Notes that everything up to this sale and this return is counted."""
        self._days.set_counted(last)

    def _count(self, station: str, day: date) -> None:
        sales = spend = 0
        last = ""
        while some := self._days.sales_of(station, day, last):
            last = some[-1].id
            returns: dict[str, list[Return]] = {}
            for returned in self._sales.returns_for([row.id for row in some]):
                assert returned.sale_id is not None, "a booked return has its sale"
                returns.setdefault(returned.sale_id, []).append(return_of(returned.content))
            for row in some:
                left = what_is_left(sale_of(row.content), returns.get(row.id, ()))
                if left is not None:
                    sales += 1
                    spend += sum(line.amount_micros for line in left.lines)
        points = self._days.points_of(station, day)
        self._days.keep(
            StationDay(station_id=station, business_day=day, sales=sales, spend_micros=spend, points=points)
        )

    # ---------------------------------------------------------------- suggesting

    def suggest(self, station_id: str, coefficient: int) -> Sequence[Suggestion]:
        """When in the coming year the station sells least. Raises as `year` does."""
        return self.year(station_id, coefficient).suggestions

    def year(self, station_id: str, coefficient: int) -> SuggestedYear:
        """The station's coming year, by what it sold in the last three. `coefficient` is in basis points.

        Raises Unknown, and Contradiction if too little is known.
        """
        station = StationService(self._session).get(station_id)
        today = clock_of(self._session).now().astimezone(ZoneInfo(station.time_zone)).date()
        counted = self._days.days(station_id, today - _YEARS, today - timedelta(days=1))
        days = [Day(one.business_day, one.spend_micros, one.points) for one in counted]
        try:
            found = year_of(days, today)
        except TooLittleKnown as error:
            detail = f"{error}: days are counted each night (`loyalty count-station-days`); import earlier till files"
            raise Contradiction("too_little_known", detail) from None
        more = Fraction(coefficient - EVEN, EVEN)
        suggestions = [Suggestion(period, int(period.points * more)) for period in found.periods]
        return SuggestedYear(found.weeks, suggestions)
