"""What a person changes about its own credentials. It gives its password with it: a session that somebody found is not enough.

As in signing in, a slow hash lies between two transactions: `begin` counts the attempt before anything is compared, so that no
number of attempts at once gets past the limit. The second one is the service's.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.errors import ClearingError, Conflict, Refused
from clearing.kit.signing.keyring import Keyring
from clearing.parties.access.service import Caller
from clearing.parties.staff import passwords
from clearing.parties.staff.models import Person
from clearing.parties.staff.people import PeopleService
from clearing.parties.staff.second_factor import NewTotp, SecondFactorService
from clearing.parties.staff.tries import TryCounter, forgiving


@dataclass(frozen=True, slots=True)
class Proof:
    """What a person has to prove, as it was when the person gave its password."""

    email: str
    password_hash: str | None
    """None: it signs in elsewhere, and has nothing to prove."""

    def forgive(self, tries: TryCounter) -> None:
        """Forgets the attempts at the password, because it was right."""
        if self.password_hash is not None:
            tries.password_was_good(self.email)


def begin(session: Session, caller: Caller, password: str | None) -> Proof:
    """Counts the attempt of a person who has a password, and says what to compare. Raises RateLimited when there were too many."""
    person = PeopleService(session).of(caller)
    if person.password_hash is not None:
        if password is None:
            raise _wrong("is missing: give your current password")
        TryCounter(session).count_password(person.email)
    return Proof(person.email, person.password_hash)


def begin_change(session: Session, caller: Caller, password: str, new: str) -> Proof:
    """The same for a person who wants another password: one that is no good is refused first, and is no attempt."""
    person = PeopleService(session).of(caller)
    if person.password_hash is None:
        raise Conflict("you sign in elsewhere and have no password here", code="no_password")
    passwords.require_good(new, person.email, "/new_password")
    return begin(session, caller, password)


def compare(proof: Proof, password: str | None) -> None:
    """Refuses another password than the person's. Takes long, on purpose: call it outside of any transaction."""
    if proof.password_hash is not None and not passwords.verifies(password or "", proof.password_hash):
        raise _wrong("is not your password")


def new_hash(proof: Proof, current: str, new: str) -> str:
    """What is stored of the password that a person wants, who has shown its current one. Takes long, too."""
    if new == current:
        with forgiving(proof.forgive):
            raise Refused.at("/new_password", "is the one that you have; take another one", code="weak_password")
    return passwords.hash_of(new)


class CredentialService:
    """The credentials of a person who has shown its password, in one transaction."""

    def __init__(self, session: Session, caller: Caller, proof: Proof, *, keyring: Keyring) -> None:
        self._caller = caller
        self._proof = proof
        self._people = PeopleService(session)
        self._second_factor = SecondFactorService(session, keyring=keyring)
        self.person: Person = self._people.locked(caller)
        if self.person.password_hash != proof.password_hash:
            raise _wrong("was changed just now; give the one that you have now")
        proof.forgive(TryCounter(session))

    def change_password(self, password_hash: str) -> None:
        """Takes another password, and ends every session of the person."""
        self._people.set_password(self.person, password_hash, must_change=False, actor=self._caller.actor)

    def begin_totp(self, issuer: str) -> NewTotp:
        """Makes a secret for an app."""
        with forgiving(self._proof.forgive):
            return self._second_factor.begin(self.person, issuer)

    def remove_totp(self) -> None:
        """Forgets the app."""
        self._second_factor.remove(self.person, self._caller.actor)

    def new_recovery_codes(self) -> list[str]:
        """Makes recovery codes in the place of the old ones."""
        with forgiving(self._proof.forgive):
            return self._second_factor.new_recovery_codes(self.person, self._caller.actor)


def confirm_totp(session: Session, caller: Caller, code: str, *, keyring: Keyring) -> list[str]:
    """Takes the first code of the app, which needs no password again; returns recovery codes. Wrong codes are counted."""
    person = PeopleService(session).locked(caller)
    TryCounter(session).count_code(person.id)
    try:
        codes = SecondFactorService(session, keyring=keyring).confirm(person, code, caller.actor)
    except Refused as refusal:
        raise refusal.counted_by(lambda session: TryCounter(session).count_code(person.id)) from None
    TryCounter(session).code_was_good(person.id)
    return codes


def _wrong(detail: str) -> ClearingError:
    return Refused.at("/password", detail, code="wrong_password")
