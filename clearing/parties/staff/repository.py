"""SQL of people and their seats."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from clearing.kit.locks import lock_until_commit
from clearing.parties.staff.models import Colleague, Person, Seat, StaffSession
from clearing.parties.staff.titles import Title


class PersonRepository:
    """People in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, person: Person) -> None:
        """Stores a person."""
        self._session.add(person)
        self._session.flush()

    def lock_email(self, key: str) -> None:
        """Lets nobody else add a person with this address before this transaction ends."""
        lock_until_commit(self._session, f"staff {key}")

    def by_id(self, id: str) -> Person | None:  # noqa: A002
        """The person with this id."""
        return self._session.get(Person, id)

    def by_email(self, key: str) -> Person | None:
        """The person with this address (an `email_key`)."""
        return self._session.scalar(select(Person).where(Person.email_key == key))

    def lock(self, id: str) -> Person | None:  # noqa: A002
        """The person as it is now. Nobody else can change it before this transaction ends."""
        query = select(Person).where(Person.id == id).with_for_update()
        return self._session.scalar(query.execution_options(populate_existing=True))

    def use_step(self, id: str, step: int) -> bool:  # noqa: A002
        """Notes the step of a one-time code. False if a code of it, or of a later one, was used already."""
        statement = (
            update(Person)
            .where(Person.id == id, Person.totp_last_step < step)
            .values(totp_last_step=step)
            .returning(Person.id)
            .execution_options(synchronize_session=False)
        )
        return self._session.scalar(statement) is not None


class SeatRepository:
    """Seats in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, seat: Seat) -> None:
        """Stores a seat."""
        self._session.add(seat)
        self._session.flush()

    def live(self, id: str) -> Seat | None:  # noqa: A002
        """The seat with this id as it is now, unless it was removed."""
        seat = self._session.get(Seat, id, populate_existing=True)
        return seat if seat is not None and seat.removed_at is None else None

    def of_person(self, person_id: str) -> Sequence[Seat]:
        """A person's seats, oldest first."""
        query = select(Seat).where(Seat.person_id == person_id, Seat.removed_at.is_(None)).order_by(Seat.id)
        return self._session.scalars(query).all()

    def at(self, person_id: str, merchant_number: int | None) -> Sequence[Seat]:
        """A person's seats at a merchant, or in the network itself."""
        query = select(Seat).where(Seat.person_id == person_id, _at(merchant_number), Seat.removed_at.is_(None))
        return self._session.scalars(query).all()

    def colleagues(self, merchant_number: int | None, *, after: str | None, limit: int) -> Sequence[Colleague]:
        """Who sits at a merchant, or in the network itself, newest seat first."""
        seen = select(func.max(StaffSession.last_seen_at)).where(StaffSession.seat_id == Seat.id).scalar_subquery()
        query = (
            select(Seat, Person, seen)
            .join(Person, Person.id == Seat.person_id)
            .where(_at(merchant_number), Seat.removed_at.is_(None))
            .order_by(Seat.id.desc())
            .limit(limit)
        )
        page = query if after is None else query.where(Seat.id < after)
        return [Colleague(*row) for row in self._session.execute(page)]

    def count_able(self, merchant_number: int | None, title: Title) -> int:
        """How many people who may sign in have this title at a merchant, or in the network. Nobody else can count them before this
        transaction ends."""
        lock_until_commit(self._session, f"{title} seats of {merchant_number}")
        query = (
            select(func.count())
            .select_from(Seat)
            .join(Person, Person.id == Seat.person_id)
            .where(_at(merchant_number), Seat.title == title, Seat.removed_at.is_(None), Person.disabled_at.is_(None))
        )
        return self._session.scalar(query) or 0

    def list_all(self) -> Sequence[Colleague]:
        """Everybody, with every seat that was not removed."""
        query = select(Seat, Person).join(Person, Person.id == Seat.person_id).where(Seat.removed_at.is_(None))
        return [Colleague(*row) for row in self._session.execute(query.order_by(Person.email_key, Seat.id))]

    def retitle(self, seat: Seat, title: Title) -> None:
        """Gives the person on a seat another title."""
        seat.title = title
        self._session.flush()

    def remove(self, seat: Seat, at: datetime) -> None:
        """Removes a seat."""
        seat.removed_at = at
        self._session.flush()


def _at(merchant_number: int | None) -> ColumnElement[bool]:
    return Seat.merchant_number.is_(None) if merchant_number is None else Seat.merchant_number == merchant_number
