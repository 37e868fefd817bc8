"""SQL of sessions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, select, update
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.paging import newest_first
from clearing.parties.staff.models import Occupied, Person, Seat, StaffSession


class StaffSessionRepository:
    """Sessions in one (database) session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, session: StaffSession) -> None:
        """Stores a session."""
        self._session.add(session)
        self._session.flush()

    def occupied(self, ids: Collection[str]) -> Sequence[Occupied]:
        """The sessions with these ids, as they are now, ended or not."""
        query = (
            select(StaffSession, Person, Seat)
            .join(Person, Person.id == StaffSession.person_id)
            .join(Seat, Seat.id == StaffSession.seat_id)
            .where(StaffSession.id.in_(ids))
        )
        rows = self._session.execute(query.execution_options(populate_existing=True))
        return [Occupied(*row) for row in rows]

    def of_person(self, person_id: str, *, after: str | None, limit: int) -> Sequence[StaffSession]:
        """A person's sessions that have not ended, newest first. Some may be too old to be used."""
        query = select(StaffSession).where(StaffSession.person_id == person_id, StaffSession.ended_at.is_(None))
        return self._session.scalars(newest_first(query, StaffSession.id, after, limit)).all()

    def newest_of(self, person_id: str) -> StaffSession | None:
        """The person's last session, ended or not."""
        query = select(StaffSession).where(StaffSession.person_id == person_id).order_by(StaffSession.id.desc())
        return self._session.scalar(query.limit(1))

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Notes when sessions were used, where that is later than what is noted."""
        at = bindparam("at", type_=StaffSession.last_seen_at.type)
        statement = (
            update(StaffSession)
            .where(StaffSession.id == bindparam("used"), StaffSession.last_seen_at < at)
            .values(last_seen_at=at)
        )
        rows = [{"used": id, "at": at} for id, at in sorted(uses.items())]  # noqa: A001
        self._session.connection().execute(statement, rows)

    def end(self, session: StaffSession, at: datetime) -> bool:
        """Ends a session. False if it has ended before."""
        return self._end(StaffSession.id == session.id, at) == 1

    def end_all_of(self, person_id: str, at: datetime) -> int:
        """Ends every session of a person; how many there were."""
        return self._end(StaffSession.person_id == person_id, at)

    def end_all_on(self, seat_id: str, at: datetime) -> int:
        """Ends every session that sits on a seat; how many there were."""
        return self._end(StaffSession.seat_id == seat_id, at)

    def _end(self, condition: ColumnElement[bool], at: datetime) -> int:
        # In the order in which uses are noted, so that neither waits for the other while it is waited for.
        open_ones = select(StaffSession.id).where(condition, StaffSession.ended_at.is_(None))
        ids = self._session.scalars(open_ones.order_by(StaffSession.id).with_for_update()).all()
        statement = update(StaffSession).where(StaffSession.id.in_(ids)).values(ended_at=at)
        if ids:
            self._session.execute(statement.execution_options(synchronize_session="fetch"))
        return len(ids)

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` sessions that were over before this moment; returns how many."""
        return delete_some(self._session, StaffSession, StaffSession.expires_at < before, limit)
