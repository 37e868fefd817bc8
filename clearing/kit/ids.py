"""Prefixed ids: `mer_01k...`. They sort by time of creation and never carry meaning."""

from __future__ import annotations

import secrets
import time
from base64 import b32hexencode

_CROCKFORD = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUV",
    b"0123456789abcdefghjkmnpqrstvwxyz",  # no i, l, o, u
)


def new_id(prefix: str) -> str:
    """`prefix` + `_` + 26 characters: 48 bits of milliseconds, then 80 random bits (a ULID)."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    digits = b32hexencode(value.to_bytes(20, "big"))  # 32 digits, of which the first six are zeros
    return f"{prefix}_{digits[6:].translate(_CROCKFORD).decode()}"
