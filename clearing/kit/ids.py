"""Prefixed ids such as `mer_01k...`. They sort by the time of their creation and mean nothing else.

They keep the system's time even where a clock was moved: ids must stay unique and sorted.
"""

from __future__ import annotations

import secrets
import time
from base64 import b32hexencode

_CROCKFORD = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUV",
    b"0123456789abcdefghjkmnpqrstvwxyz",  # no i, l, o, u
)


def new_id(prefix: str) -> str:
    """A new id: the prefix, `_` and a ULID of 26 characters (48 bits of milliseconds, 80 random bits)."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    digits = b32hexencode(value.to_bytes(20, "big"))  # 32 digits; the first six are zeros
    return f"{prefix}_{digits[6:].translate(_CROCKFORD).decode()}"
