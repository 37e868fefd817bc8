"""Days of the network, counted from 1970-01-01 in its time zone, as people write them."""

from __future__ import annotations

from datetime import date

_EPOCH = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal() - _EPOCH


def day_text(day: int) -> str:
    """A day as `2026-11-26`; one that no calendar has as `day 4294967295`."""
    return date.fromordinal(_EPOCH + day).isoformat() if day <= _LAST_DAY else f"day {day}"


def month_text(day: int) -> str:
    """The month of a day as `2026-11`; `later` for one that no calendar has."""
    return day_text(day)[:7] if day <= _LAST_DAY else "later"


def day_number(day: date) -> int:
    """The number of a day."""
    return day.toordinal() - _EPOCH
