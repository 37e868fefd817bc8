"""Signing in, and staying signed in: a session ends when nobody uses it, at the end of its time, and when somebody ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from loyalty.attempts.service import AttemptService
from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of
from loyalty.kit.errors import Unknown
from loyalty.kit.ids import new_id
from loyalty.kit.sessions import Limits, hash_of, is_due, new_secret
from loyalty.people.models import Person, StaffSession
from loyalty.people.passwords import is_password
from loyalty.people.repository import PersonRepository
from loyalty.people.sealing import Seal
from loyalty.people.second_factor import SecondFactorService

FAILURES_OF_A_LOGIN: Final = 10
FAILURES_OF_AN_ADDRESS: Final = 30
WINDOW: Final = timedelta(minutes=15)
"""For so long failures count, and whoever has too many waits."""


class WrongCredentials(Exception):
    """Login, password or code is wrong; which one, nobody is told."""


class TooManyFailures(Exception):
    """Signing in has failed too often of late."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who has signed in."""

    session: StaffSession
    person: Person


class SessionService:
    """Sessions in one transaction."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self._session = session
        self._limits = limits
        self._people = PersonRepository(session)
        self._attempts = AttemptService(session, WINDOW)
        self._log = AuditLog(session)

    # ---------------------------------------------------------------- signing in

    def sign_in(self, login: str, password: str, code: str, seal: Seal, *, address: str, browser: str) -> str:
        """Begins a session; its secret. A failure is counted: whoever catches it commits all the same.

        Raises:
            WrongCredentials: Something is wrong, or there is nobody with this login.
            TooManyFailures: There were too many attempts; this one was not judged.
        """
        login = login.strip().lower()[:40]
        subjects = (f"login:{login}", f"address:{address[:64]}")
        self._attempts.hold(*subjects)
        if any(self._attempts.of(subject) >= most for subject, most in zip(subjects, _MOST, strict=True)):
            raise TooManyFailures
        person = self._people.with_login(login)
        may_be = person is not None and person.joined_at is not None and person.ended_at is None
        is_right = is_password(password, person.password_hash if person is not None and may_be else None)
        if person is None or not is_right or not SecondFactorService(self._session, seal).accepts(person, code):
            for subject in subjects:
                self._attempts.count(subject)
            if person is not None:
                self._log.note(person.id, "person.sign_in_failed", person.id, after={"address": address[:64]})
            raise WrongCredentials
        self._attempts.forget(subjects[0])
        return self.begin(person, address=address, browser=browser)

    def begin(self, person: Person, *, address: str, browser: str) -> str:
        """Begins a session of somebody who has shown who they are; its secret."""
        secret = new_secret()
        made = StaffSession(
            id=new_id("ses"),
            person_id=person.id,
            secret_hash=hash_of(secret),
            address=address[:64],
            browser=browser[:200],
            ended_at=None,
        )
        self._people.add(made)
        self._log.note(person.id, "person.signed_in", person.id, after={"address": address[:64]})
        return secret

    # ---------------------------------------------------------------- sessions

    def of(self, secret: str) -> SignedIn | None:
        """Whose session has this secret; None if it has ended."""
        found = self._people.session_with(hash_of(secret))
        if found is None:
            return None
        session, person = found
        if self._limits.is_over(session, self._now()) or person.ended_at is not None or person.joined_at is None:
            return None
        return SignedIn(session, person)

    def is_due(self, session: StaffSession) -> bool:
        """Whether it is to be noted anew that the session is in use."""
        return is_due(session, self._now())

    def see(self, session_id: str) -> None:
        """Notes that the session is in use."""
        session = self._people.session(session_id)
        if session is not None:
            session.seen_at = self._now()

    def end(self, session_id: str, person: Person) -> None:
        """Ends a session of this person. Raises Unknown if it is nobody's, or another one's."""
        session = self._people.session(session_id)
        if session is None or session.person_id != person.id:
            raise Unknown("unknown_session", f"you have no session {session_id}")
        if session.ended_at is None:
            session.ended_at = self._now()
            self._log.note(person.id, "person.signed_out", person.id)

    def sessions_of(self, person: Person) -> Sequence[StaffSession]:
        """The person's sessions that are good, newest first."""
        return self._people.sessions_of(person.id, self._now() - self._limits.idle)

    def clean_up(self) -> None:
        """Forgets sessions that nobody needs any more."""
        self._people.clean_up(self._now() - self._limits.whole - self._limits.idle)

    def _now(self) -> datetime:
        return clock_of(self._session).now()


_MOST: Final = (FAILURES_OF_A_LOGIN, FAILURES_OF_AN_ADDRESS)
