"""The first person of a new network. Somebody must be able to let the others in."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.parties.staff import passwords
from clearing.parties.staff.models import Language
from clearing.parties.staff.people import NewPerson, PeopleService
from clearing.parties.staff.repository import SeatRepository
from clearing.parties.staff.titles import Title

EMAIL = "operator@tongdui.local"


class SignIn(NamedTuple):
    """How somebody signs in for the first time. The password must be changed then."""

    email: str
    password: str


def add_first_operator(session: Session) -> SignIn | None:
    """Adds the network's first operator; None if somebody has that title, or had the address."""
    people = PeopleService(session)
    if SeatRepository(session).count_able(None, Title.OPERATOR) > 0 or people.by_email(EMAIL) is not None:
        return None
    sign_in = SignIn(EMAIL, passwords.random_password())
    new = NewPerson(
        sign_in.email, "Operator", Language.CHINESE, passwords.hash_of(sign_in.password), must_change_password=True
    )
    people.seat(people.add(new, actor="bootstrap"), Title.OPERATOR, None, actor="bootstrap")
    return sign_in
