"""SQL that reads events. `EventRecorder` writes them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Select, delete, select, text
from sqlalchemy.orm import Session

from clearing.kit.events.models import Event
from clearing.kit.in_list import in_list
from clearing.kit.paging import newest_first, where_given

_FREQUENT = ".received"
_IS_RARE = text("events.type NOT LIKE '%.received'")
"""Word for word the condition of the partial index: the database does not conclude it from the type."""


class EventRepository:
    """Events in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self,
        *,
        merchant_number: int | None = None,
        type: str | None = None,  # noqa: A002
        subject: str | None = None,
        after: str | None = None,
        limit: int,
    ) -> Sequence[Event]:
        """Events, newest first: one merchant's, or everybody's. `after` is the id of the previous page's last event."""
        query = where_given(
            select(Event), (Event.merchant_number, merchant_number), (Event.type, type), (Event.subject, subject)
        )
        if type is not None and not type.endswith(_FREQUENT):
            query = query.where(_IS_RARE)
        last_seq = None if after is None else select(Event.seq).where(Event.id == after).scalar_subquery()
        return self._session.scalars(newest_first(query, Event.seq, last_seq, limit)).all()

    def oldest(self, after: int, before: datetime, limit: int) -> Sequence[tuple[int, str]]:
        """The numbers and types of at most `limit` events after a number that were recorded before this moment, oldest first."""
        query = (
            select(Event.seq, Event.type, Event.created_at).where(Event.seq > after).order_by(Event.seq).limit(limit)
        )
        rows = takewhile(lambda row: row.created_at < before, self._session.execute(query))
        return [(row.seq, row.type) for row in rows]

    def remove(self, numbers: Collection[int]) -> None:
        """Deletes the events with these numbers."""
        self._session.execute(delete(Event).where(in_list(self._session, Event.seq, numbers)))

    def by_id(self, id: str) -> Event | None:  # noqa: A002
        """The event with this id."""
        return self._session.scalar(select(Event).where(Event.id == id))

    def by_ids(self, merchant_number: int, ids: Collection[str]) -> Sequence[Event]:
        """The merchant's events with these ids, oldest first."""
        return self._session.scalars(_of(merchant_number).where(Event.id.in_(ids))).all()

    def since(self, merchant_number: int, moment: datetime, limit: int) -> Sequence[Event]:
        """At most `limit` of the merchant's events from this moment on, oldest first."""
        return self._session.scalars(_of(merchant_number).where(Event.created_at >= moment).limit(limit)).all()


def _of(merchant_number: int) -> Select[Event]:
    return select(Event).where(Event.merchant_number == merchant_number).order_by(Event.seq)
