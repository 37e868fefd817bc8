"""SQL of stations' days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from loyalty.awards.models import BookedAward, BookedTakeBack
from loyalty.sales.models import RecordedReturn, RecordedSale
from loyalty.seasons.models import StationDay, StationDayCount

_IDS = {"sales": RecordedSale.id, "returns": RecordedReturn.id}
_AT_ONCE = 500


class StationDayRepository:
    """Stations' days in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def counted(self) -> Mapping[str, str]:
        """The last sale and the last return that were there when the last count began."""
        return {row.name: row.last for row in self._session.scalars(select(StationDayCount))}

    def newest(self) -> Mapping[str, str]:
        """The last sale and the last return that are there."""
        found = {name: self._session.scalar(select(func.max(ids))) for name, ids in _IDS.items()}
        return {name: last for name, last in found.items() if last is not None}

    def set_counted(self, last: Mapping[str, str]) -> None:
        """Notes how far days are counted."""
        for name, row in last.items():
            self._session.merge(StationDayCount(name=name, last=row))
        self._session.flush()

    def touched_since(
        self, since: Mapping[str, str], after: tuple[str, date] | None, limit: int
    ) -> Sequence[tuple[str, date]]:
        """Stations and business days of which something came with an id after these: some, in order."""
        sale, back = RecordedSale, RecordedReturn
        sold = select(sale.station_id.label("station"), sale.business_day.label("day"))
        returned = select(sale.station_id, sale.business_day).join(back, back.sale_id == sale.id)
        sold = sold.where(sale.id > since.get("sales", ""))
        returned = returned.where(back.id > since.get("returns", ""))
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
