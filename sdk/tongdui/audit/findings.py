"""What an audit says: what does not hold, and what it could not look at."""

from __future__ import annotations

from dataclasses import dataclass


class CannotCheck(Exception):
    """The audit cannot go on: the message says why and what to do. The command line ends with 2."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the chain something stands. What is unknown or makes no sense there is None."""

    block: int | None = None
    transaction: str | None = None
    """The transaction's hash, 0x and lower case."""
    batch: int | None = None
    index: int | None = None
    """The entry's place in its batch, from 0."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold, in words that a person can check."""

    rule: str
    """Stable code of the rule that is broken, such as `order.signature`. `RULES` says each of them in a sentence."""
    subject: str
    """Whose: `order 7 of merchant 2`, `balance of 0x.. in program 1`."""
    expected: str
    found: str
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that this audit did not look at, and why."""

    what: str
    why: str
