"""How often somebody may try a password or a code: by account, and by the address that it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Network, ip_address

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import ClearingError, RateLimited
from clearing.parties.staff.emails import email_key
from clearing.parties.staff.sessions import Origin
from clearing.parties.staff.tries_repository import SignInTriesRepository

MOST_OF_ACCOUNT = 10
MOST_OF_ADDRESS = 100
"""Attempts in a window. An office of a hundred may share an address; nobody shares an account."""
MOST_RESETS = 3
"""Mails with a new password that one account may get in a window."""
TRIES_WINDOW = timedelta(minutes=15)


class TryCounter:
    """Counts attempts in one transaction. What counts before the outcome is known is exact, however many try at once."""

    def __init__(self, session: Session) -> None:
        self._clock = clock_of(session)
        self._tries = SignInTriesRepository(session)

    def count_sign_in(self, email: str, origin: Origin) -> None:
        """Counts an attempt to sign in. Raises RateLimited after too many."""
        self._count(_account(email), MOST_OF_ACCOUNT)
        self._count(_address(origin), MOST_OF_ADDRESS)

    def count_address(self, origin: Origin) -> None:
        """Counts an attempt that names no account. Raises RateLimited after too many from one address."""
        self._count(_address(origin), MOST_OF_ADDRESS)

    def was_good(self, email: str, origin: Origin) -> None:
        """Forgets the attempts on an account, because the last one was good; the address may have others."""
        self._tries.forget(_account(email))
        self._tries.give_back(_address(origin))

    def address_was_good(self, origin: Origin) -> None:
        """Takes back an attempt that named no account, because it was good."""
        self._tries.give_back(_address(origin))

    def count_password(self, email: str) -> None:
        """Counts an attempt at the password of somebody who is signed in. Raises RateLimited after too many."""
        self._count(_account(email), MOST_OF_ACCOUNT)

    def password_was_good(self, email: str) -> None:
        """Forgets the attempts at a password."""
        self._tries.forget(_account(email))

    def count_code(self, person_id: str) -> None:
        """Counts an attempt at the first code of a person's app. Raises RateLimited after too many."""
        self._count(f"code:{person_id}", MOST_OF_ACCOUNT)

    def code_was_good(self, person_id: str) -> None:
        """Forgets the attempts at a first code."""
        self._tries.forget(f"code:{person_id}")

    def count_reset(self, email: str, origin: Origin) -> None:
        """Counts a wish for a new password. Raises RateLimited after too many."""
        self._count(f"reset:{_hash(email)}", MOST_RESETS)
        self._count(_address(origin), MOST_OF_ADDRESS)

    def _count(self, subject: str, most: int) -> None:
        now = self._clock.now()
        counted = self._tries.count(subject, at=now, since=now - TRIES_WINDOW)
        if counted.tries > most:
            wait = max(1, math.ceil((counted.since + TRIES_WINDOW - now).total_seconds()))
            detail = f"too many attempts; wait {wait} seconds, then try again"
            raise RateLimited(detail, code="too_many_sign_ins", retry_after=wait)


@contextmanager
def forgiving(forgive: Callable[[TryCounter], None], kind: type[ClearingError] = ClearingError) -> Iterator[None]:
    """What is refused meanwhile was no wrong try: with the refusal, the attempt is taken back."""
    try:
        yield
    except kind as refusal:
        refusal.counted_by(lambda session: forgive(TryCounter(session)))
        raise


def _account(email: str) -> str:
    return f"account:{_hash(email)}"


def _hash(email: str) -> str:
    return sha256(email_key(email).encode()).hexdigest()


def _address(origin: Origin) -> str:
    return f"address:{_network(origin.address) or 'unknown'}"


def _network(address: str) -> str:
    """An address of IPv4. Of IPv6 its network of 64 bits: all of them belong to one customer, who could take another for each
    attempt."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), 64), strict=False))
