"""SQL of what devices posted, and of fills."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from loyalty.fills.models import DeviceEvent, EventKind, Fill, FillState
from loyalty.kit.paging import page_of

_SIGHTINGS = [kind for kind in EventKind if kind.is_sighting]


class FillRepository:
    """Events and fills in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: DeviceEvent | Fill) -> None:
        """Adds an event or a fill."""
        self._session.add(row)
        self._session.flush()

    def event(self, device: str, number: str) -> DeviceEvent | None:
        """The event with this number of the device."""
        query = select(DeviceEvent).where(DeviceEvent.device_id == device, DeviceEvent.number == number)
        return self._session.scalars(query).one_or_none()

    def fill(self, device: str, number: str) -> Fill | None:
        """The fill with this number of the device, as it is now."""
        query = select(Fill).where(Fill.device_id == device, Fill.number == number)
        return self._session.scalars(query.execution_options(populate_existing=True)).one_or_none()

    def get(self, fill: str) -> Fill | None:
        """The fill with this id, as it is now."""
        return self._session.get(Fill, fill, populate_existing=True)

    def between(self, station: str, point: str, first: datetime, last: datetime) -> Sequence[Fill]:
        """The fills of a point that ran at some time between these moments, in the order in which they began."""
        query = select(Fill).where(
            Fill.station_id == station, Fill.point == point, Fill.ends_at >= first, Fill.started_at <= last
        )
        query = query.order_by(Fill.started_at, Fill.number).execution_options(populate_existing=True)
        return self._session.scalars(query).all()

    def sightings(self, station: str, point: str, first: datetime, last: datetime) -> Sequence[DeviceEvent]:
        """The plates and cards of a point between these moments."""
        row = DeviceEvent
        query = select(row).where(
            row.station_id == station, row.point == point, row.at >= first, row.at <= last, row.kind.in_(_SIGHTINGS)
        )
        return self._session.scalars(query).all()

    def overdue(self, moment: datetime, limit: int) -> Sequence[str]:
        """Ids of running fills that are to be closed, the oldest first."""
        query = select(Fill.id).where(Fill.state == FillState.RUNNING, Fill.ends_at < moment)
        return self._session.scalars(query.order_by(Fill.ends_at).limit(limit)).all()

    def remove_progress_before(self, moment: datetime, limit: int) -> int:
        """Forgets what fills gave out on the way, of the oldest so many events, that came before a moment; how many."""
        query = select(DeviceEvent.id, DeviceEvent.received_at).where(DeviceEvent.kind == EventKind.PROGRESS)
        oldest = self._session.execute(query.order_by(DeviceEvent.id).limit(limit)).all()
        over = [event for event, received_at in oldest if received_at < moment]
        if over:
            self._session.execute(delete(DeviceEvent).where(DeviceEvent.id.in_(over)))
        return len(over)

    def page(
        self,
        station: str | None,
        device: str | None,
        state: FillState | None,
        customer: str | None,
        has_problem: bool | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[Sequence[Fill], str | None]:
        """Fills, newest first."""
        wanted = {"station_id": station, "device_id": device, "state": state, "customer_id": customer}
        query = select(Fill).filter_by(**{name: value for name, value in wanted.items() if value is not None})
        if has_problem is not None:
            query = query.where(Fill.problem.is_not(None) if has_problem else Fill.problem.is_(None))
        return page_of(self._session, query, Fill.id, cursor, limit)

    def events(
        self, device: str | None, fill: str | None, kind: EventKind | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[DeviceEvent], str | None]:
        """Events, those that came last first."""
        wanted = {"device_id": device, "fill_id": fill, "kind": kind}
        query = select(DeviceEvent).filter_by(**{name: value for name, value in wanted.items() if value is not None})
        return page_of(self._session, query, DeviceEvent.id, cursor, limit)
