"""Signing in by a one-time code. Whether a phone is a customer's, nobody learns: all that is shown and counted is the same."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
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

    def ask(self, phone: str, *, browser: str, address: str, is_invited: bool = False) -> CodeToSend | None:
        """Makes a code for a browser; what is to be sent, or None if the phone is nobody's and nobody has invited whoever has it. A
        code of before is good no more.

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
                invited_phone=phone if is_invited else None,
            )
        )
        return CodeToSend(phone, code) if identifier is not None or is_invited else None

    def asked(self, browser: str) -> str | None:
        """The phone, masked, for which a browser has a code that can still be typed."""
        found = self._codes.code(hash_of(browser))
        return found.phone if found is not None and self._is_good(found) else None

    def enter(self, code: str, *, browser: str, device: str) -> str:
        """Begins a session; its secret. `device` is what the browser calls itself. A wrong code is counted: whoever catches it
        commits all the same.

        Raises:
            WrongCode: It is another one.
            NoCode: No code is good, or this was the last try.
        """
        found = self._used(code, browser, lambda one: one.customer_id is not None)
        assert found.customer_id is not None, "it was looked at"
        assert found.identifier_id is not None, "a customer's code went to a phone"
        self._customers.see(self._customers.get(found.customer_id), device)
        return self._sessions.begin(found.customer_id, found.identifier_id)

    def prove(self, code: str, *, browser: str) -> str:
        """The phone of somebody who was invited and has the code that it was sent. Raises what `enter` does."""
        found = self._used(code, browser, lambda one: one.invited_phone is not None)
        assert found.invited_phone is not None, "it was looked at"
        return found.invited_phone

    def begin(self, phone: str) -> str:
        """Begins a session of the customer who has proved that this phone is theirs; its secret."""
        identifier = self._customers.identifier_of(Shown(IdentifierKind.PHONE, phone))
        assert identifier is not None, "whoever was invited has joined with it"
        return self._sessions.begin(identifier.customer_id, identifier.id)

    def _used(self, code: str, browser: str, is_fit: Callable[[SignInCode], bool]) -> SignInCode:
        """The code of a browser, which is good no more. Raises WrongCode and NoCode."""
        found = self._codes.code(hash_of(browser), for_update=True)
        if found is None or not self._is_good(found):
            raise NoCode
        if not hmac.compare_digest(found.code_hash, self._hash(browser, code)) or not is_fit(found):
            found.tries += 1
            raise WrongCode if self._is_good(found) else NoCode
        self._codes.forget_code(found.browser_hash)
        return found

    def _is_good(self, found: SignInCode) -> bool:
        age = clock_of(self._session).now() - found.created_at
        return found.tries < MOST_TRIES and age <= timedelta(minutes=GOOD_MINUTES)

    def _hash(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\n".join(parts).encode(errors="surrogateescape"), "sha256")
