"""When a customer moves: up at once, down after the grace, and down at once where a return undoes what had lifted them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class MoveCause(StrEnum):
    """Why a customer has another tier."""

    REACHED = "reached"
    """Enough was bought."""
    GRACE_OVER = "grace_over"
    """Too little was bought, and the grace is over."""
    RETURNED = "returned"
    """What had lifted them was given back."""
    SCHEME = "scheme"
    """Another scheme is in force."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands: the rank, and the last day of the grace if they have too little for it."""

    rank: int
    grace_until: date | None = None


def stand(
    now: Standing, reached: int, day: date, grace_days: int, *, reached_before_return: int | None = None
) -> tuple[Standing, MoveCause | None]:
    """Where a customer stands on a day, and why it is another rank if it is one.

    Args:
        now: Where they stand until now.
        reached: The rank that their windows reach on that day.
        day: The day.
        grace_days: How many days they keep a rank that they no longer reach.
        reached_before_return: The rank that they reached until a return was booked just now.

    Returns:
        The standing, and the cause of a move.
    """
    if reached > now.rank:
        return Standing(reached), MoveCause.REACHED
    if reached == now.rank:
        return Standing(reached), None
    if reached_before_return is not None and reached < reached_before_return and reached_before_return >= now.rank:
        return Standing(reached), MoveCause.RETURNED
    until = now.grace_until or day + timedelta(grace_days)
    if day >= until:
        return Standing(reached), MoveCause.GRACE_OVER
    return Standing(now.rank, until), None
