"""Reading events: a merchant sees its own, the network's own roles see all."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing.kit.events.audit import AuditFilter
from clearing.kit.events.models import Event
from clearing.kit.events.reader import EventReader
from clearing.kit.events.repository import EventRepository
from clearing.kit.viewer import Viewer

BEFORE_ALL = "evt_" + "0" * 26
"""In place of an event's id: before the first event."""


class EventService:
    """Reads events in one session."""

    def __init__(self, session: Session) -> None:
        self._events = EventRepository(session)
        self._reader = EventReader(session)

    def list(
        self,
        viewer: Viewer,
        *,
        type: str | None,  # noqa: A002
        subject: str | None,
        after: str | None,
        limit: int,
    ) -> Sequence[Event]:
        """The events that the viewer may see, newest first."""
        return self._events.list(
            merchant_number=viewer.merchant_number, type=type, subject=subject, after=after, limit=limit
        )

    def audit_log(self, wanted: AuditFilter, *, after: str | None, limit: int) -> Sequence[Event]:
        """What somebody did to the network that is not everyday trade, newest first; for those who see everything."""
        return self._events.audit_log(wanted, after=after, limit=limit)

    def number_of(self, viewer: Viewer, event_id: str) -> int | None:
        """The number of the event with this id, if the viewer may see it; 0 for `BEFORE_ALL`."""
        if event_id == BEFORE_ALL:
            return 0
        event = self._events.by_id(event_id)
        return event.seq if event is not None and viewer.sees(event.merchant_number) else None

    def between(self, viewer: Viewer, after: int, last: int, limit: int) -> Sequence[Event]:
        """At most `limit` of the viewer's events after number `after` up to `last`, oldest first."""
        return self._reader.between(after, last, limit, viewer.merchant_number)

    def last_id(self, viewer: Viewer, number: int) -> str:
        """The id of the newest of the viewer's events up to this number; `BEFORE_ALL` where there is none."""
        return self._reader.last_id(number, viewer.merchant_number) or BEFORE_ALL
