"""SQL that reads events in the order of their numbers, without missing those that commit late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of
from clearing.kit.events.models import Event, EventCursor
from clearing.kit.paging import where_given
from clearing.kit.upsert import insert_for

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Transactions below `oldest_running` are over; those from `next_to_begin` on have not begun."""

    oldest_running: int
    next_to_begin: int


class EventReader:
    """Reads events in order of their numbers, without missing those that commit late."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock_cursor(self, name: str) -> EventCursor:
        """A reader's cursor, locked until the transaction ends; a new one if there is none yet."""
        cursor = self._session.get(EventCursor, name, with_for_update=True, populate_existing=True)
        if cursor is None:
            values = {"name": name, "seq": 0, "gaps": []}
            self._session.execute(insert_for(self._session)(EventCursor).values(values).on_conflict_do_nothing())
            cursor = self._session.get_one(EventCursor, name, with_for_update=True, populate_existing=True)
        return cursor

    def cursor(self, name: str) -> EventCursor | None:
        """A reader's cursor, not locked."""
        return self._session.get(EventCursor, name)

    def snapshot(self) -> Snapshot:
        """Which transactions are over now. On SQLite all others are: it has one writer, and that is us."""
        if dialect_of(self._session) != "postgresql":
            return Snapshot(1, 1)
        functions = "pg_snapshot_xmin(pg_current_snapshot())::text, pg_snapshot_xmax(pg_current_snapshot())::text"
        oldest, following = self._session.execute(text(f"SELECT {functions}")).one()
        return Snapshot(int(oldest), int(following))

    def newest(self) -> int:
        """The highest number that an event has."""
        return self._session.scalar(select(func.max(Event.seq))) or 0

    def after(self, seq: int, limit: int) -> Sequence[Event]:
        """At most `limit` events after this number."""
        return self._session.scalars(select(Event).where(Event.seq > seq).order_by(Event.seq).limit(limit)).all()

    def between(self, first: int, last: int, limit: int, merchant_number: int | None = None) -> Sequence[Event]:
        """At most `limit` events after number `first` up to `last`: a merchant's, or everybody's."""
        query = select(Event).where(Event.seq > first, Event.seq <= last).order_by(Event.seq).limit(limit)
        return self._session.scalars(where_given(query, (Event.merchant_number, merchant_number))).all()

    def last_id(self, number: int, merchant_number: int | None) -> str | None:
        """The id of the newest event up to this number: a merchant's, or anybody's."""
        query = select(Event.id).where(Event.seq <= number).order_by(Event.seq.desc()).limit(1)
        return self._session.scalar(where_given(query, (Event.merchant_number, merchant_number)))

    def numbers_after(self, seq: int, limit: int) -> list[int]:
        """The numbers of at most `limit` events after this number."""
        return list(self._session.scalars(select(Event.seq).where(Event.seq > seq).order_by(Event.seq).limit(limit)))

    def numbers_within(self, ranges: Sequence[Sequence[int]]) -> list[int]:
        """The numbers of the events in these ranges of numbers ([first, last, ...])."""
        return [event.seq for event in self.within(ranges)]

    def newest_with_times(self, count: int) -> list[tuple[int, datetime]]:
        """The numbers and times of the newest `count` events, oldest first."""
        query = select(Event.seq, Event.created_at).order_by(Event.seq.desc()).limit(count)
        return [(seq, at) for seq, at in self._session.execute(query)][::-1]

    def within(self, ranges: Sequence[Sequence[int]]) -> list[Event]:
        """The events in these ranges of numbers ([first, last, ...])."""
        found: list[Event] = []
        for start in range(0, len(ranges), _CHUNK):
            some = or_(*(Event.seq.between(first, last) for first, last, *_ in ranges[start : start + _CHUNK]))
            found += self._session.scalars(select(Event).where(some).order_by(Event.seq))
        return found
