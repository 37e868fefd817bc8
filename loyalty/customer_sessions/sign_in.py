"""Signing in by a one-time code. Whether a phone is a customer's, nobody learns: all that is shown and counted is the same."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from loyalty.attempts.service import AttemptService
from loyalty.customer_sessions.models import SignInCode
from loyalty.customer_sessions.repository import CustomerSessionRepository
from loyalty.customer_sessions.service import GOOD_MINUTES, CustomerSessionService
from loyalty.customers.identifiers import masked
from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.kit.database import clock_of
from loyalty.kit.sessions import Limits, hash_of

MOST_TRIES: Final = 5
"""So many wrong codes end a code."""
CODES_OF_A_PHONE: Final = 5
CODES_OF_AN_ADDRESS: Final = 30
WINDOW: Final = timedelta(hours=1)
"""For so long codes that were asked for count, and whoever asked for too many waits."""
_DIGITS: Final = 6


class TooManyCodes(Exception):
    """Too many codes were asked for of late, for this phone or from this address."""


class WrongCode(Exception):
    """This is not the code."""


class NoCode(Exception):
    """There is no code that is good: none was asked for, it is too old or used, or was tried too often."""


@dataclass(frozen=True, slots=True)
class CodeToSend:
    """A code, and to which phone it goes. Its text is shown nowhere."""

    phone: str
    code: str

    def __repr__(self) -> str:
        return "CodeToSend()"


class SignInService:
    """One-time codes in one transaction. `key` is the secret of the settings."""

    def __init__(self, session: Session, key: str, limits: Limits) -> None:
        assert key, "without a key, whoever has the database has every code"
        self._session = session
        self._key = key.encode()
        self._codes = CustomerSessionRepository(session)
        self._sessions = CustomerSessionService(session, limits)
        self._customers = CustomerService(session)
        self._attempts = AttemptService(session, WINDOW)

    def ask(self, phone: str, *, browser: str, address: str) -> CodeToSend | None:
        """Makes a code for a browser; what is to be sent, or None if the phone is nobody's. A code of before is good no more.

        Raises:
            TooManyCodes: Too many were asked for; no code was made.
        """
        subjects = (f"code:{self._hash('phone', phone).hex()}", f"code from:{address[:64]}")
        self._attempts.hold(*subjects)
        most = (CODES_OF_A_PHONE, CODES_OF_AN_ADDRESS)
        if any(self._attempts.of(subject) >= limit for subject, limit in zip(subjects, most, strict=True)):
            raise TooManyCodes
        for subject in subjects:
            self._attempts.count(subject)
        code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"
        identifier = self._customers.identifier_of(Shown(IdentifierKind.PHONE, phone))
        browser_hash = hash_of(browser)
        self._codes.forget_code(browser_hash)
        self._codes.add(
            SignInCode(
                browser_hash=browser_hash,
                code_hash=self._hash(browser, code),
                phone=masked(phone),
                customer_id=None if identifier is None else identifier.customer_id,
                identifier_id=None if identifier is None else identifier.id,
            )
        )
        return None if identifier is None else CodeToSend(phone, code)

    def asked(self, browser: str) -> str | None:
        """The phone, masked, for which a browser has a code that can still be typed."""
        found = self._codes.code(hash_of(browser))
        return found.phone if found is not None and self._is_good(found) else None

    def enter(self, code: str, *, browser: str) -> str:
        """Begins a session; its secret. A wrong code is counted: whoever catches it commits all the same.

        Raises:
            WrongCode: It is another one.
            NoCode: No code is good, or this was the last try.
        """
        found = self._codes.code(hash_of(browser), for_update=True)
        if found is None or not self._is_good(found):
            raise NoCode
        if not hmac.compare_digest(found.code_hash, self._hash(browser, code)) or found.customer_id is None:
            found.tries += 1
            raise WrongCode if self._is_good(found) else NoCode
        assert found.identifier_id is not None, "a customer's code went to a phone"
        self._codes.forget_code(found.browser_hash)
        return self._sessions.begin(found.customer_id, found.identifier_id)

    def _is_good(self, found: SignInCode) -> bool:
        age = clock_of(self._session).now() - found.created_at
        return found.tries < MOST_TRIES and age <= timedelta(minutes=GOOD_MINUTES)

    def _hash(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\n".join(parts).encode(errors="surrogateescape"), "sha256")
