"""Tasks: what is refused when one is written, what is reached, and that neither order nor what came back leaves a trace."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.plans.reading import PlanError
from loyalty.sales.net import what_is_left
from loyalty.sales.types import Return, ReturnedLine, Sale, Station
from loyalty.tasks.tasks import Reward, Task, read_task, write_task
from tests.loyalty.earning.programmes import SHANGHAI, fuel, line, sale
from tests.loyalty.tasks.written import BREADTH, FORTY_LITRES, HUNDRED_LITRES, THREE_DAYS, plain, task

FIRST = date(2026, 7, 1)
STREAK = {"kind": "streak"}
TASKS = [read_task(json.dumps(one)) for one in (THREE_DAYS, FORTY_LITRES, BREADTH, HUNDRED_LITRES)] + [
    task("visits", {"kind": "visits", "of": "days"}, (1, 1), (2, 5), times=4),
    task("runs", STREAK, (2, 3), (3, 9), times=5),
    task("shop", {"kind": "in_sum", "measure": "yuan"}, (30, 7), condition="line.category != 'fuel'", times=9),
]


def on(day: int, *lines: Any, hour: int = 12) -> Sale:
    when = datetime(2026, 7, 1, hour, tzinfo=SHANGHAI) + timedelta(day)
    return sale(*(lines or (fuel("20", "160"),)), time=when)


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        (plain("t", STREAK, (3, 1), (3, 2)), "stages[1].at", "must be more than the stage before has, 3"),
        (
            plain("t", STREAK, (3, 1), condition="customer.tier == 'gold'"),
            "condition",
            "may change between two sales",
        ),
        (plain("t", STREAK, (3, 1), condition="line.categroy == 'fuel'"), "condition", "did you mean line.category?"),
        (plain("t", STREAK, (3, 1), round="day"), "round", "must be longer than a day"),
        (plain("t", {"kind": "breadth", "of": "articles"}, (3, 1), times=2), "times", "must be left out"),
        (plain("t", {"kind": "strek"}, (3, 1)), "goal", "did you mean streak?"),
        (plain("t", {"kind": "at_once", "measure": "litres"}, (1, 1)), "goal.amount", "is missing"),
        (plain("t", STREAK), "stages", "at least 1"),
        (plain("t" * 49, STREAK, (3, 1)), "id", "at most 48"),
        (plain("t", STREAK, (3, 1.5)), "stages[0].points", "whole number"),
        (plain("t", STREAK, (3, 1), effective={}), "effective.from", "is missing"),
        (plain("t", STREAK, (3, 1), budget={}), "budget", "limits nothing"),
    ],
)
def test_every_mistake_is_told_with_its_place(written: dict[str, Any], place: str, says: str) -> None:
    with pytest.raises(PlanError) as refused:
        read_task(json.dumps(written))
    (problem,) = refused.value.problems
    assert problem.place == place
    assert says in problem.message


@pytest.mark.parametrize("one", TASKS, ids=[one.id for one in TASKS])
def test_what_is_written_is_read_again(one: Task) -> None:
    assert read_task(write_task(one)) == one


# ---------------------------------------------------------------- goals


def test_three_days_running() -> None:
    found = read_task(json.dumps(THREE_DAYS))
    assert found.rewards([on(0), on(1), on(3), on(4)]) == []
    assert found.rewards([on(0), on(1), on(1, hour=15), on(2)]) == [Reward(0, 3)]
    assert found.rewards([on(0), on(1), on(2, line(1, "snack", "9"))]) == []
    progress = found.progress([on(0), on(1)])
    assert (progress.value, progress.missing) == (2, 1)


def test_another_run_is_another_time_and_a_long_run_is_several() -> None:
    found = task("runs", STREAK, (3, 9), times=5)
    assert found.rewards([on(day) for day in (0, 1, 2, 10, 11, 12)]) == [Reward(0, 3), Reward(1, 3)]
    assert found.rewards([on(day) for day in range(6)]) == [Reward(0, 3), Reward(1, 3)]


def test_forty_litres_at_once() -> None:
    found = read_task(json.dumps(FORTY_LITRES))
    assert found.rewards([on(0, fuel("39.999", "300")), on(1, fuel("20", "160"))]) == []
    assert found.rewards([on(0, fuel("20", "160", 1), fuel("20", "160", 2))]) == [Reward(0, 1)]
    assert found.rewards([on(day, fuel("40", "320")) for day in range(3)]) == [Reward(0, 1), Reward(1, 1)]


def test_stages_of_different_categories() -> None:
    found = read_task(json.dumps(BREADTH))
    sales = [
        on(0, line(1, "wash", "30"), line(2, "", "3", article="bag")),
        on(1, line(1, "wash", "30"), line(2, "coffee", "18")),
    ]
    assert found.rewards(sales) == [Reward(0, 2)]
    assert (found.progress(sales).value, found.progress(sales).missing) == (2, 1)
    assert found.rewards([*sales, on(2)]) == [Reward(0, 2), Reward(0, 3)]
    assert found.progress([*sales, on(2)]).next is None


def test_litres_in_sum_begin_anew_each_hundred() -> None:
    found = read_task(json.dumps(HUNDRED_LITRES))
    sales = [on(day, fuel("40", "320")) for day in range(4)]
    assert found.rewards(sales) == [Reward(0, 50), Reward(0, 100), Reward(1, 50)]
    progress = found.progress(sales)
    assert (progress.times, progress.value, progress.missing) == (1, 60, 40)
    done = found.progress([on(day, fuel("60", "480")) for day in range(9)])
    assert (done.times, done.next, done.missing) == (3, None, 0)


@pytest.mark.parametrize(
    ("round_", "day", "expected"),
    [
        ("once", date(2026, 7, 7), ("once", date(2026, 1, 5), date(2026, 12, 20))),
        ("day", date(2026, 7, 7), ("2026-07-07", date(2026, 7, 7), date(2026, 7, 7))),
        ("week", date(2026, 7, 7), ("2026-W28", date(2026, 7, 6), date(2026, 7, 12))),
        ("month", date(2026, 1, 31), ("2026-01", date(2026, 1, 5), date(2026, 1, 31))),
        ("month", date(2026, 12, 1), ("2026-12", date(2026, 12, 1), date(2026, 12, 20))),
        ("year", date(2026, 7, 7), ("2026", date(2026, 1, 5), date(2026, 12, 20))),
    ],
)
def test_a_round_lies_within_the_tasks_own_days(round_: str, day: date, expected: tuple[str, date, date]) -> None:
    effective = {"from": "2026-01-05", "until": "2026-12-20"}
    goal = {"kind": "visits"}
    assert task("t", goal, (1, 1), round=round_, effective=effective).round_of(day) == expected


# ---------------------------------------------------------------- properties

LINES = st.builds(
    lambda number, kind, quantity, yuan: line(
        number, kind, str(yuan), str(quantity), "l" if kind == "fuel" else "piece"
    ),
    st.integers(1, 3),
    st.sampled_from(["fuel", "wash", "coffee", "snack"]),
    st.integers(1, 80),
    st.integers(1, 500),
)
SALES = st.lists(
    st.builds(
        lambda day, lines: on(day, *lines),
        st.integers(0, 9),
        st.lists(LINES, min_size=1, max_size=3, unique_by=lambda one: one.number),
    ),
    max_size=12,
)


@given(st.sampled_from(TASKS), SALES, st.randoms())
def test_the_order_of_sales_does_not_matter(one: Task, sales: list[Sale], chance: Any) -> None:
    shuffled = sales[:]
    chance.shuffle(shuffled)
    assert one.rewards(shuffled) == one.rewards(sales)
    assert one.progress(shuffled) == one.progress(sales)


@given(st.sampled_from(TASKS), SALES, SALES)
def test_more_sales_never_take_anything_away(one: Task, sales: list[Sale], more: list[Sale]) -> None:
    assert set(one.rewards(sales)) <= set(one.rewards([*sales, *more]))


@given(st.sampled_from(TASKS), SALES)
def test_progress_and_rewards_say_the_same(one: Task, sales: list[Sale]) -> None:
    progress, rewards = one.progress(sales), one.rewards(sales)
    stages = [stage.at for stage in one.stages]
    assert len([reward for reward in rewards if reward.time < progress.times]) == progress.times * len(stages)
    assert len(set(rewards)) == len(rewards)
    if progress.next is None:
        assert len(rewards) == one.times * len(stages)
    else:
        assert progress.missing == progress.next.at - progress.value > 0
        assert Reward(progress.times, progress.next.at) not in rewards


@given(LINES, LINES, st.integers(1, 10))
def test_what_came_back_whole_was_never_bought(first: Any, second: Any, parts: int) -> None:
    both = on(0, first, line(9, second.category, "10", "2", second.unit))
    whole = on(0, line(9, second.category, "10", "2", second.unit))
    pieces, returns = first.quantity_milli // parts, []
    for at in range(parts):
        quantity = pieces if at < parts - 1 else first.quantity_milli - pieces * (parts - 1)
        lines = (ReturnedLine(first.number, quantity, 0),)
        returns.append(Return(Station("17", "north"), "4711", f"R{at}", FIRST, lines))
    assert what_is_left(both, returns) == whole
    gone = (ReturnedLine(9, 0, 10_000_000),)
    assert what_is_left(both, [*returns, Return(Station("17", "north"), "4711", "R", FIRST, gone)]) is None
