"""Who is told what: an event is seen by one merchant, the operator and the auditors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from clearing.kit.events.models import Event
from clearing.kit.events.repository import EventRepository
from clearing.kit.viewer import Viewer


class EventService:
    """Reads events in one session."""

    def __init__(self, session: Session) -> None:
        self._events = EventRepository(session)

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


def tell_merchants(
    session: Session,
    type: str,  # noqa: A002
    subject: str,
    actor: str,
    merchants: set[int],
    data: dict[str, Any],
) -> None:
    """Writes the same event once for each of the merchants that it concerns."""
    events = EventRepository(session)
    for merchant in sorted(merchants):
        events.add(type, subject, actor, merchant, data)
