"""Signing in: from an address and a password to a session.

It takes two transactions, because a slow hash lies between them: `begin` counts the attempt before anything is compared, so that no
number of attempts at once gets past the limit, and `finish` decides. Whoever is refused cannot tell why, nor from how long it took.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import ClearingError, Forbidden, RateLimited, Unauthenticated
from clearing.kit.signing.keyring import Keyring
from clearing.parties.staff import passwords
from clearing.parties.staff.emails import email_key
from clearing.parties.staff.models import Person, SignInMethod
from clearing.parties.staff.repository import PersonRepository
from clearing.parties.staff.second_factor import SecondFactorService
from clearing.parties.staff.sessions import Issued, Origin, Proof, SessionService
from clearing.parties.staff.tries_repository import SignInTriesRepository

MOST_OF_ACCOUNT = 10
MOST_OF_ADDRESS = 100
"""Attempts in a window. An office of a hundred may share an address; nobody shares an account."""
TRIES_WINDOW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted: what to compare, and with what."""

    email: str
    origin: Origin
    person_id: str | None
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of the comparison: whether the password was right, and a hash of it to store if the old one is outdated."""

    is_right: bool
    new_hash: str | None = None


def compare(attempt: Attempt, password: str) -> Compared:
    """Compares the passwords. Takes long, on purpose: call it outside of any transaction."""
    if not passwords.verifies(password, attempt.password_hash) or attempt.password_hash is None:
        return Compared(is_right=False)
    is_outdated = passwords.is_outdated(attempt.password_hash)
    return Compared(is_right=True, new_hash=passwords.hash_of(password) if is_outdated else None)


class SignInService:
    """Signing in, in one transaction."""

    def __init__(self, session: Session, *, keyring: Keyring, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._clock = clock_of(session)
        self._people = PersonRepository(session)
        self._tries = SignInTriesRepository(session)
        self._sessions = SessionService(session)
        self._second_factor = SecondFactorService(session, keyring=keyring)

    def begin(self, email: str, origin: Origin) -> Attempt:
        """Counts the attempt, and says what to compare. Raises RateLimited when there were too many."""
        self.count(_account(email), MOST_OF_ACCOUNT)
        self.count(_address(origin), MOST_OF_ADDRESS)
        person = self._people.by_email(email_key(email))
        return Attempt(email, origin, person.id if person else None, person.password_hash if person else None)

    def finish(
        self, attempt: Attempt, compared: Compared, *, one_time_code: str | None, recovery_code: str | None
    ) -> Issued:
        """Signs the person in, if the password and the second factor are right."""
        person = self._people.lock(attempt.person_id) if attempt.person_id else None
        if person is None or not compared.is_right or person.password_hash != attempt.password_hash:
            raise _wrong()
        if person.disabled_at is not None:
            raise _wrong()
        second_factor = self._shown_second_factor(person, one_time_code, recovery_code)
        if compared.new_hash is not None:
            person.password_hash = compared.new_hash
        self._tries.forget(_account(attempt.email))
        self._tries.give_back(_address(attempt.origin))
        return self.let_in(person, Proof(SignInMethod.PASSWORD, second_factor), attempt.origin)

    def let_in(self, person: Person, proof: Proof, origin: Origin) -> Issued:
        """Begins a session of a person who has shown who it is."""
        seat = self._sessions.usual_seat(person)
        if seat is None:
            raise Forbidden("you have no seat any more; ask an admin of your merchant to invite you", code="no_seat")
        return self._sessions.begin(person, seat, proof, origin, self._settings)

    def count(self, subject: str, most: int) -> None:
        """Counts an attempt, and refuses it if there were too many."""
        now = self._clock.now()
        counted = self._tries.count(subject, at=now, since=now - TRIES_WINDOW)
        if counted.tries > most:
            wait = max(1, math.ceil((counted.since + TRIES_WINDOW - now).total_seconds()))
            detail = f"too many attempts; wait {wait} seconds, then try again"
            raise RateLimited(detail, code="too_many_sign_ins", retry_after=wait)

    def _shown_second_factor(self, person: Person, one_time_code: str | None, recovery_code: str | None) -> bool:
        """Whether the person has shown its second factor. Refuses one who has not and must."""
        if not person.has_second_factor:
            return False
        if one_time_code is not None:
            if not self._second_factor.accepts(person, one_time_code):
                raise _wrong_factor(
                    "/one_time_code", "is wrong, or was used before; wait for the next code of your app"
                )
        elif recovery_code is not None:
            if not self._second_factor.accepts_recovery(person, recovery_code):
                raise _wrong_factor("/recovery_code", "is wrong, or was used before")
        else:
            detail = "the password is right; give the code of your app as `one_time_code`, or a `recovery_code`"
            raise Unauthenticated(detail, code="second_factor_required")
        return True


def _wrong() -> ClearingError:
    return Unauthenticated("the address or the password is wrong", code="wrong_credentials")


def _wrong_factor(pointer: str, detail: str) -> ClearingError:
    return Unauthenticated.at(pointer, detail, code="wrong_one_time_code")


def _account(email: str) -> str:
    return f"account:{sha256(email_key(email).encode()).hexdigest()}"


def _address(origin: Origin) -> str:
    return f"address:{origin.address or 'unknown'}"
