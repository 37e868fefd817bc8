"""SQL of stations."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.stations.models import Station


class StationRepository:
    """Stations in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, station: Station) -> None:
        """Adds a station."""
        self._session.add(station)
        self._session.flush()

    def get(self, station: str) -> Station | None:
        """The station with this code."""
        return self._session.get(Station, station)

    def named(self, codes: Collection[str]) -> Sequence[Station]:
        """The stations with these codes."""
        return self._session.scalars(select(Station).where(Station.id.in_(codes))).all()

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[Station], str | None]:
        """Stations, by code."""
        return page_of(self._session, select(Station), Station.id, cursor, limit)
