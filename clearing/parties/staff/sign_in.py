"""Signing in: from an address and a password to a session.

It takes two transactions, because a slow hash lies between them: `begin` counts the attempt before anything is compared, so that no
number of attempts at once gets past the limit, and `finish` decides. Whoever is refused cannot tell why, nor from how long it took.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.config import Settings
from clearing.kit.errors import ClearingError, Forbidden, Unauthenticated
from clearing.kit.signing.keyring import Keyring
from clearing.parties.staff import passwords
from clearing.parties.staff.emails import email_key
from clearing.parties.staff.models import Person, SignInMethod
from clearing.parties.staff.repository import PersonRepository
from clearing.parties.staff.second_factor import SecondFactorService
from clearing.parties.staff.sessions import Issued, Origin, Proof, SessionService
from clearing.parties.staff.tries import TryCounter, forgiving


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted: what to compare, and with what."""

    email: str
    origin: Origin
    person_id: str | None
    password_hash: str | None

    def forgiving(self) -> AbstractContextManager[None]:
        """What is refused meanwhile, after the person was proven, was no wrong try."""
        return forgiving(lambda tries: tries.was_good(self.email, self.origin))


@dataclass(frozen=True, slots=True)
class Codes:
    """What a person shows as its second factor, if it has one."""

    one_time_code: str | None = None
    recovery_code: str | None = None


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
        self._people = PersonRepository(session)
        self._tries = TryCounter(session)
        self._sessions = SessionService(session)
        self._second_factor = SecondFactorService(session, keyring=keyring)

    def begin(self, email: str, origin: Origin) -> Attempt:
        """Counts the attempt, and says what to compare. Raises RateLimited when there were too many."""
        self._tries.count_sign_in(email, origin)
        person = self._people.by_email(email_key(email))
        return Attempt(email, origin, person.id if person else None, person.password_hash if person else None)

    def finish(self, attempt: Attempt, compared: Compared, codes: Codes) -> Issued:
        """Signs the person in, if the password and the second factor are right."""
        person, proof = self.proven(attempt, compared, codes)
        with attempt.forgiving():
            return self.let_in(person, proof, attempt.origin)

    def proven(self, attempt: Attempt, compared: Compared, codes: Codes) -> tuple[Person, Proof]:
        """The person, if the password and the second factor are right."""
        person = self._people.lock(attempt.person_id) if attempt.person_id else None
        if person is None or not compared.is_right or person.password_hash != attempt.password_hash:
            raise _wrong()
        if person.disabled_at is not None:
            raise _wrong()
        second_factor = self._shown_second_factor(person, codes, attempt.origin)
        if compared.new_hash is not None:
            person.password_hash = compared.new_hash
        self._tries.was_good(attempt.email, attempt.origin)
        return person, Proof(SignInMethod.PASSWORD, second_factor)

    def by_other_issuer(self, email: str, origin: Origin) -> Issued:
        """Signs in the person with an address that another issuer has verified. Nobody new comes in this way."""
        known = self._people.by_email(email_key(email))
        person = self._people.lock(known.id) if known is not None else None
        if person is None or person.disabled_at is not None:
            raise Forbidden(f"nobody works here as {email}; ask for an invitation first", code="oidc_no_person")
        self._tries.address_was_good(origin)
        # Whether it has asked for a second factor is the other issuer's business.
        with forgiving(lambda tries: tries.address_was_good(origin)):
            return self.let_in(person, Proof(SignInMethod.OIDC, second_factor=True), origin)

    def let_in(self, person: Person, proof: Proof, origin: Origin) -> Issued:
        """Begins a session of a person who has shown who it is."""
        seat = self._sessions.usual_seat(person)
        if seat is None:
            raise Forbidden("you have no seat any more; ask an admin of your merchant to invite you", code="no_seat")
        return self._sessions.begin(person, seat, proof, origin, self._settings)

    def _shown_second_factor(self, person: Person, codes: Codes, origin: Origin) -> bool:
        """Whether the person has shown its second factor. Refuses one who has not and must."""
        if not person.has_second_factor:
            return False
        if codes.one_time_code is not None:
            if not self._second_factor.accepts(person, codes.one_time_code):
                raise _wrong_factor(
                    "/one_time_code", "is wrong, or was used before; wait for the next code of your app"
                )
        elif codes.recovery_code is not None:
            if not self._second_factor.accepts_recovery(person, codes.recovery_code):
                raise _wrong_factor("/recovery_code", "is wrong, or was used before")
        else:
            detail = "the password is right; give the code of your app as `one_time_code`, or a `recovery_code`"
            refusal = Unauthenticated(detail, code="second_factor_required")
            # Whoever has an app signs in with two attempts: the first, without the code, was good as far as it went.
            raise refusal.counted_by(lambda session: TryCounter(session).address_was_good(origin))
        return True


def _wrong() -> ClearingError:
    return Unauthenticated("the address or the password is wrong", code="wrong_credentials")


def _wrong_factor(pointer: str, detail: str) -> ClearingError:
    return Unauthenticated.at(pointer, detail, code="wrong_one_time_code")
