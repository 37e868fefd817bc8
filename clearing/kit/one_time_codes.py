"""Codes that people read to each other and type: Crockford's base 32, which has no letter that looks like a digit.

Only a code's hash is stored.
"""

from __future__ import annotations

import secrets
from hashlib import sha256

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U
_MISREAD = str.maketrans("OIL", "011", "- ")


def new_code(*groups: int) -> str:
    """A random code in groups of so many symbols, such as `K7Q2-9XM4-RT0B`. Each symbol is worth 5 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(size)) for size in groups)


def plain(code: str) -> str:
    """The code's symbols alone, however a person typed them: small letters, spaces, an O for a zero."""
    return code.upper().translate(_MISREAD)


def hash_of(code: str) -> bytes:
    """The hash of a code, however a person typed it."""
    return sha256(plain(code).encode()).digest()
