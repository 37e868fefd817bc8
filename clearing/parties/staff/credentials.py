"""What a person changes about its own credentials. It gives its password with it: a session that somebody found is not enough."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.errors import Conflict, Refused
from clearing.kit.signing.keyring import Keyring
from clearing.parties.access.service import Caller
from clearing.parties.staff import passwords
from clearing.parties.staff.models import Person
from clearing.parties.staff.people import PeopleService
from clearing.parties.staff.second_factor import NewTotp, SecondFactorService
from clearing.parties.staff.tries import TryCounter


class CredentialService:
    """One person's credentials in one transaction."""

    def __init__(self, session: Session, caller: Caller, *, keyring: Keyring) -> None:
        self._caller = caller
        self._people = PeopleService(session)
        self._second_factor = SecondFactorService(session, keyring=keyring)
        self._tries = TryCounter(session)
        self.person: Person = self._people.locked(caller)

    def change_password(self, current: str, new: str) -> None:
        """Takes another password, and ends every session of the person."""
        if self.person.password_hash is None:
            raise Conflict("you sign in elsewhere and have no password here", code="no_password")
        self._require(current)
        passwords.require_good(new, self.person.email, "/new_password")
        if new == current:
            raise Refused.at("/new_password", "is the one that you have; take another one", code="weak_password")
        self._people.set_password(self.person, passwords.hash_of(new), must_change=False, actor=self._caller.actor)

    def begin_totp(self, password: str | None, issuer: str) -> NewTotp:
        """Makes a secret for an app."""
        self._require(password)
        return self._second_factor.begin(self.person, issuer)

    def confirm_totp(self, code: str) -> list[str]:
        """Takes the first code of the app; returns recovery codes."""
        return self._second_factor.confirm(self.person, code, self._caller.actor)

    def remove_totp(self, password: str | None) -> None:
        """Forgets the app."""
        self._require(password)
        self._second_factor.remove(self.person, self._caller.actor)

    def new_recovery_codes(self, password: str | None) -> list[str]:
        """Makes recovery codes in the place of the old ones."""
        self._require(password)
        return self._second_factor.new_recovery_codes(self.person, self._caller.actor)

    def _require(self, password: str | None) -> None:
        """Refuses another password than the person's. Whoever signs in elsewhere has none to give."""
        if self.person.password_hash is None:
            return
        self._tries.count_password(self.person.email)
        if password is not None and passwords.verifies(password, self.person.password_hash):
            self._tries.password_was_good(self.person.email)
            return
        email = self.person.email
        detail = "is not your password" if password is not None else "is missing: give your current password"
        refusal = Refused.at("/password", detail, code="wrong_password")
        raise refusal.counted_by(lambda session: TryCounter(session).count_password(email))
