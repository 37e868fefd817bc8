"""The weeks of a year in which a station sells least: its lowest third. Pure.

Weeks are those of ISO 8601; the few days of a 53rd week count with the 52nd. A week is as good as its average day, over all the
years that are known, so a week that was closed for a day is not a bad one, and years may overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

WEEKS = 52
THIRD = WEEKS // 3
"""How many weeks are the lowest third."""
LEAST_KNOWN = 40
"""So many of a year's weeks have to be known: otherwise the lowest ones may be those that nobody has seen."""
_WEEK = timedelta(weeks=1)
_DAYS = 7


@dataclass(frozen=True, slots=True)
class Day:
    """What a station sold on a business day, less what came back of it.

    Attributes:
        day: The business day.
        spend_micros: For how much.
        points: What sales have earned, less what returns took back.
    """

    day: date
    spend_micros: int
    points: int


@dataclass(frozen=True, slots=True)
class QuietPeriod:
    """Weeks one after the other in which a station sells little.

    Attributes:
        first_day: A Monday.
        last_day: A Sunday.
        weeks: How many weeks that is.
        spend_micros: What it sells in such weeks, together, rounded down.
        share: What it sells in such a week, of what it sells in an average week.
        points: What sales earn in such weeks, together, rounded down.
    """

    first_day: date
    last_day: date
    weeks: int
    spend_micros: int
    share: Fraction
    points: int


@dataclass(frozen=True, slots=True)
class YearsWeek:
    """A week of the coming year, and what the station sells in such a week.

    Attributes:
        first_day: A Monday.
        spend_micros: What it sells then, rounded down; None if no such week is known.
        is_quiet: Whether it is one of the lowest third.
    """

    first_day: date
    spend_micros: int | None
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class Year:
    """The year that begins on the next Monday, with its quiet periods."""

    weeks: Sequence[YearsWeek]
    periods: Sequence[QuietPeriod]


class TooLittleKnown(Exception):
    """Too few weeks of the year are known."""

    def __init__(self, known: int) -> None:
        super().__init__(f"sales of {known} of a year's {WEEKS} weeks are known, and {LEAST_KNOWN} are needed")
        self.known = known


@dataclass(slots=True)
class _Week:
    days: int = 0
    spend: int = 0
    points: int = 0

    @property
    def a_day(self) -> Fraction:
        return Fraction(self.spend, self.days)


def week_of(day: date) -> int:
    """The number of a day's week, 1 to 52."""
    return min(day.isocalendar().week, WEEKS)


def year_of(days: Iterable[Day], today: date) -> Year:
    """The year that begins on the next Monday, by what the station sold before. Raises TooLittleKnown."""
    weeks: dict[int, _Week] = {}
    for one in days:
        week = weeks.setdefault(week_of(one.day), _Week())
        week.days += 1
        week.spend += one.spend_micros
        week.points += one.points
    if len(weeks) < LEAST_KNOWN:
        raise TooLittleKnown(len(weeks))
    lowest = set(sorted(weeks, key=lambda number: (weeks[number].a_day, number))[:THIRD])
    average = sum((week.a_day for week in weeks.values()), Fraction()) / len(weeks)
    mondays = _mondays(today)
    return Year(
        weeks=[_years_week(monday, weeks.get(week_of(monday)), lowest) for monday in mondays],
        periods=[_period(run, weeks, average) for run in _runs(lowest, mondays)],
    )


def _mondays(today: date) -> list[date]:
    monday = today + timedelta(days=_DAYS - today.weekday())
    return [monday + number * _WEEK for number in range(WEEKS)]


def _years_week(monday: date, known: _Week | None, lowest: set[int]) -> YearsWeek:
    spend = None if known is None else int(known.a_day * _DAYS)
    return YearsWeek(monday, spend, week_of(monday) in lowest)


def _runs(lowest: set[int], mondays: Sequence[date]) -> list[list[date]]:
    """Those of the Mondays that begin one of these weeks, those that follow each other together."""
    runs: list[list[date]] = []
    for begins in mondays:
        if week_of(begins) not in lowest:
            continue
        if runs and runs[-1][-1] == begins - _WEEK:
            runs[-1].append(begins)
        else:
            runs.append([begins])
    return runs


def _period(mondays: list[date], weeks: dict[int, _Week], average: Fraction) -> QuietPeriod:
    own = [weeks[week_of(monday)] for monday in mondays]
    spend = sum((week.a_day for week in own), Fraction()) * _DAYS
    points = sum((Fraction(week.points, week.days) for week in own), Fraction()) * _DAYS
    return QuietPeriod(
        first_day=mondays[0],
        last_day=mondays[-1] + timedelta(days=_DAYS - 1),
        weeks=len(mondays),
        spend_micros=int(spend),
        share=spend / _DAYS / len(own) / average if average else Fraction(1),
        points=max(0, int(points)),
    )
