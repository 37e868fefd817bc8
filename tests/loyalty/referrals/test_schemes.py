"""Referral schemes: what is refused when one is written, and what a newcomer's sales earn."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.plans.reading import PlanError
from loyalty.referrals.schemes import Part, months_later, read_referral_scheme, write_referral_scheme
from tests.loyalty.earning.programmes import SHANGHAI, fuel, line, sale
from tests.loyalty.referrals.written import plain

SCHEME = read_referral_scheme(json.dumps(plain()))


def on(day: int, *lines: Any) -> Any:
    return sale(*(lines or (fuel("20", "160"),)), time=datetime(2026, 1, 31, 12, tzinfo=SHANGHAI) + timedelta(day))


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        (plain(condition="customer.tier == 'gold'"), "condition", "may change between two sales"),
        (plain(again={"points": 1, "visits": 1, "months": 3}), "again.visits", "greater than or equal to 2"),
        (plain(referrer_points=0), "referrer_points", "greater than or equal to 1"),
        (plain(effective={}), "effective.from", "is missing"),
        (plain(newcomer_pionts=1), "newcomer_pionts", "did you mean newcomer_points?"),
    ],
)
def test_every_mistake_is_told_with_its_place(written: dict[str, Any], place: str, says: str) -> None:
    with pytest.raises(PlanError) as refused:
        read_referral_scheme(json.dumps(written))
    (problem,) = refused.value.problems
    assert problem.place == place
    assert says in problem.message


def test_what_is_written_is_read_again() -> None:
    assert read_referral_scheme(write_referral_scheme(SCHEME)) == SCHEME


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 31), 3, date(2026, 4, 30)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),
    ],
)
def test_a_month_later_is_the_same_day_or_the_months_last(day: date, months: int, later: date) -> None:
    assert months_later(day, months) == later


def test_the_first_completed_fill_rewards_both_and_the_second_within_three_months_again() -> None:
    both = {Part.NEWCOMER, Part.REFERRER}
    assert SCHEME.earned([]) == SCHEME.earned([on(0, line(1, "snack", "9"))]) == frozenset()
    assert SCHEME.earned([on(0)]) == both
    assert SCHEME.earned([on(0), on(88)]) == both | {Part.AGAIN}
    assert SCHEME.earned([on(0), on(89)]) == both, "the 30th of April is three months after the 31st of January"


@given(st.lists(st.integers(0, 200), max_size=8), st.randoms())
def test_order_does_not_matter_and_more_visits_take_nothing(days: list[int], chance: Any) -> None:
    shuffled = days[:]
    chance.shuffle(shuffled)
    earned = SCHEME.earned(map(on, days))
    assert SCHEME.earned(map(on, shuffled)) == earned
    assert SCHEME.earned(map(on, [*days, max(days, default=0) + 1])) >= earned
