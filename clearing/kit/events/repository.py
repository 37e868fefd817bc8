"""SQL of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.events.models import Event
from clearing.kit.ids import new_id
from clearing.kit.paging import newest_first, where_given


class EventRepository:
    """Events in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        type: str,  # noqa: A002
        subject: str,
        actor: str,
        merchant_number: int | None,
        data: dict[str, Any],
    ) -> Event:
        """Writes an event in the transaction of what it tells."""
        event = Event(
            id=new_id("evt"),
            type=type,
            subject=subject,
            actor=actor,
            merchant_number=merchant_number,
            data=data,
        )
        self._session.add(event)
        return event

    def list(
        self,
        *,
        merchant_number: int | None = None,
        type: str | None = None,  # noqa: A002
        subject: str | None = None,
        after: str | None = None,
        limit: int,
    ) -> Sequence[Event]:
        """Events newest first, one merchant's or everybody's; `after` is the id of the last one of the page before."""
        query = where_given(
            select(Event), (Event.merchant_number, merchant_number), (Event.type, type), (Event.subject, subject)
        )
        last_seq = None if after is None else select(Event.seq).where(Event.id == after).scalar_subquery()
        return self._session.scalars(newest_first(query, Event.seq, last_seq, limit)).all()
