"""Rules of people: a link that works once lets a person in, a role is changed by a manager, and the last manager stays."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, Malformed, NotAllowed, Unknown
from loyalty.kit.ids import new_id
from loyalty.people.models import Person
from loyalty.people.passwords import hash_of, require_good
from loyalty.people.repository import PersonRepository
from loyalty.people.sealing import Seal
from loyalty.people.second_factor import NewApp, SecondFactorService
from loyalty.staff.models import Role

ROLES: Final = tuple(role for role in Role if role is not Role.DEVICE)
"""What a person can be. A device has a key, and signs in to nothing."""
LINK_DAYS: Final = 7
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
_LINK_BYTES: Final = 32


class PeopleService:
    """People in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._people = PersonRepository(session)
        self._log = AuditLog(session)

    # ---------------------------------------------------------------- coming, changing, going

    def invite(self, login: str, name: str, role: Role, *, actor: str) -> tuple[Person, str]:
        """Lets somebody work here; returns the person with the secret of the link that lets them in, which nobody sees again."""
        login = login.strip().lower()
        if not _LOGIN.fullmatch(login):
            detail = "a login has 2 to 40 small letters, digits, dots, - and _, and begins with a letter or a digit"
            raise Malformed("bad_login", detail, pointer="/login")
        if role not in ROLES:
            raise Malformed("bad_role", f"a person is one of {', '.join(ROLES)}; a device has a key", pointer="/role")
        lock(self._session, "people")
        if self._people.with_login(login) is not None:
            raise Contradiction("login_taken", f"the login {login} is somebody's: choose another one", pointer="/login")
        person = Person(id=new_id("psn"), login=login, name=name, role=role)
        link = self._new_link(person)
        self._people.add(person)
        self._log.note(actor, "person.invited", person.id, after={"login": login, "name": name, "role": role.value})
        return person, link

    def invite_again(self, person_id: str, *, actor: str, reason: str) -> tuple[Person, str]:
        """Gives a person a new link: the old link, password, app, recovery codes and sessions are good for nothing any more."""
        person = self._working(person_id)
        self._keep_a_manager(person)
        person.password_hash = person.totp_secret = person.totp_step = person.joined_at = None
        self._people.forget_codes(person.id)
        self._end_sessions(person)
        link = self._new_link(person)
        self._log.note(actor, "person.invited_again", person.id, reason=reason)
        return person, link

    def change_role(self, person_id: str, role: Role, *, actor: str, reason: str) -> Person:
        """Lets a person do something else from now on."""
        person = self._working(person_id)
        if role not in ROLES:
            raise Malformed("bad_role", f"a person is one of {', '.join(ROLES)}; a device has a key", pointer="/role")
        if person.id == actor:
            raise NotAllowed("own_role", "nobody changes the own role: another manager does that")
        if person.role is not role:
            self._keep_a_manager(person)
            before, person.role = person.role.value, role
            change = {"before": {"role": before}, "after": {"role": role.value}}
            self._log.note(actor, "person.role_changed", person.id, reason=reason, **change)
        return person

    def end(self, person_id: str, *, actor: str, reason: str) -> Person:
        """Lets a person in no more. Who has ended stays so, and stays in the audit log."""
        person = self._known(person_id)
        if person.ended_at is None:
            if person.id == actor:
                raise NotAllowed("own_role", "nobody ends the own work here: another manager does that")
            self._keep_a_manager(person)
            person.ended_at = clock_of(self._session).now()
            person.password_hash = person.totp_secret = person.link_hash = person.link_until = None
            self._people.forget_codes(person.id)
            self._end_sessions(person)
            self._log.note(actor, "person.ended", person.id, reason=reason)
        return person

    def change_password(self, person: Person, new_password: str, *, but_session: str) -> None:
        """Changes a person's own password, and ends all other sessions."""
        require_good(new_password, person.login, "/new_password")
        person.password_hash = hash_of(new_password)
        self._people.end_sessions(person.id, clock_of(self._session).now(), but_session)
        self._log.note(person.id, "person.password_changed", person.id)

    def renew_codes(self, person_id: str, code: str, seal: Seal) -> list[str] | None:
        """Makes new recovery codes for whoever has shown a code; None if that is wrong."""
        person = self._known(person_id)
        factor = SecondFactorService(self._session, seal)
        if not factor.accepts(person, code):
            return None
        self._log.note(person.id, "person.recovery_codes_renewed", person.id)
        return factor.new_recovery_codes(person)

    # ---------------------------------------------------------------- the link

    def of_link(self, link: str) -> Person | None:
        """Whom a link is for, while it is good."""
        person = self._people.with_link(sha256(link.encode(errors="surrogateescape")).digest())
        if person is None or person.ended_at is not None or person.link_until is None:
            return None
        return person if clock_of(self._session).now() < person.link_until else None

    def choose_password(self, person: Person, password: str, seal: Seal) -> NewApp:
        """First step of whoever has a link: the password. Returns what the person's app needs."""
        require_good(password, person.login)
        person.password_hash = hash_of(password)
        return SecondFactorService(self._session, seal).begin(person)

    def join(self, person: Person, code: str, seal: Seal) -> list[str] | None:
        """Second step: the first code of the app. Returns recovery codes, shown once; None if the code is wrong."""
        factor = SecondFactorService(self._session, seal)
        if person.totp_secret is None or person.password_hash is None or not factor.accepts(person, code):
            return None
        person.joined_at = clock_of(self._session).now()
        person.link_hash = person.link_until = None
        self._log.note(person.id, "person.joined", person.id)
        return factor.new_recovery_codes(person)

    def _new_link(self, person: Person) -> str:
        link = secrets.token_urlsafe(_LINK_BYTES)
        person.link_hash = sha256(link.encode()).digest()
        person.link_until = clock_of(self._session).now() + timedelta(days=LINK_DAYS)
        return link

    # ---------------------------------------------------------------- looking

    def get(self, person_id: str) -> Person:
        """The person with this id. Raises Unknown."""
        found = self._people.get(person_id)
        if found is None:
            raise Unknown("unknown_person", f"there is nobody with the id {person_id}")
        return found

    def page(self, *, cursor: str | None, limit: int) -> tuple[Sequence[Person], str | None]:
        """People, newest first."""
        return self._people.page(cursor, limit)

    def names(self, people: Iterable[str]) -> dict[str, str]:
        """What these people are called, by id."""
        return self._people.names(people)

    def _known(self, person_id: str) -> Person:
        lock(self._session, "people")  # two managers at once must not end each other
        self.get(person_id)
        found = self._people.get(person_id, for_update=True)
        assert found is not None
        return found

    def _working(self, person_id: str) -> Person:
        person = self._known(person_id)
        if person.ended_at is not None:
            raise Contradiction(
                "person_ended", f"{person.name} does not work here any more: invite them under a new login"
            )
        return person

    def _keep_a_manager(self, person: Person) -> None:
        is_one = person.role is Role.MANAGER and person.joined_at is not None
        if is_one and self._people.working_as(Role.MANAGER) == 1:
            raise Contradiction("last_manager", f"{person.name} is the last manager: invite another one first")

    def _end_sessions(self, person: Person) -> None:
        self._people.end_sessions(person.id, clock_of(self._session).now(), None)
