"""A return takes back pro rata: whatever comes back in whatever steps, all of it takes back exactly what was earned."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.earning.awards import Taking
from loyalty.earning.evaluation import evaluate
from loyalty.earning.returns import undo
from loyalty.earning.rule_sets import RuleSet
from loyalty.earning.snapshot import Snapshot
from loyalty.sales.types import InvalidField, Return, ReturnedLine, Sale, Station
from tests.loyalty.earning.programmes import CLASSIC, customer, fuel, line, rule, rule_set, sale
from tests.loyalty.earning.strategies import customers, returns_of, rule_sets, sales

SALE = sale(fuel("40", "300"), line(2, "snack", "9", "3"), line(3, "oil", "200"), line(4, "filter", "50"))
YUAN = {"kind": "per_yuan", "points": 1}


def back(*lines: ReturnedLine, number: str = "R1") -> Return:
    """A return of the sale."""
    return Return(SALE.station, SALE.number, number, date(2026, 7, 8), lines)


def yuan(amount: int) -> int:
    """Yuan in micros."""
    return amount * 1_000_000


def taken(*steps: Return, rules: RuleSet = CLASSIC) -> list[dict[str, int]]:
    """What each of some returns takes back, one after the other."""
    awards = evaluate(SALE, customer(), rules)
    return [{each.rule: each.points for each in undo(SALE, awards, steps[:at], step)} for at, step in enumerate(steps)]


def test_a_line_takes_back_what_it_earned() -> None:
    assert taken(back(ReturnedLine(1, 40_000, yuan(300)))) == [{"litre": 200}]


def test_a_part_of_a_line_takes_back_that_part() -> None:
    assert taken(back(ReturnedLine(1, 10_000, yuan(75)))) == [{"litre": 50}]


def test_doubled_lines_take_back_double() -> None:
    assert taken(back(ReturnedLine(4, 1_000, yuan(50)))) == [{"yuan": 100}]


def test_parts_that_do_not_divide_take_back_all_in_the_end() -> None:
    rules = rule_set(rule("visit", {"kind": "fixed", "points": 10}, condition="line.category == 'snack'"))
    piece = ReturnedLine(2, 1_000, yuan(3))
    assert taken(back(piece), back(piece), back(piece), rules=rules) == [{"visit": 3}, {"visit": 3}, {"visit": 4}]


def test_money_that_is_paid_back_without_goods_counts_too() -> None:
    assert taken(back(ReturnedLine(1, 0, yuan(150))), back(ReturnedLine(1, 40_000, yuan(150)))) == [
        {"litre": 100},
        {"litre": 100},
    ]


def test_goods_that_come_back_without_money_count_too() -> None:
    assert taken(back(ReturnedLine(1, 40_000, 0))) == [{"litre": 200}]


def test_a_capped_award_is_taken_back_pro_rata() -> None:
    rules = rule_set(rule("yuan", YUAN, cap=100))
    assert taken(back(ReturnedLine(1, 40_000, yuan(300))), rules=rules) == [{"yuan": 53}]  # 300 of 559 yuan


def test_what_earned_nothing_takes_back_nothing() -> None:
    assert taken(
        back(ReturnedLine(2, 1_000, yuan(3))), rules=rule_set(rule("litre", {"kind": "per_litre", "points": 5}))
    ) == [{}]


def test_a_line_of_nothing_has_come_back_when_a_return_names_it() -> None:
    bought = sale(line(1, "air", quantity="0"), line(2, "water", quantity="0"))
    awards = evaluate(bought, customer(), rule_set(rule("visit", {"kind": "fixed", "points": 5})))
    first, second = (Return(bought.station, "4711", "R", date(2026, 7, 8), (ReturnedLine(at, 0, 0),)) for at in (1, 2))
    assert [each.points for each in undo(bought, awards, (), first)] == [2]
    assert [each.points for each in undo(bought, awards, (first,), second)] == [3]


def test_a_budget_gets_back_what_it_paid_in_the_period_in_which_it_paid() -> None:
    rules = rule_set(rule("yuan", YUAN, budget={"points_per_month": 1_000, "points_in_all": 2_000}))
    (each,) = undo(SALE, evaluate(SALE, customer(), rules), (), back(ReturnedLine(1, 40_000, yuan(300))))
    assert each.budgets == (Taking("yuan", "2026-07", 300, 1_000), Taking("yuan", "all", 300, 2_000))


@pytest.mark.parametrize(
    ("returned", "field", "message"),
    [
        (back(ReturnedLine(9, 1, 1)), "lines", "it has no line 9"),
        (
            back(ReturnedLine(1, 40_001, 0)),
            "lines[1].quantity_milli",
            "must be at most what was sold, 40000, in all returns",
        ),
        (
            back(ReturnedLine(1, 0, yuan(301))),
            "lines[1].amount_micros",
            "must be at most what was paid, 300000000, in all returns",
        ),
        (replace(back(ReturnedLine(1, 1, 1)), sale="4712"), "sale", "must be 4711 of station 17, not 4712"),
        (replace(back(ReturnedLine(1, 1, 1)), station=Station("18")), "sale", "must be 4711 of station 17"),
    ],
)
def test_a_return_that_can_not_be_is_refused(returned: Return, field: str, message: str) -> None:
    with pytest.raises(InvalidField, match=message.replace("(", r"\(")) as refused:
        taken(returned)
    assert refused.value.field == field


def test_more_than_was_sold_is_refused_in_several_steps_too() -> None:
    step = back(ReturnedLine(1, 25_000, 0))
    with pytest.raises(InvalidField, match="in all returns"):
        taken(step, step)


@given(st.data(), sales(), customers(), rule_sets())
def test_all_that_comes_back_takes_back_exactly_what_was_earned(
    data, bought: Sale, who: Snapshot, rules: RuleSet
) -> None:
    awards = evaluate(bought, who, rules)
    steps = data.draw(returns_of(bought))
    points, carried = (
        dict.fromkeys((award.rule for award in awards), 0),
        dict.fromkeys((award.rule for award in awards), Fraction(0)),
    )
    for at, step in enumerate(steps):
        for each in undo(bought, awards, steps[:at], step):
            assert each.points >= 0
            points[each.rule] += each.points
            carried[each.rule] += each.carried
            assert points[each.rule] <= next(award.points for award in awards if award.rule == each.rule)
    assert points == {award.rule: award.points for award in awards}
    assert carried == {award.rule: -award.carried for award in awards}


@given(st.data(), sales(), customers(), rule_sets())
def test_the_order_of_returns_does_not_matter(data, bought: Sale, who: Snapshot, rules: RuleSet) -> None:
    awards = evaluate(bought, who, rules)
    steps = data.draw(returns_of(bought))[:-1]
    other = data.draw(st.permutations(steps))

    def total(order: list[Return]) -> dict[str, int]:
        sums: dict[str, int] = {}
        for at, step in enumerate(order):
            for each in undo(bought, awards, order[:at], step):
                sums[each.rule] = sums.get(each.rule, 0) + each.points
        return {rule: points for rule, points in sums.items() if points}

    assert total(steps) == total(other)


def test_a_part_that_comes_back_changes_the_remainder_by_what_points_can_not_take() -> None:
    rules = rule_set(rule("yuan", YUAN, carry=True))
    bought = sale(line(1, "snack", "10", "3"))
    awards = evaluate(bought, customer(), rules)
    third = Return(bought.station, bought.number, "R", date(2026, 7, 8), (ReturnedLine(1, 1_000, 0),))
    steps = [undo(bought, awards, [third] * at, third)[0] for at in range(3)]
    assert [step.points for step in steps] == [3, 3, 4]
    assert [step.carried for step in steps] == [
        Fraction(-333_333, 10**6),
        Fraction(-333_333, 10**6),
        Fraction(666_666, 10**6),
    ]


def test_buying_and_returning_again_and_again_gains_nothing() -> None:
    """Rounding leaves a fraction to the customer; a return takes that back, too, even below zero."""
    rules, remainder, points = rule_set(rule("yuan", YUAN, carry=True)), Fraction(0), 0
    bought = sale(line(1, "snack", "0.90"))
    for _ in range(50):
        (award,) = evaluate(bought, customer(remainders={"yuan": remainder}), rules)
        points, remainder = points + award.points, award.remainder
        whole = Return(bought.station, bought.number, "R", date(2026, 7, 8), (ReturnedLine(1, 1_000, 900_000),))
        for each in undo(bought, (award,), (), whole):
            points, remainder = points - each.points, remainder + each.carried
    assert (points, remainder) == (0, 0)
