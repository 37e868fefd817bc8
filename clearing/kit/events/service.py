"""Reading events: a merchant sees its own, the network's own roles see all."""

from __future__ import annotations

from collections.abc import Sequence

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
