"""The arithmetic of IFRS 15: its own examples, and what must hold for every program."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tongdui.audit.liability.deferral import NOTHING, RollForward, Standing, deferred_share, recognised, whole_micros

MADE = st.integers(1, 10**6)
few = settings(max_examples=40)
SHARES = st.fractions(0, 1, max_denominator=1_000)


def test_a_sale_with_points_defers_their_relative_share() -> None:
    # 10,000 points worth 1 each, 97 % of which are expected to be redeemed.
    deferred = deferred_share(Fraction(100_000), Fraction(100_000), 10_000 * Fraction(97, 100))
    assert deferred == Fraction(100_000 * 9_700, 109_700)
    assert round(deferred) == 8_842


def test_the_example_of_the_standard() -> None:
    # IE267 to IE270: 9,500 of 10,000 points expected, then 9,700.
    deferred = deferred_share(Fraction(100_000), Fraction(100_000), Fraction(9_500))
    first = recognised(deferred, 4_500, Fraction(9_500))
    second = recognised(deferred, 8_500, Fraction(9_700)) - first
    assert [round(amount) for amount in (deferred, first, deferred - first, second, deferred - first - second)] == [
        8_676,
        4_110,
        4_566,
        3_493,
        1_073,
    ]


def test_a_changed_estimate_is_caught_up_at_once() -> None:
    first = Standing(Fraction(9_000), 4_500, 5_500, Fraction(9_700))
    second = Standing(Fraction(9_000), 8_500, 1_500, Fraction(9_900))
    assert round(first.recognised) == 4_175
    roll = RollForward.between(first, second)
    assert round(roll.revenue) == 3_552
    assert roll.recognised == Fraction(4_000 * 9_000, 9_900)
    assert roll.remeasurement == Fraction(4_500 * 9_000, 9_700) - Fraction(4_500 * 9_000, 9_900)


def test_nothing_is_deferred_where_nothing_is_worth_anything() -> None:
    assert deferred_share(Fraction(100), Fraction(0), Fraction(0)) == 0


@pytest.mark.parametrize(("amount", "micros"), [(Fraction(5, 2), 2), (Fraction(7, 2), 4), (Fraction(-1, 3), 0)])
def test_only_what_is_shown_is_rounded(amount: Fraction, micros: int) -> None:
    assert whole_micros(amount) == micros


def test_when_all_points_are_over_nothing_is_owed() -> None:
    unused = Standing(Fraction(9_000), 0, 0, Fraction(9_700))
    some = Standing(Fraction(9_000), 2_000, 0, Fraction(9_700))
    assert (unused.balance, some.balance) == (0, 0)


def test_more_redemptions_than_expected_recognise_all_and_no_more() -> None:
    assert Standing(Fraction(9_000), 9_800, 200, Fraction(9_700)).recognised == 9_000


@st.composite
def lives(draw: st.DrawFn) -> list[Standing]:
    """A cohort's life: points are made at one price each, used or expired bit by bit, under estimates that change."""
    a_point = draw(st.fractions(0, 10, max_denominator=100))
    made = redeemed = expired = 0
    found = [NOTHING]
    for _ in range(draw(st.integers(1, 6))):
        made += draw(MADE)
        left = made - redeemed - expired
        redeemed += draw(st.integers(0, left))
        expired += draw(st.integers(0, made - redeemed - expired))
        found.append(Standing(made * a_point, redeemed, made - redeemed - expired, draw(SHARES) * made))
    return found


@few
@given(lives())
def test_a_roll_forward_always_closes(life: list[Standing]) -> None:
    for opening, closing in pairwise(life):
        roll = RollForward.between(opening, closing)
        assert roll.opening + roll.additions - roll.recognised + roll.remeasurement == roll.closing
        assert (roll.opening, roll.closing) == (opening.balance, closing.balance)
        assert 0 <= roll.closing <= closing.deferred


@few
@given(lives())
def test_nothing_is_recognised_twice(life: list[Standing]) -> None:
    rolls = [RollForward.between(opening, closing) for opening, closing in pairwise(life)]
    assert sum(roll.revenue for roll in rolls) + life[-1].balance == life[-1].deferred
    whole = RollForward.between(life[0], life[-1])
    assert (whole.revenue, whole.additions) == (sum(r.revenue for r in rolls), sum(r.additions for r in rolls))


@few
@given(lives(), lives())
def test_cohorts_add_up(one: list[Standing], other: list[Standing]) -> None:
    rolls = [RollForward.between(life[0], life[-1]) for life in (one, other)]
    both = RollForward.together(rolls)
    assert both.opening + both.additions - both.recognised + both.remeasurement == both.closing
    assert both.closing == one[-1].balance + other[-1].balance


@few
@given(MADE, SHARES, st.integers(0, 10**6))
def test_with_one_estimate_each_redemption_is_worth_the_same(made: int, share: Fraction, used: int) -> None:
    used = min(used, int(made * share))
    half = Standing(Fraction(made), used // 2, made - used // 2, made * share)
    whole = Standing(Fraction(made), used, made - used, made * share)
    if made * share > used:
        assert RollForward.between(half, whole).remeasurement == 0
        assert whole.recognised == used / share
