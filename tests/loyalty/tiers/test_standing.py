"""When a customer moves: up at once, down after the grace, down at once where a return undoes what had lifted them."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from loyalty.tiers.standing import MoveCause, Standing, stand

DAY = date(2026, 7, 7)
RANKS = st.integers(0, 4)


def later(days: int) -> date:
    return DAY + timedelta(days)


def test_up_at_once() -> None:
    assert stand(Standing(0), 2, DAY, 10) == (Standing(2), MoveCause.REACHED)


def test_down_after_the_grace() -> None:
    waiting, moved = stand(Standing(2), 1, DAY, 10)
    assert (waiting, moved) == (Standing(2, later(10)), None)
    assert stand(waiting, 1, later(9), 10) == (waiting, None)
    assert stand(waiting, 1, later(10), 10) == (Standing(1), MoveCause.GRACE_OVER)


def test_the_grace_ends_when_enough_is_bought_again() -> None:
    waiting, _ = stand(Standing(2), 1, DAY, 10)
    assert stand(waiting, 2, later(3), 10) == (Standing(2), None)
    assert stand(Standing(2), 1, later(4), 10)[0].grace_until == later(14)


def test_without_grace_it_is_down_at_once() -> None:
    assert stand(Standing(2), 0, DAY, 0) == (Standing(0), MoveCause.GRACE_OVER)


def test_a_return_undoes_what_had_lifted_them_without_grace() -> None:
    assert stand(Standing(2), 0, DAY, 10, reached_before_return=2) == (Standing(0), MoveCause.RETURNED)


def test_a_return_takes_no_grace_from_who_had_too_little_already() -> None:
    waiting = Standing(2, later(5))
    assert stand(waiting, 0, DAY, 10, reached_before_return=1) == (waiting, None)
    assert stand(Standing(2), 1, DAY, 10, reached_before_return=1) == (Standing(2, later(10)), None)


@given(now=RANKS, days=st.lists(st.tuples(RANKS, st.integers(0, 9)), max_size=30), grace=st.integers(0, 12))
def test_nobody_stands_below_what_they_reach_and_nobody_above_it_longer_than_the_grace(
    now: int, days: list[tuple[int, int]], grace: int
) -> None:
    standing, day, below_since = Standing(now), DAY, None
    for reached, pause in days:
        day += timedelta(pause)
        before = standing
        standing, cause = stand(standing, reached, day, grace)
        assert standing.rank >= reached
        assert (cause is None) == (standing.rank == before.rank)
        below_since = (
            None if reached >= standing.rank else below_since if below_since is not None and before == standing else day
        )
        if below_since is not None:
            assert standing.grace_until == below_since + timedelta(grace) > day
        else:
            assert standing.grace_until is None
