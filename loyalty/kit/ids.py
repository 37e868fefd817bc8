"""Ids such as `wsh_01k...`: they sort by the time of their creation and mean nothing else. They keep the system's time."""

from __future__ import annotations

import secrets
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's: without i, l, o and u."""
_PLACES = range(125, -1, -5)
"""Of 26 digits."""


def earlier(known: str, seconds: int) -> str:
    """What sorts before every id that was made up to so many seconds before this one was."""
    prefix, _, digits = known.rpartition("_")
    number = 0
    for digit in digits:
        number = number << 5 | _DIGITS.index(digit)
    return _written(prefix, max(0, (number >> 80) - 1_000 * seconds) << 80)


def new_id(prefix: str) -> str:
    """A new id: the prefix, `_` and a ULID (48 bits of milliseconds, 80 random bits)."""
    return new_ids(prefix, 1)[0]


def new_ids(prefix: str, count: int) -> list[str]:
    """New ids that sort in the order of the list, also within a millisecond."""
    first = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(79)  # half of the room is above it
    return [_written(prefix, number) for number in range(first, first + count)]


def _written(prefix: str, number: int) -> str:
    return f"{prefix}_{''.join([_DIGITS[number >> place & 31] for place in _PLACES])}"
