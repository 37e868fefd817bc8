"""SQL of people and their sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.people.models import Person, RecoveryCode, StaffSession
from loyalty.staff.models import Role


class PersonRepository:
    """People in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, person: str, *, for_update: bool = False) -> Person | None:
        """The person with this id."""
        return self._session.get(Person, person, with_for_update=for_update or None, populate_existing=for_update)

    def with_login(self, login: str) -> Person | None:
        """The person with this login, held: each try is judged after the one before it."""
        return self._session.scalars(select(Person).where(Person.login == login).with_for_update()).one_or_none()

    def add(self, *rows: Person | RecoveryCode | StaffSession) -> None:
        """Adds rows."""
        self._session.add_all(rows)
        self._session.flush()

    def with_link(self, link_hash: bytes) -> Person | None:
        """The person whom a link is for."""
        return self._session.scalars(select(Person).where(Person.link_hash == link_hash)).one_or_none()

    def working_as(self, role: Role) -> int:
        """How many people with this role can sign in."""
        query = select(func.count()).select_from(Person)
        query = query.where(Person.role == role, Person.joined_at.is_not(None), Person.ended_at.is_(None))
        return self._session.scalar(query) or 0

    def names(self, people: Iterable[str]) -> dict[str, str]:
        """What these people are called, by id."""
        query = select(Person.id, Person.name).where(Person.id.in_([*people]))
        return {row.id: row.name for row in self._session.execute(query)}

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[Person], str | None]:
        """People, newest first."""
        return page_of(self._session, select(Person), Person.id, cursor, limit)

    # ---------------------------------------------------------------- recovery codes

    def forget_codes(self, person: str) -> None:
        """Deletes a person's recovery codes."""
        self._session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person))

    def use_code(self, person: str, code_hash: bytes, at: datetime) -> bool:
        """Uses a recovery code up; whether there was one."""
        code = self._session.get(RecoveryCode, (person, code_hash), with_for_update=True, populate_existing=True)
        if code is None or code.used_at is not None:
            return False
        code.used_at = at
        return True

    # ---------------------------------------------------------------- sessions

    def session_with(self, secret_hash: bytes) -> tuple[StaffSession, Person] | None:
        """The session with this secret, and whose it is."""
        query = select(StaffSession, Person).join(Person, Person.id == StaffSession.person_id)
        found = self._session.execute(query.where(StaffSession.secret_hash == secret_hash)).one_or_none()
        return None if found is None else (found[0], found[1])

    def session(self, session: str) -> StaffSession | None:
        """The session with this id."""
        return self._session.get(StaffSession, session)

    def sessions_of(self, person: str, after: datetime) -> Sequence[StaffSession]:
        """A person's sessions that nobody has ended and that were used after this moment, newest first."""
        query = select(StaffSession).where(
            StaffSession.person_id == person, StaffSession.ended_at.is_(None), StaffSession.seen_at > after
        )
        return self._session.scalars(query.order_by(StaffSession.id.desc())).all()

    def end_sessions(self, person: str, at: datetime, but: str | None) -> None:
        """Ends all sessions of a person, or all but one."""
        query = update(StaffSession).where(StaffSession.person_id == person, StaffSession.ended_at.is_(None))
        if but is not None:
            query = query.where(StaffSession.id != but)
        self._session.execute(query.values(ended_at=at))

    def clean_up(self, before: datetime) -> None:
        """Deletes sessions that were not used since a moment."""
        self._session.execute(delete(StaffSession).where(StaffSession.seen_at < before))
