"""Rules of new passwords by mail. Whether anybody has an address cannot be told from what happens when somebody asks."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import Conflict, NotFound, Refused
from clearing.kit.mail.models import MailKind
from clearing.kit.mail.service import post_mail
from clearing.kit.signing.keyring import Keyring
from clearing.parties.access.actors import person_actor
from clearing.parties.staff.emails import email_key
from clearing.parties.staff.models import PasswordReset, Person
from clearing.parties.staff.password_reset_repository import PasswordResetRepository
from clearing.parties.staff.people import PeopleService
from clearing.parties.staff.repository import PersonRepository
from clearing.parties.staff.sessions import Origin
from clearing.parties.staff.tokens import TokenKind, id_in, known_token, mailed_token, matches
from clearing.parties.staff.tries import TryCounter

LIFETIME = timedelta(hours=1)


class PasswordResetService:
    """Password resets in one transaction."""

    def __init__(self, session: Session, *, keyring: Keyring, settings: Settings) -> None:
        self._session = session
        self._keyring = keyring
        self._settings = settings
        self._clock = clock_of(session)
        self._resets = PasswordResetRepository(session)
        self._people = PersonRepository(session)

    def request(self, email: str, origin: Origin) -> None:
        """Has a mail sent with which whoever reads it may choose a new password; to nobody, if nobody may sign in with that."""
        if not self._settings.sends_mail:
            raise Refused("this network sends no mail; ask its operator for a new password", code="no_mail")
        TryCounter(self._session).count_reset(email, origin)
        person = self._people.by_email(email_key(email))
        may_reset = person is not None and person.disabled_at is None and person.password_hash is not None
        token = mailed_token(TokenKind.RESET, self._keyring)
        at = self._clock.now()
        reset = PasswordReset(
            id=token.id,
            token_hash=token.hash,
            person_id=person.id if person is not None and may_reset else None,
            created_at=at,
            expires_at=at + LIFETIME,
        )
        self._resets.add(reset)
        post_mail(self._session, MailKind.PASSWORD_RESET, reset.id)

    def link(self, reset: PasswordReset) -> str:
        """Where the person chooses a new password."""
        token = known_token(TokenKind.RESET, self._keyring, reset.id, reset.token_hash)
        reset.token_hash = token.hash
        return f"{self._settings.console_url.rstrip('/')}/new-password?token={token.text}"

    def still_open(self, reset_id: str) -> tuple[PasswordReset, Person] | None:
        """The reset with this id and whose it is, if it is anybody's and may still be used."""
        reset = self._resets.by_id(reset_id)
        person = self._people.by_id(reset.person_id) if reset is not None and reset.person_id is not None else None
        if reset is None or person is None or reset.used_at is not None or reset.expires_at <= self._clock.now():
            return None
        return reset, person

    def person_of(self, token: str) -> Person:
        """Whose password a token may change."""
        id = id_in(TokenKind.RESET, token)  # noqa: A001
        reset = self._resets.by_id(id) if id else None
        if reset is None or not matches(token, reset.token_hash) or reset.person_id is None:
            raise NotFound("this link is unknown; is it complete?", code="reset_unknown")
        if reset.used_at is not None or reset.expires_at <= self._clock.now():
            raise _ended()
        person = self._people.by_id(reset.person_id)
        assert person is not None, reset.person_id
        return person

    def perform(self, token: str, password_hash: str) -> None:
        """Gives the person a new password, and ends all its sessions. The token, and all others of the person, are used up."""
        person = self._people.lock(self.person_of(token).id)
        assert person is not None, "people stay"
        id = id_in(TokenKind.RESET, token)  # noqa: A001
        if id is None or not self._resets.use_all_of(person.id, id, self._clock.now()):
            raise _ended()
        TryCounter(self._session).password_was_good(person.email)  # others' attempts at the old one are no matter now
        PeopleService(self._session).set_password(
            person, password_hash, must_change=False, actor=person_actor(person.id)
        )


def _ended() -> Conflict:
    return Conflict("this link was used, or is older than an hour; ask for another one", code="reset_ended")
