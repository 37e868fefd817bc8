"""The second factor: one-time codes of an app (TOTP, RFC 6238), each good once, and recovery codes for when the app is lost."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime

import pyotp
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Conflict, Refused
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.one_time_codes import hash_of, new_code, plain
from clearing.kit.signing.keyring import Keyring
from clearing.parties.access.actors import person_actor
from clearing.parties.staff.models import Person
from clearing.parties.staff.repository import PersonRepository
from clearing.parties.staff.second_factor_repository import RecoveryCodeRepository

_STEP_SECONDS = 30
_SECRET_BYTES = 20
"""As RFC 4226 recommends, and what every app takes."""
_NEIGHBOURS = (0, -1, 1)
"""Steps beside the current one whose code is taken: clocks differ."""
_CODES = 10


@dataclass(frozen=True, slots=True)
class NewTotp:
    """What a person's app needs, shown once."""

    secret: str
    uri: str


class SecondFactorService:
    """Second factors in one transaction."""

    def __init__(self, session: Session, *, keyring: Keyring) -> None:
        self._session = session
        self._keyring = keyring
        self._people = PersonRepository(session)
        self._codes = RecoveryCodeRepository(session)
        self._events = EventRecorder(session)

    def begin(self, person: Person, issuer: str) -> NewTotp:
        """Makes a secret for the person's app. It counts once the person has shown a code of it."""
        if person.has_second_factor:
            raise Conflict("you have an app for one-time codes already; remove it first", code="second_factor_exists")
        raw = secrets.token_bytes(_SECRET_BYTES)
        person.totp_secret = self._keyring.seal(seal_purpose(person.id), raw)
        secret = b32encode(raw).decode()
        uri = pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=issuer)
        return NewTotp(secret, uri)

    def confirm(self, person: Person, code: str, actor: str) -> list[str]:
        """Takes the first code of the person's app; from now on the person needs one to sign in. Returns its recovery codes."""
        if person.has_second_factor:
            raise Conflict("your app for one-time codes works already", code="second_factor_exists")
        if person.totp_secret is None:
            raise Refused("begin with POST /v1/profile/totp: there is no secret yet", code="second_factor_missing")
        if not self.accepts(person, code):
            raise wrong_code("/one_time_code")
        person.totp_since = clock_of(self._session).now()
        self._events.record("staff.second_factor_added", person.id, actor=actor, data={})
        return self._renew(person)

    def remove(self, person: Person, actor: str) -> None:
        """Forgets the person's app and its recovery codes."""
        person.totp_secret = person.totp_since = None
        self._codes.replace(person.id, [])
        self._events.record("staff.second_factor_removed", person.id, actor=actor, data={})

    def new_recovery_codes(self, person: Person, actor: str) -> list[str]:
        """Makes recovery codes in the place of the old ones."""
        if not person.has_second_factor:
            raise Refused(
                "you have no app for one-time codes, so there is nothing to recover", code="second_factor_missing"
            )
        self._events.record("staff.recovery_codes_renewed", person.id, actor=actor, data={})
        return self._renew(person)

    def accepts(self, person: Person, code: str) -> bool:
        """Whether this is a code of the person's app that was not used before. It uses the code up."""
        if person.totp_secret is None:
            return False
        step = _step_of(pyotp.TOTP(self._secret(person)), code, clock_of(self._session).now())
        return step is not None and self._people.use_step(person.id, step)

    def accepts_recovery(self, person: Person, code: str) -> bool:
        """Whether this is one of the person's recovery codes that was not used before. It uses the code up."""
        if not self._codes.use(person.id, hash_of(code), clock_of(self._session).now()):
            return False
        left = self._codes.count_unused(person.id)
        self._events.record("staff.recovery_code_used", person.id, actor=person_actor(person.id), data={"left": left})
        return True

    def left(self, person: Person) -> int:
        """How many recovery codes the person has not used."""
        return self._codes.count_unused(person.id)

    def _renew(self, person: Person) -> list[str]:
        codes = [new_code(5, 5, 5) for _ in range(_CODES)]
        self._codes.replace(person.id, [hash_of(code) for code in codes])
        return codes

    def _secret(self, person: Person) -> str:
        assert person.totp_secret is not None
        return b32encode(self._keyring.unseal(seal_purpose(person.id), person.totp_secret)).decode()


def wrong_code(pointer: str) -> Refused:
    """The refusal of a code that is wrong, or was used before."""
    detail = "is wrong, or was used before; wait for the next code of your app"
    error = Refused.at(pointer, detail, code="wrong_one_time_code")
    assert isinstance(error, Refused)
    return error


def seal_purpose(person_id: str) -> str:
    """What a person's secret is sealed for: it is good for nobody else."""
    return f"totp {person_id}"


def _step_of(totp: pyotp.TOTP, code: str, at: datetime) -> int | None:
    """The step of time whose code this is; None if it is none of now."""
    digits = plain(code)
    now = int(at.timestamp()) // _STEP_SECONDS
    for offset in _NEIGHBOURS:
        if hmac.compare_digest(totp.at((now + offset) * _STEP_SECONDS).encode(), digits.encode()):
            return now + offset
    return None
