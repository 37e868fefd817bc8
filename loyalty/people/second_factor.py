"""The second factor: one-time codes of an app (TOTP, RFC 6238), each good once, and recovery codes for when the phone is lost."""

from __future__ import annotations

import hmac
import io
import secrets
from base64 import b32encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import pyotp
import segno
from sqlalchemy.orm import Session

from loyalty.kit.database import clock_of
from loyalty.people.models import Person, RecoveryCode
from loyalty.people.repository import PersonRepository
from loyalty.people.sealing import Seal

ISSUER: Final = "Tongdui loyalty"
"""What the app shows beside the login."""
_STEP_SECONDS: Final = 30
_SECRET_BYTES: Final = 20
"""As RFC 4226 recommends, and what every app takes."""
_NEIGHBOURS: Final = (0, -1, 1)
"""Steps beside the current one whose code is taken: clocks differ."""
_CODES: Final = 10
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without I, L, O and U."""
_MISREAD = str.maketrans("OIL", "011", "- ")


@dataclass(frozen=True, slots=True)
class NewApp:
    """What a person's app needs."""

    secret: str
    picture: str
    """The same as a QR code (SVG)."""


class SecondFactorService:
    """Second factors in one transaction."""

    def __init__(self, session: Session, seal: Seal) -> None:
        self._session = session
        self._seal = seal
        self._people = PersonRepository(session)

    def begin(self, person: Person) -> NewApp:
        """Makes a secret for the person's app, in the place of one that was there."""
        person.totp_secret = self._seal.close(_purpose(person), secrets.token_bytes(_SECRET_BYTES))
        person.totp_step = None
        return self.shown(person)

    def shown(self, person: Person) -> NewApp:
        """What the person's app needs, while the person sets it up."""
        totp = self._totp(person)
        image = io.BytesIO()
        code = segno.make_qr(totp.provisioning_uri(name=person.login, issuer_name=ISSUER), error="m")
        code.save(image, kind="svg", xmldecl=False, nl=False, omitsize=True, dark="#000", light="#fff")
        return NewApp(totp.secret, image.getvalue().decode())

    def accepts(self, person: Person, code: str) -> bool:
        """Whether this is a code of the person's app or a recovery code, and was not used before. It uses the code up."""
        typed = _plain(code)
        now = clock_of(self._session).now()
        if len(typed) != 6:
            return self._people.use_code(person.id, _hash(typed), now)
        if person.totp_secret is None:
            return False
        totp, current = self._totp(person), int(now.timestamp()) // _STEP_SECONDS
        for step in (current + offset for offset in _NEIGHBOURS):
            if hmac.compare_digest(totp.at(step * _STEP_SECONDS).encode(), typed.encode()):
                is_new = person.totp_step is None or step > person.totp_step
                person.totp_step = step if is_new else person.totp_step
                return is_new
        return False

    def new_recovery_codes(self, person: Person) -> list[str]:
        """Makes recovery codes in the place of the old ones."""
        self._people.forget_codes(person.id)
        codes = ["-".join(_letters(5) for _ in range(3)) for _ in range(_CODES)]
        self._people.add(
            *(RecoveryCode(person_id=person.id, code_hash=_hash(_plain(code)), used_at=None) for code in codes)
        )
        return codes

    def _totp(self, person: Person) -> pyotp.TOTP:
        assert person.totp_secret is not None
        return pyotp.TOTP(b32encode(self._seal.open(_purpose(person), person.totp_secret)).decode())


def _purpose(person: Person) -> str:
    """What a person's secret is sealed for: it is good for nobody else."""
    return f"totp {person.id}"


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _plain(code: str) -> str:
    """A code's signs alone, however a person typed them."""
    return code.upper().translate(_MISREAD)


def _hash(code: str) -> bytes:
    return sha256(code.encode(errors="surrogateescape")).digest()
