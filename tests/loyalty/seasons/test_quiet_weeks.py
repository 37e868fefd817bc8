"""The weeks in which a station sells least, whatever its history looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.seasons.quiet_weeks import LEAST_KNOWN, THIRD, Day, QuietPeriod, TooLittleKnown, week_of, year_of

TODAY = date(2026, 11, 28)


def history(days: int, spend: Callable[[date], int]) -> list[Day]:
    """So many days up to yesterday, with a tenth of a point for each micro."""
    found = (TODAY - timedelta(days=back) for back in range(1, days + 1))
    return [Day(day, spend(day), spend(day) // 10) for day in found]


def periods_of(days: Sequence[Day], today: date) -> Sequence[QuietPeriod]:
    """The quiet periods, which are the runs of the year's quiet weeks."""
    year = year_of(days, today)
    mondays = {period.first_day + timedelta(weeks=at) for period in year.periods for at in range(period.weeks)}
    assert {week.first_day for week in year.weeks if week.is_quiet} == mondays
    assert len(year.weeks) == 52
    return year.periods


def test_a_quiet_winter_is_found() -> None:
    winter = {52, *range(1, 17)}  # 17 weeks
    (period,) = periods_of(history(365, lambda day: 300 if week_of(day) in winter else 900), TODAY)
    assert (period.first_day, period.last_day) == (date(2026, 12, 21), date(2027, 4, 25))
    assert period.weeks == THIRD + 1, "2026 has a 53rd week, which counts with the 52nd"
    average = Fraction(17 * 300 + 35 * 900, 52)
    assert period.share == 300 / average
    assert period.spend_micros == period.weeks * 7 * 300
    assert period.points == period.weeks * 7 * 30


def test_two_seasons_are_two_periods() -> None:
    quiet = {*range(5, 13), *range(30, 39)}
    periods = periods_of(history(730, lambda day: 1 if week_of(day) in quiet else 2), TODAY)
    assert [period.weeks for period in periods] == [8, 9]


def test_a_day_without_sales_makes_no_week_quiet() -> None:
    closed = date(2026, 6, 3)
    days = [day for day in history(365, lambda day: 100 - week_of(day)) if day.day != closed]
    assert all(not period.first_day <= date(2027, 6, 3) <= period.last_day for period in periods_of(days, TODAY))


def test_too_little_history_suggests_nothing() -> None:
    with pytest.raises(TooLittleKnown) as refused:
        periods_of(history(7 * (LEAST_KNOWN - 2), lambda _day: 1), TODAY)
    assert "are needed" in str(refused.value)


@given(
    spends=st.lists(st.integers(0, 10**12), min_size=53, max_size=53),
    days=st.integers(380, 1_100),
    today=st.dates(date(2026, 1, 1), date(2032, 12, 31)),
)
def test_periods_lie_in_the_coming_year_and_none_is_busier_than_what_is_left(
    spends: list[int], days: int, today: date
) -> None:
    known = [today - timedelta(days=back) for back in range(1, days + 1)]
    sold = [Day(day, spends[week_of(day)], 0) for day in known]
    periods = periods_of(sold, today)
    # A year of 53 weeks has its 52nd twice, and of one that begins in it, the last one may be left out.
    assert THIRD - 1 <= sum(period.weeks for period in periods) <= THIRD + 1
    for period in periods:
        assert today < period.first_day <= period.last_day <= today + timedelta(days=7 + 7 * 52)
        assert (period.first_day.weekday(), period.last_day.weekday()) == (0, 6)
    last = None
    for period in periods:
        assert last is None or period.first_day > last + timedelta(days=1), "what is one period is told as one"
        last = period.last_day
    quiet = {week_of(period.first_day + timedelta(weeks=at)) for period in periods for at in range(period.weeks)}
    most = max(spends[week] for week in quiet)
    assert sum(spends[week] < most for week in range(1, 53)) < THIRD
