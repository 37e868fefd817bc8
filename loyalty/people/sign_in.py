"""Signing in, and staying signed in: a session ends when nobody uses it, at the end of its time, and when somebody ends it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Unknown
from loyalty.kit.ids import new_id
from loyalty.people.models import FailedSignIn, Person, StaffSession
from loyalty.people.passwords import is_password
from loyalty.people.repository import PersonRepository
from loyalty.people.sealing import Seal
from loyalty.people.second_factor import SecondFactorService

FAILURES_OF_A_LOGIN: Final = 10
FAILURES_OF_AN_ADDRESS: Final = 30
WINDOW: Final = timedelta(minutes=15)
"""For so long failures count, and whoever has too many waits."""
_SEEN: Final = timedelta(minutes=1)
"""How exactly it is kept when a session was used."""
_SECRET_BYTES: Final = 32


class WrongCredentials(Exception):
    """Login, password or code is wrong; which one, nobody is told."""


class TooManyFailures(Exception):
    """Signing in has failed too often of late."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts."""

    idle: timedelta
    whole: timedelta


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
        for subject in subjects:
            lock(self._session, f"sign-in:{subject}")
        if any(self._failed(subject) >= most for subject, most in zip(subjects, _MOST, strict=True)):
            raise TooManyFailures
        person = self._people.with_login(login)
        may_be = person is not None and person.joined_at is not None and person.ended_at is None
        is_right = is_password(password, person.password_hash if person is not None and may_be else None)
        if person is None or not is_right or not SecondFactorService(self._session, seal).accepts(person, code):
            for subject in subjects:
                self._count(subject)
            if person is not None:
                self._log.note(person.id, "person.sign_in_failed", person.id, after={"address": address[:64]})
            raise WrongCredentials
        self._people.forget_failures(subjects[0])
        return self.begin(person, address=address, browser=browser)

    def begin(self, person: Person, *, address: str, browser: str) -> str:
        """Begins a session of somebody who has shown who they are; its secret."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        made = StaffSession(
            id=new_id("ses"),
            person_id=person.id,
            secret_hash=_hash(secret),
            address=address[:64],
            browser=browser[:200],
            ended_at=None,
        )
        self._people.add(made)
        self._log.note(person.id, "person.signed_in", person.id, after={"address": address[:64]})
        return secret

    def _failed(self, subject: str) -> int:
        found = self._people.failures(subject)
        return 0 if found is None or self._now() - found.since > WINDOW else found.count

    def _count(self, subject: str) -> None:
        found = self._people.failures(subject)
        if found is None:
            self._people.add(FailedSignIn(subject=subject, count=1))
        elif self._now() - found.since > WINDOW:
            found.count, found.since = 1, self._now()
        else:
            found.count += 1

    # ---------------------------------------------------------------- sessions

    def of(self, secret: str) -> SignedIn | None:
        """Whose session has this secret; None if it has ended."""
        found = self._people.session_with(_hash(secret))
        if found is None:
            return None
        session, person = found
        now = self._now()
        is_over = now - session.seen_at > self._limits.idle or now - session.created_at > self._limits.whole
        if session.ended_at is not None or is_over or person.ended_at is not None or person.joined_at is None:
            return None
        return SignedIn(session, person)

    def is_due(self, session: StaffSession) -> bool:
        """Whether it is to be noted anew that the session is in use."""
        return self._now() - session.seen_at > _SEEN

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
        """Forgets sessions and attempts that nobody needs any more."""
        now = self._now()
        self._people.clean_up(now - self._limits.whole - self._limits.idle, now - WINDOW)

    def _now(self) -> datetime:
        return clock_of(self._session).now()


_MOST: Final = (FAILURES_OF_A_LOGIN, FAILURES_OF_AN_ADDRESS)


def _hash(secret: str) -> bytes:
    """A secret has 256 random bits, so a plain hash of it is enough."""
    return sha256(secret.encode(errors="surrogateescape")).digest()
