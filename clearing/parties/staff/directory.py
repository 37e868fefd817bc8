"""Names of people, in memory and current: every list of events shows some."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from clearing.kit.reference.directory import Directory, rows_of
from clearing.parties.access.actors import person_of
from clearing.parties.staff.models import Person, Seat


class StaffDirectory:
    """The names of all people, and where each of them sits or once sat."""

    def __init__(self, people: Iterable[Person], seats: Iterable[Seat]) -> None:
        self._names = {person.id: person.name for person in people}
        self._places: dict[str, set[int | None]] = {}
        for seat in seats:
            self._places.setdefault(seat.person_id, set()).add(seat.merchant_number)

    def name_of(self, actor: str, merchant_number: int | None) -> str | None:
        """The name of the person who acted, as a merchant may see it: its own people's, and those of the network's own staff.
        Whoever sees everything (None) sees every name."""
        person_id = person_of(actor)
        if person_id is None:
            return None
        places = self._places.get(person_id, set())
        if merchant_number is not None and not places & {merchant_number, None}:
            return None
        return self._names.get(person_id)


def staff_in(session: Session) -> StaffDirectory:
    """The people, as current as the session's transaction."""
    return STAFF.of(session)


_UNNAMED = (
    "password_hash",
    "must_change_password",
    "totp_secret",
    "totp_since",
    "totp_last_step",
    "disabled_at",
    "disabled_by_network",
)
"""What no copy needs, and what must not lie about in memory."""


def _load(session: Session) -> StaffDirectory:
    return StaffDirectory(rows_of(session, Person, but=_UNNAMED), rows_of(session, Seat))


STAFF = Directory((Person, Seat), _load)
