"""Manages people who sign in."""

from __future__ import annotations

import argparse
import sys

from pydantic import TypeAdapter, ValidationError
from rich.table import Table
from sqlalchemy.orm import Session

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.config import Settings
from clearing.kit.signing.keyring import Keyring
from clearing.parties.merchants.service import require_merchant
from clearing.parties.names import Names
from clearing.parties.staff import passwords
from clearing.parties.staff.emails import Email
from clearing.parties.staff.models import Language, Person, Seat
from clearing.parties.staff.people import NewPerson, PeopleService
from clearing.parties.staff.second_factor import SecondFactorService
from clearing.parties.staff.titles import Title
from clearing.runtime.actions.terminal import actor, console, write_json
from clearing.runtime.preflight.database import open_database
from clearing.runtime.preflight.refusal import CannotRun


def add(settings: Settings, chosen: argparse.Namespace) -> int:
    """Adds a person with a seat, and prints a password that must be changed."""
    title = _title(chosen.title, chosen.merchant)
    password = passwords.random_password()
    name = chosen.name.strip()
    if not 1 <= len(name) <= 80:
        raise CannotRun("--name: must have 1 to 80 characters")
    new = NewPerson(
        _email(chosen.email), name, Language(chosen.language), passwords.hash_of(password), must_change_password=True
    )
    with open_database(settings) as database, database.session.begin() as session:
        people = PeopleService(session)
        number = None
        if chosen.merchant is not None:
            number = require_merchant(session, chosen.merchant).number
            people.require_no_admin(number)
        people.seat(people.add(new, actor=actor()), title, number, actor=actor())
        _hand_over(new.email, password)
    return 0


def show(settings: Settings, *, as_json: bool) -> int:
    """Shows everybody with their seats."""
    with open_database(settings) as database, database.reading() as session:
        names = Names(session)
        rows = [_row(names, found.seat, found.person) for found in PeopleService(session).everybody()]
    if as_json:
        write_json({"staff": rows})
        return 0
    table = Table(title="Staff")
    for heading in ("address", "name", "title", "merchant", "second factor", "may sign in"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        yes = ("yes" if row[field] else "no" for field in ("second_factor", "may_sign_in"))
        place = row["merchant_name"] or "the network"
        table.add_row(str(row["email"]), str(row["name"]), str(row["title"]), str(place), *yes)
    console.print(table)
    return 0


def _row(names: Names, seat: Seat, person: Person) -> dict[str, str | bool | None]:
    number = seat.merchant_number
    return {
        "person": person.id,
        "email": person.email,
        "name": person.name,
        "title": seat.title,
        "merchant": names.optional_merchant(number),
        "merchant_name": names.optional_merchant_name(number),
        "second_factor": person.has_second_factor,
        "may_sign_in": person.disabled_at is None,
    }


def disable(settings: Settings, email: str) -> int:
    """Lets a person in no more."""
    with open_database(settings) as database, database.session.begin() as session:
        PeopleService(session).shut_out(_person(session, email), by_network=True, actor=actor())
    console.print(f"{email} may not sign in any more.")
    return 0


def enable(settings: Settings, email: str) -> int:
    """Lets a person in again."""
    with open_database(settings) as database, database.session.begin() as session:
        PeopleService(session).let_back(_person(session, email), actor=actor())
    console.print(f"{email} may sign in again.")
    return 0


def reset(settings: Settings, email: str, *, second_factor: bool) -> int:
    """Gives a person a password that must be changed, and ends its sessions."""
    password = passwords.random_password()
    password_hash = passwords.hash_of(password)
    with open_database(settings) as database, database.session.begin() as session:
        person = _person(session, email)
        PeopleService(session).set_password(person, password_hash, must_change=True, actor=actor())
        if second_factor:
            # To forget a secret, nobody need open it.
            SecondFactorService(session, keyring=Keyring()).remove(person, actor())
        _hand_over(person.email, password)
    return 0


def _hand_over(email: str, password: str) -> None:
    """Prints how to sign in. Before the commit: a stored password is a known password."""
    sys.stdout.write(f"address   {email}\npassword  {password}\n")
    sys.stdout.write("It is shown only this once, and must be changed at the first sign-in.\n")
    sys.stdout.flush()


def _person(session: Session, email: str) -> Person:
    person = PeopleService(session).locked_by_email(email)
    if person is None:
        raise CannotRun(f"nobody signs in as {email}; `clearing staff list` shows who does")
    return person


def _title(title: str, merchant: str | None) -> Title:
    if merchant is not None:
        if title not in ("admin", "operator"):  # the latter is what one gets who says nothing
            raise CannotRun("--title: only a merchant's first admin is added here; that admin invites everybody else")
        return Title.ADMIN
    titles = [one.value for one in (Title.OPERATOR, Title.TREASURY, Title.AUDITOR)]
    if title not in titles:
        raise CannotRun(f"--title: {title!r} is none in the network; the titles are {', '.join(titles)}")
    return Title(title)


def _email(text: str) -> str:
    try:
        return str(TypeAdapter(Email).validate_python(text))
    except ValidationError as error:
        raise CannotRun(f"{text}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
