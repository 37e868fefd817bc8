"""Passwords: which are good, and how they are stored (argon2id)."""

from __future__ import annotations

import secrets
import string
import unicodedata
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from clearing.kit.errors import InvalidRequest

SHORTEST, LONGEST = 12, 256
_LEAST_DIFFERENT = 5
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""What OWASP recommends: a hash takes 19 MiB and some 20 ms. Attempts are limited, so guessing needs the stored hashes."""
_AT_ONCE = BoundedSemaphore(2)
"""Many sign-ins at once must not take all memory and all processors."""
_EASY_TO_READ = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))


def hash_of(password: str) -> str:
    """What is stored of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password.encode(errors="surrogateescape"))


def verifies(password: str, stored: str | None) -> bool:
    """Whether this is the password whose hash is stored. It takes equally long if nothing is."""
    other = _nobodys()  # made now in any case, so that the first to ask learns nothing from the time it takes
    with _AT_ONCE:
        try:
            _HASHER.verify(stored or other, password.encode(errors="surrogateescape"))
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than those of today."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _nobodys() -> str:
    return hash_of(secrets.token_hex(16))


def random_password() -> str:
    """A password that a person can copy from a screen."""
    return "-".join("".join(secrets.choice(_EASY_TO_READ) for _ in range(5)) for _ in range(4))


def require_good(password: str, email: str, pointer: str = "/password") -> None:
    """Refuses a password that somebody would guess."""
    if len(password) < SHORTEST:
        raise InvalidRequest.at(pointer, f"must have at least {SHORTEST} characters", code="weak_password")
    if len(set(password)) < _LEAST_DIFFERENT:
        detail = f"must have at least {_LEAST_DIFFERENT} different characters"
        raise InvalidRequest.at(pointer, detail, code="weak_password")
    name = _folded(email).partition("@")[0]
    if len(name) > 2 and name in _folded(password):
        raise InvalidRequest.at(pointer, "must not contain your address", code="weak_password")


def _folded(text: str) -> str:
    """The same text for many ways of writing it: wide, large and small letters."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
