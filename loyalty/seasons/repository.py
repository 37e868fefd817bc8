"""SQL of stations' days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from loyalty.awards.models import BookedAward, BookedTakeBack
from loyalty.sales.models import RecordedReturn, RecordedSale
from loyalty.seasons.models import StationDay, StationDayCount

_NAME = "sales"
_AT_ONCE = 500


class StationDayRepository:
    """Stations' days in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def counted_until(self) -> datetime | None:
        """What came before this moment is counted."""
        found = self._session.get(StationDayCount, _NAME)
        return None if found is None else found.counted_until

    def set_counted_until(self, moment: datetime) -> None:
        """Notes how far days are counted."""
        self._session.merge(StationDayCount(name=_NAME, counted_until=moment))
        self._session.flush()

    def touched_since(
        self, since: datetime | None, after: tuple[str, date] | None, limit: int
    ) -> Sequence[tuple[str, date]]:
        """Stations and business days of which something came since a moment: some, in order."""
        sale, back = RecordedSale, RecordedReturn
        sold = select(sale.station_id.label("station"), sale.business_day.label("day"))
        returned = select(sale.station_id, sale.business_day).join(back, back.sale_id == sale.id)
        if since is not None:
            sold = sold.where(sale.received_at >= since)
            returned = returned.where(back.received_at >= since)
        both = union(sold, returned).subquery()
        query = select(both.c.station, both.c.day).order_by(both.c.station, both.c.day)
        if after is not None:
            station, day = after
            query = query.where((both.c.station > station) | ((both.c.station == station) & (both.c.day > day)))
        return [(station, day) for station, day in self._session.execute(query.limit(limit))]

    def sales_of(self, station: str, day: date, after: str) -> Sequence[RecordedSale]:
        """Some sales of a station's business day that were not wrong, those with the next ids."""
        row = RecordedSale
        query = select(row).where(row.station_id == station, row.business_day == day, row.replaced_by.is_(None))
        return self._session.scalars(query.where(row.id > after).order_by(row.id).limit(_AT_ONCE)).all()

    def points_of(self, station: str, day: date) -> int:
        """What the sales of a station's business day have earned, less what returns took back."""
        sale = RecordedSale
        of_day = (sale.station_id == station, sale.business_day == day)
        given = select(func.coalesce(func.sum(BookedAward.points), 0)).join(sale, sale.id == BookedAward.sale_id)
        taken = (
            select(func.coalesce(func.sum(BookedTakeBack.points), 0))
            .join(BookedAward, BookedAward.id == BookedTakeBack.award_id)
            .join(sale, sale.id == BookedAward.sale_id)
        )
        return int(self._session.scalar(given.where(*of_day)) or 0) - int(
            self._session.scalar(taken.where(*of_day)) or 0
        )

    def keep(self, day: StationDay) -> None:
        """Keeps a day as it is counted now."""
        self._session.merge(day)
        self._session.flush()

    def days(self, station: str, first: date, last: date) -> Sequence[StationDay]:
        """A station's days that are counted, both included."""
        row = StationDay
        query = select(row).where(row.station_id == station, row.business_day >= first, row.business_day <= last)
        return self._session.scalars(query.order_by(row.business_day)).all()
