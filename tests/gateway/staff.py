"""People of a gateway under test."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from clearing.parties.merchants.service import require_merchant
from clearing.parties.staff import passwords
from clearing.parties.staff.models import Language
from clearing.parties.staff.people import NewPerson, PeopleService
from clearing.parties.staff.titles import Title
from tests.gateway.site import Party, Site

PASSWORD = "correct-horse-battery"


@cache
def password_hash(password: str = PASSWORD) -> str:
    """The hash of a password, worked out once: it is slow on purpose."""
    return passwords.hash_of(password)


@dataclass
class Worker:
    """Somebody of the staff, who signs in with a password."""

    site: Site
    email: str
    id: str
    token: str = ""
    password: str = PASSWORD
    session: dict[str, Any] = field(default_factory=dict)

    def sign_in(self, **fields: Any) -> str:
        """Signs in; the token."""
        self.session = self.site.post("/v1/sessions", {"email": self.email, "password": self.password, **fields})
        self.token = self.session["token"]
        return self.token

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """A request with the person's token."""
        return self.site.call(method, path, body, caller=self.token, **options)

    def get(self, path: str) -> Any:
        """A GET that succeeds."""
        return self.site.get(path, caller=self.token)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """A POST that succeeds."""
        return self.site.post(path, body if body is not None else {}, caller=self.token, **options)


def worker(site: Site, title: str, merchant: Party | None = None, **fields: Any) -> Worker:
    """Somebody with this title, signed in."""
    email = fields.pop("email", f"{title}-{secrets.token_hex(4)}@partner.example")
    new = NewPerson(email, fields.pop("name", f"The {title}"), Language.ENGLISH, password_hash(), **fields)
    with site.database.session.begin() as session:
        people = PeopleService(session)
        person = people.add(new, actor="test")
        sit(site, session, person, title, merchant)
    one = Worker(site, email, person.id)
    one.sign_in()
    return one


def sit(_site: Site, session: Any, person: Any, title: str, merchant: Party | None) -> None:
    """Gives a person a seat."""
    number = require_merchant(session, merchant.id).number if merchant is not None else None
    PeopleService(session).seat(person, Title(title), number, actor="test")
