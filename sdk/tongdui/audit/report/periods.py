"""Days put together to as many bars as a chart can show: days, weeks, months or years."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

_MOST_DAYS, _MOST_WEEKS, _MOST_MONTHS = 31, 26, 48


@dataclass(frozen=True, slots=True)
class Periods:
    """Labels in order, and the place among them of each day."""

    labels: tuple[str, ...]
    label_of: Callable[[str], str]
    unit: str
    """`day`, `week`, `month` or `year`. A week is called by its Monday."""

    def place(self, day: str) -> int:
        """Where a day, written as `2026-11-26`, belongs."""
        return self.labels.index(self.label_of(day))


def periods_of(first: str, last: str) -> Periods:
    """The periods from one day to another."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    unit, label_of = _division((end - start).days + 1)
    labels = tuple(dict.fromkeys(label_of(day.isoformat()) for day in _days(start, end)))
    return Periods(labels, label_of, unit)


def _division(days: int) -> tuple[str, Callable[[str], str]]:
    """How so many days are put together: the unit, and what a day's period is called."""
    if days <= _MOST_DAYS:
        return "day", str
    if days <= 7 * _MOST_WEEKS:
        return "week", _monday
    return ("month", _month) if days <= 31 * _MOST_MONTHS else ("year", _year)


def _days(start: date, end: date) -> Iterator[date]:
    for number in range((end - start).days + 1):
        yield start + timedelta(number)


def _monday(day: str) -> str:
    known = date.fromisoformat(day)
    return (known - timedelta(known.weekday())).isoformat()


def _month(day: str) -> str:
    return day[:7]


def _year(day: str) -> str:
    return day[:4]
