"""SQL that reads events. `EventRecorder` writes them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Boolean, ColumnElement, Select, cast, delete, func, select, text
from sqlalchemy.orm import Session

from clearing.kit.events.audit import AuditFilter
from clearing.kit.events.models import Event
from clearing.kit.in_list import in_list
from clearing.kit.paging import Page, Period, equal_given, newest_between
from clearing.kit.sources import Walk, newest_of

_AUDITED: ColumnElement[bool] = text("events.audited")  # type: ignore[assignment]
"""Word for word the condition of the partial indexes."""


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
        filters = equal_given((Event.merchant_number, merchant_number), (Event.type, type))
        if subject is not None:  # few events: said like this, the database takes no index of the others
            filters = [Event.subject == subject, *(cast(each, Boolean) for each in filters)]
        if after is not None:
            filters.append(Event.seq < select(Event.seq).where(Event.id == after).scalar_subquery())

        def page_of(conditions: Sequence[ColumnElement[bool]], most: int) -> Select[int]:
            return select(Event.seq).where(*filters, *conditions).order_by(Event.seq.desc()).limit(most)

        page: Page | None = page_of([], limit)
        if merchant_number is None and subject is None and type is not None:
            places = [Walk((Event.merchant_number,), [(number,) for number in self._merchants()])]
            nobody = Walk((Event.type,), [(type,)], (Event.merchant_number.is_(None),))
            page = newest_of(self._session, [*places, nobody], page_of, limit)
        assert page is not None, "there is a place for events that concern nobody in particular"
        keys = page.subquery("page")
        query = select(Event).join(keys, keys.c.seq == Event.seq).order_by(Event.seq.desc()).limit(limit)
        return self._session.scalars(query).all()

    def audit_log(self, wanted: AuditFilter, *, after: str | None, limit: int) -> Sequence[Event]:
        """The audited events, newest first. `after` is the id of the last one of the page before."""
        named = ((Event.actor, wanted.actor), (Event.type, wanted.type), (Event.subject, wanted.subject))
        query = select(Event).where(_AUDITED, *equal_given(*named))
        period = Period(wanted.created_from, wanted.created_before)
        page = newest_between(self._session, query, Event.seq, Event.id, period, after)
        return [] if page is None else self._session.scalars(page.limit(limit)).all()

    def _merchants(self) -> Sequence[int]:
        """The merchants that have events: each is the next one in an index, so that none of their events is read."""
        lowest = select(func.min(Event.merchant_number).label("number"))
        known = lowest.cte("known", recursive=True)
        following = lowest.where(Event.merchant_number > known.c.number).scalar_subquery()
        known = known.union_all(select(following).where(known.c.number.is_not(None)))
        return self._session.scalars(select(known.c.number).where(known.c.number.is_not(None))).all()

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

    def made_when_read(self, subjects: Collection[str]) -> Sequence[Event]:
        """The events about these subjects whose data is made when somebody reads it."""
        query = select(Event).where(in_list(self._session, Event.subject, subjects), Event.source.is_not(None))
        return self._session.scalars(query).all()

    def by_ids(self, merchant_number: int, ids: Collection[str]) -> Sequence[Event]:
        """The merchant's events with these ids, oldest first."""
        return self._session.scalars(_of(merchant_number).where(Event.id.in_(ids))).all()

    def since(self, merchant_number: int, moment: datetime, limit: int) -> Sequence[Event]:
        """The merchant's events from this moment on, oldest first; where there are more than `limit`, the newest of them."""
        newest = (
            select(Event.seq).where(Event.merchant_number == merchant_number).order_by(Event.seq.desc()).limit(limit)
        )
        keys = newest.subquery()
        query = _of(merchant_number).join(keys, keys.c.seq == Event.seq).where(Event.created_at >= moment)
        return self._session.scalars(query).all()


def _of(merchant_number: int) -> Select[Event]:
    return select(Event).where(Event.merchant_number == merchant_number).order_by(Event.seq)
