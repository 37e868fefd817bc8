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
    return new_ids(prefix, 1)[0]


def new_ids(prefix: str, count: int) -> list[str]:
    """Many new ids. The random bits are drawn together: each draw is a call of the system."""
    time_bits = time.time_ns() // 1_000_000 << 80
    bits = secrets.token_bytes(10 * count)
    return [
        f"{prefix}_{_ulid(time_bits | int.from_bytes(bits[start : start + 10], 'big'))}"
        for start in range(0, len(bits), 10)
    ]


def _ulid(value: int) -> str:
    digits = b32hexencode(value.to_bytes(20, "big"))  # 32 digits; the first six are zeros
    return digits[6:].translate(_CROCKFORD).decode()
