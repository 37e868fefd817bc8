"""Passwords: which are good, and how they are kept (argon2id)."""

from __future__ import annotations

import secrets
from functools import cache
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from loyalty.kit.errors import Malformed

SHORTEST: Final = 12
LONGEST: Final = 256
_LEAST_DIFFERENT: Final = 5
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""What OWASP recommends: a hash takes 19 MiB and some 20 ms."""
_AT_ONCE = BoundedSemaphore(2)
"""Many sign-ins at once must not take all memory and all processors."""


def hash_of(password: str) -> str:
    """What is kept of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password.encode(errors="surrogateescape"))


def is_password(password: str, kept: str | None) -> bool:
    """Whether this is the password whose hash is kept. It takes equally long if there is none."""
    other = _nobodys()
    with _AT_ONCE:
        try:
            _HASHER.verify(kept or other, password.encode(errors="surrogateescape"))
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def require_good(password: str, login: str, pointer: str = "/password") -> None:
    """Refuses a password that somebody would guess."""
    if not SHORTEST <= len(password) <= LONGEST:
        detail = f"a password has {SHORTEST} to {LONGEST} characters"
    elif len(set(password)) < _LEAST_DIFFERENT:
        detail = f"a password has at least {_LEAST_DIFFERENT} different characters"
    elif login in password.lower():
        detail = "a password does not contain the login"
    else:
        return
    raise Malformed("weak_password", detail, pointer=pointer)


@cache
def _nobodys() -> str:
    return hash_of(secrets.token_hex(16))
