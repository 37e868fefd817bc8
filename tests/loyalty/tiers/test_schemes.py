"""Tier schemes: what is refused when one is written, which days count, what is reached and what is missing."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import Any

import pytest

from loyalty.activity.measures import Measures
from loyalty.plans.reading import PlanError
from loyalty.tiers.schemes import Calendar, Rolling, read_tier_scheme, write_tier_scheme
from tests.loyalty.tiers.schemes import plain, scheme

YUAN = 1_000_000


def changed(*path: Any, to: Any) -> dict[str, Any]:
    found: Any = copy.deepcopy(plain())
    inner = found
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = to
    return dict(found)


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        (changed("levels", 0, "needs", to={"visits": 1}), "levels[0].needs", "everybody has the first level"),
        (changed("levels", 1, "needs", to={}), "levels[1].needs", "write points, spend_fen, litres or visits"),
        (changed("levels", 1, "needs", to=None), "levels[1].needs", "only the first level needs nothing"),
        (changed("levels", 1, "id", to="bronze"), "levels[1].id", "is there twice"),
        (changed("levels", 2, "needs", "spend_fen", to=50_000), "levels[2].needs.spend_fen", "must be more than"),
        (changed("levels", 1, "coefficient", to=1.5), "levels[1].coefficient", "basis points"),
        (changed("levels", 1, "neds", to=1), "levels[1].neds", "did you mean needs?"),
        (changed("window", to={"kind": "yearly"}), "window", "kind 'yearly' is not known"),
        (changed("window", "dayz", to=3), "window.dayz", "did you mean days?"),
        (changed("effective", to={}), "effective.from", "write the day from which it is in force"),
        (changed("grace_days", to=-1), "grace_days", "greater than or equal to 0"),
    ],
)
def test_every_mistake_is_told_with_its_place(written: dict[str, Any], place: str, says: str) -> None:
    with pytest.raises(PlanError) as refused:
        read_tier_scheme(json.dumps(written))
    (problem,) = refused.value.problems
    assert problem.place == place
    assert says in problem.message


def test_what_is_written_is_read_again() -> None:
    for window in ({"kind": "rolling", "days": 7}, {"kind": "calendar", "each": "quarter"}):
        found = scheme(window=window, reached_by="all")
        assert read_tier_scheme(write_tier_scheme(found)) == found


def test_a_rolling_window_ends_today() -> None:
    assert Rolling(days=1).windows(date(2026, 3, 1)) == ((date(2026, 3, 1), date(2026, 3, 1)),)
    assert Rolling(days=30).windows(date(2026, 3, 1)) == ((date(2026, 1, 31), date(2026, 3, 1)),)


@pytest.mark.parametrize(
    ("each", "now", "before"),
    [
        ("month", date(2026, 1, 1), (date(2025, 12, 1), date(2025, 12, 31))),
        ("quarter", date(2026, 1, 1), (date(2025, 10, 1), date(2025, 12, 31))),
        ("year", date(2026, 1, 1), (date(2025, 1, 1), date(2025, 12, 31))),
    ],
)
def test_a_calendar_window_counts_the_one_before_too(each: Any, now: date, before: tuple[date, date]) -> None:
    day = date(2026, 1, 15)
    assert Calendar(each=each).windows(day) == ((now, day), before)


def test_a_level_is_reached_by_any_or_all_of_what_it_needs() -> None:
    much_money, much_fuel = Measures(1, 500 * YUAN, 0, 0), Measures(1, 0, 60_000, 0)
    assert [scheme().reached(one) for one in (Measures(), much_money, much_fuel)] == [0, 1, 1]
    strict = scheme(reached_by="all")
    assert [strict.reached(one) for one in (much_money, much_fuel, Measures(1, 500 * YUAN, 60_000, 0))] == [0, 0, 1]


def test_a_fen_or_a_drop_less_is_not_enough() -> None:
    assert scheme().reached(Measures(1, 500 * YUAN - 1, 59_999, 0)) == 0


def test_what_is_missing_is_told_in_whole_units() -> None:
    found = scheme()
    assert found.missing(found.levels[1], Measures(1, 499 * YUAN + 1, 59_999, 0)) == {"spend_fen": 100, "litres": 1}
    assert found.missing(found.levels[1], Measures(1, 0, 60_000, 0)) == {}
    assert found.missing(found.levels[0], Measures()) == {}
