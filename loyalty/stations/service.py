"""Rules of stations: a code is kept for ever, the rest may change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import lock
from loyalty.kit.errors import Unknown
from loyalty.stations.models import Station
from loyalty.stations.repository import StationRepository


class StationService:
    """Stations in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stations = StationRepository(session)
        self._log = AuditLog(session)

    def keep(self, code: str, *, name: str, region: str, time_zone: str, actor: str) -> Station:
        """Adds a station, or changes it: afterwards it is as it is said here."""
        lock(self._session, f"station:{code}")
        wanted = {"name": name, "region": region, "time_zone": time_zone}
        station = self._stations.get(code)
        if station is None:
            station = Station(id=code, **wanted)
            self._stations.add(station)
            self._log.note(actor, "station.added", code, after=wanted)
            return station
        before = {field: getattr(station, field) for field in wanted}
        if before != wanted:
            for field, value in wanted.items():
                setattr(station, field, value)
            self._log.note(actor, "station.changed", code, before=before, after=wanted)
        return station

    def get(self, code: str, pointer: str = "") -> Station:
        """The station with this code. Raises Unknown."""
        station = self._stations.get(code)
        if station is None:
            raise self.unknown(code, pointer)
        return station

    @staticmethod
    def unknown(code: str, pointer: str) -> Unknown:
        """What is raised where there is no such station."""
        return Unknown("unknown_station", f"there is no station {code}: add it first", pointer=pointer)

    def named(self, codes: Collection[str]) -> Mapping[str, Station]:
        """The stations with these codes, those that there are."""
        return {one.id: one for one in self._stations.named(codes)} if codes else {}

    def find(self, code: str) -> Station | None:
        """The station with this code, or None."""
        return self._stations.get(code)

    def page(self, *, cursor: str | None, limit: int) -> tuple[Sequence[Station], str | None]:
        """Stations, the last code first."""
        return self._stations.page(cursor, limit)
