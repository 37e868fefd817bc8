"""Ids such as `wsh_01k...`: they sort by the time of their creation and mean nothing else. They keep the system's time."""

from __future__ import annotations

import secrets
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's: without i, l, o and u."""
_LENGTH = 26


def new_id(prefix: str) -> str:
    """A new id: the prefix, `_` and a ULID (48 bits of milliseconds, 80 random bits)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return f"{prefix}_{''.join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))}"
