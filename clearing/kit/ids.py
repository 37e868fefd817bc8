"""Prefixed ids such as `mer_01k...`. They sort by the time of their creation and mean nothing else.

They keep the system's time even where a clock was moved: ids must stay unique and sorted.
"""

from __future__ import annotations

import secrets
import time
from base64 import b32hexencode
from collections.abc import Sequence

_CROCKFORD = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUV",
    b"0123456789abcdefghjkmnpqrstvwxyz",  # no i, l, o, u
)


def new_id(prefix: str) -> str:
    """A new id: the prefix, `_` and a ULID of 26 characters (48 bits of milliseconds, 80 random bits)."""
    return new_ids([prefix])[0]


def new_ids(prefixes: Sequence[str]) -> list[str]:
    """A new id for each prefix. All random bits are drawn and written at once: orders and blocks need ids by the hundred."""
    now = _digits((time.time_ns() // 1_000_000).to_bytes(10, "big"))[6:]
    random = _digits(secrets.token_bytes(10 * len(prefixes)))
    return [f"{prefix}_{now}{random[16 * place : 16 * place + 16]}" for place, prefix in enumerate(prefixes)]


def _digits(raw: bytes) -> str:
    """Bytes, a multiple of five, with eight digits for each five of them."""
    return b32hexencode(raw).translate(_CROCKFORD).decode()
