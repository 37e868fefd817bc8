"""What is due of an account's lots once pending holds and orders have drawn on them: compared with a model of single points."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearing.ledger.lots.draws import DatedDraw, left_over
from clearing.ledger.lots.replay import NEVER, Origin, Portion

TODAY = 10


def lots(*days: tuple[int, int]) -> list[Portion]:
    """Lots of (expiry day or 0, points), each its own."""
    return [Portion(Origin(day or NEVER, 1, index, bytes([index])), points) for index, (day, points) in enumerate(days)]


def test_nothing_is_due_before_its_day_and_all_of_it_on_its_day() -> None:
    assert left_over(lots((11, 50), (0, 30)), [], TODAY) == 0
    assert left_over(lots((10, 50), (0, 30)), [], TODAY) == 50


def test_a_hold_keeps_the_points_that_were_alive_on_its_day() -> None:
    portions = lots((10, 50), (0, 30))
    assert left_over(portions, [DatedDraw(9, 40)], TODAY) == 10
    assert left_over(portions, [DatedDraw(9, 60)], TODAY) == 0
    assert left_over(portions, [DatedDraw(10, 20)], TODAY) == 50  # today's hold has taken live ones


def test_a_hold_does_not_keep_points_that_were_over_on_its_own_day_while_others_are_left() -> None:
    portions = lots((8, 20), (10, 20), (0, 20))
    assert left_over(portions, [DatedDraw(9, 30)], TODAY) == 20
    assert left_over(portions, [DatedDraw(9, 30), DatedDraw(7, 20)], TODAY) == 0


def test_an_order_of_today_takes_points_that_are_over_only_when_no_others_are_left() -> None:
    assert left_over(lots((10, 50), (0, 30)), [DatedDraw(TODAY, 30)], TODAY) == 50
    assert left_over(lots((10, 50), (0, 30)), [DatedDraw(TODAY, 45)], TODAY) == 35


def test_what_is_not_there_any_more_cannot_be_drawn() -> None:
    assert left_over(lots((10, 50)), [DatedDraw(9, 40), DatedDraw(9, 40)], TODAY) == 0


DAYS = st.sampled_from([0, 5, 7, 9, 10, 11, 14])
LOTS = st.lists(st.tuples(DAYS, st.integers(1, 4)), max_size=5)
DRAWS = st.lists(st.builds(DatedDraw, st.integers(4, TODAY), st.integers(1, 6)), max_size=5)


def naive(days: list[tuple[int, int]], draws: list[DatedDraw]) -> int:
    """The same with a list of single points: each draw takes the point that is to die first of those alive on its day."""
    points = sorted(day or NEVER for day, number in days for _ in range(number))
    for draw in sorted(draws):
        for _ in range(draw.points):
            if points:
                points.remove(next((day for day in points if day > draw.day), points[0]))
    return sum(day <= TODAY for day in points)


@given(LOTS, DRAWS)
def test_it_is_what_a_model_of_single_points_says(days: list[tuple[int, int]], draws: list[DatedDraw]) -> None:
    assert left_over(lots(*days), draws, TODAY) == naive(days, draws)


@given(LOTS, DRAWS, st.randoms(use_true_random=False))
def test_in_which_order_holds_of_one_day_come_makes_no_difference(
    days: list[tuple[int, int]], draws: list[DatedDraw], random: object
) -> None:
    shuffled = draws[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert left_over(lots(*days), shuffled, TODAY) == left_over(lots(*days), draws, TODAY)


@given(LOTS, DRAWS)
def test_one_more_hold_never_makes_more_due_and_never_less_by_more_than_its_points(
    days: list[tuple[int, int]], draws: list[DatedDraw]
) -> None:
    for draw in draws:
        rest = draws[:]
        rest.remove(draw)
        with_it, without = left_over(lots(*days), draws, TODAY), left_over(lots(*days), rest, TODAY)
        assert without - draw.points <= with_it <= without


@given(LOTS, DRAWS)
def test_burning_what_is_due_leaves_every_hold_its_points(days: list[tuple[int, int]], draws: list[DatedDraw]) -> None:
    """The round burns what is due, oldest lots first; then the holds are captured. No live point goes in a dead one's place."""
    burnt = left_over(lots(*days), draws, TODAY)
    left = sorted(day or NEVER for day, number in days for _ in range(number))[burnt:]
    alive = sum(day > TODAY for day in left)
    assert alive == sum(number for day, number in days if (day or NEVER) > TODAY)
    before = sum(number for _, number in days)
    kept = [(day if day != NEVER else 0, 1) for day in left]
    assert left_over(lots(*kept), draws, TODAY) == 0 or sum(draw.points for draw in draws) > before
