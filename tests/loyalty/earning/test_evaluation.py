"""Evaluation: rounding, remainders, caps, budgets, validity, and what a plain reference with fractions says of all of it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from loyalty.earning.awards import Award, Taking
from loyalty.earning.evaluation import NotInForce, evaluate
from loyalty.earning.names import Facts
from loyalty.earning.rule_sets import RuleSet
from loyalty.earning.snapshot import Remainder, Snapshot, Spent
from loyalty.earning.stacking import combine
from loyalty.sales.types import InvalidField, Sale
from tests.loyalty.earning.programmes import SHANGHAI, customer, fuel, line, rule, rule_set, sale
from tests.loyalty.earning.strategies import customers, rule_sets, sales

YUAN = {"kind": "per_yuan", "points": 1}
AWARDS = TypeAdapter(tuple[Award, ...])


def one(bought: Sale, who: Snapshot, rules: RuleSet) -> Award:
    """The only award of a sale."""
    (award,) = evaluate(bought, who, rules)
    return award


# --- rounding ---------------------------------------------------------------------------------------------------------


def test_a_sale_is_rounded_down_once_and_not_each_line() -> None:
    assert (
        one(sale(line(1, "snack", "0.60"), line(2, "oil", "0.60")), customer(), rule_set(rule("yuan", YUAN))).points
        == 1
    )


def test_what_rounding_leaves_comes_with_the_next_sale() -> None:
    rules, who, points = rule_set(rule("yuan", YUAN, carry=True)), customer(), []
    for _ in range(3):
        award = one(sale(line(1, "snack", "0.70")), who, rules)
        points.append(award.points)
        who = replace(who, remainders=(Remainder("yuan", award.remainder),))
    assert points == [0, 1, 1]
    assert who.remainder_of("yuan") == Fraction(1, 10)


def test_a_remainder_is_explained() -> None:
    award = one(
        sale(line(1, "snack", "1.50")),
        customer(remainders={"yuan": Fraction(2, 3)}),
        rule_set(rule("yuan", YUAN, carry=True)),
    )
    assert award.explain() == "2 yuan: 1.50 yuan x 1; + 2/3 from earlier sales; 1/6 kept for the next sale"
    assert award.explain("zh") == "yuan 2：1.50 元 × 1；加上以前结余的 2/3；1/6 留到下次"


def test_a_rule_that_does_not_carry_forgets_what_rounding_left() -> None:
    award = one(
        sale(line(1, "snack", "1.50")), customer(remainders={"yuan": Fraction(2, 3)}), rule_set(rule("yuan", YUAN))
    )
    assert (award.points, award.remainder, award.carried) == (1, 0, 0)


def test_a_debt_of_a_fraction_is_paid_by_the_next_sale() -> None:
    who, rules = customer(remainders={"yuan": Fraction(-3, 4)}), rule_set(rule("yuan", YUAN, carry=True))
    assert one(sale(line(1, "snack", "1.50")), who, rules).points == 0
    assert one(sale(line(1, "snack", "1.50")), who, rules).remainder == Fraction(3, 4)
    assert one(sale(line(1, "snack", "0.50")), who, rules).remainder == Fraction(-1, 4)


def test_what_a_cap_cuts_off_is_not_carried() -> None:
    award = one(
        sale(line(1, "snack", "9.50")),
        customer(remainders={"yuan": Fraction(1, 4)}),
        rule_set(rule("yuan", YUAN, carry=True, cap=5)),
    )
    assert (award.points, award.remainder, award.carried) == (5, 0, Fraction(-1, 4))


# --- coefficients -----------------------------------------------------------------------------------------------------

COEFFICIENTS = st.lists(st.integers(0, 50_000), max_size=5).map(tuple)


def reference(method: str, ceiling: int | None, coefficients: tuple[int, ...]) -> Fraction:
    """What coefficients come to, as the docs say it."""
    factors = [Fraction(each, 10_000) for each in coefficients]
    if not factors:
        return Fraction(1)
    together = {
        "add": max(Fraction(0), 1 + sum(factor - 1 for factor in factors)),
        "multiply": prod(factors, start=Fraction(1)),
        "highest": max(factors),
    }[method]
    return together if ceiling is None else min(together, Fraction(ceiling, 10_000))


@given(st.sampled_from(["add", "multiply", "highest"]), st.none() | st.integers(10_000, 60_000), COEFFICIENTS)
def test_coefficients_come_to_what_the_reference_says(method, ceiling, coefficients) -> None:
    combined = combine(method, ceiling, coefficients)
    assert Fraction(combined.numerator, combined.denominator) == reference(method, ceiling, coefficients)


@pytest.mark.parametrize(
    ("stacking", "points", "words"),
    [
        ({"method": "add"}, 250, "x 1.5 a; x 2 b; together x 2.5"),
        ({"method": "multiply"}, 300, "x 1.5 a; x 2 b; together x 3"),
        ({"method": "highest"}, 200, "x 1.5 a; x 2 b; together x 2"),
        ({"method": "multiply", "ceiling": 22_500}, 225, "x 1.5 a; x 2 b; together x 2.25"),
    ],
)
def test_stacking_is_part_of_the_rule_set(stacking: dict[str, object], points: int, words: str) -> None:
    rules = rule_set(
        rule("yuan", YUAN),
        rule("a", {"kind": "multiplier", "coefficient": 15_000}),
        rule("b", {"kind": "multiplier", "coefficient": 20_000}),
        stacking=stacking,
    )
    assert one(sale(line(1, "snack", "100")), customer(), rules).explain() == f"{points} yuan: 100.00 yuan x 1; {words}"


def test_a_ceiling_lowers_one_coefficient_too() -> None:
    rules = rule_set(
        rule("yuan", YUAN), rule("a", {"kind": "multiplier", "coefficient": 40_000}), stacking={"ceiling": 30_000}
    )
    award = one(sale(line(1, "snack", "100")), customer(), rules)
    assert award.explain() == "300 yuan: 100.00 yuan x 1; x 4 a; together x 3"


# --- budgets ----------------------------------------------------------------------------------------------------------


def budgeted(when_spent: str, **limits: int) -> RuleSet:
    """A point a yuan, within a budget."""
    return rule_set(rule("yuan", YUAN, budget={"when_spent": when_spent, **limits}))


HUNDRED = sale(line(1, "snack", "100"))


def spent(points: int, period: str = "2026-07", *, closed: bool = False) -> Snapshot:
    """A customer who comes when so much is spent."""
    return customer(spent=(Spent("yuan", period, points, closed),))


def test_an_award_says_what_it_takes_of_which_budget() -> None:
    award = one(HUNDRED, spent(700), budgeted("pay_part", points_per_month=1_000, points_in_all=5_000))
    assert award.takings == (Taking("yuan", "2026-07", 100, 1_000), Taking("yuan", "all", 100, 5_000))


def test_a_budget_may_pay_the_part_that_is_left() -> None:
    award = one(HUNDRED, spent(960), budgeted("pay_part", points_per_month=1_000))
    assert award.explain() == "40 yuan: 100.00 yuan x 1; only 40 left in the budget"
    assert award.takings == (Taking("yuan", "2026-07", 40, 1_000),)


def test_a_budget_may_refuse_what_does_not_fit_and_pay_what_does() -> None:
    rules = budgeted("refuse", points_per_month=1_000)
    award = one(HUNDRED, spent(960), rules)
    assert award.explain() == "0 yuan: 100.00 yuan x 1; more than the budget has left"
    assert award.takings == ()
    assert one(sale(line(1, "snack", "40")), spent(960), rules).points == 40


def test_a_budget_may_stop_its_rule() -> None:
    rules = budgeted("stop", points_per_month=1_000, points_in_all=5_000)
    award = one(HUNDRED, spent(960), rules)
    assert award.takings == (Taking("yuan", "2026-07", 0, 1_000, closes=True),)
    small = one(sale(line(1, "snack", "1")), spent(960, closed=True), rules)
    assert small.explain() == "0 yuan: 1.00 yuan x 1; the budget is spent and the rule has ended"


@pytest.mark.parametrize("when_spent", ["pay_part", "refuse", "stop"])
def test_nothing_is_paid_of_a_budget_that_is_overdrawn(when_spent: str) -> None:
    assert one(HUNDRED, spent(1_001), budgeted(when_spent, points_per_month=1_000)).points == 0


def test_a_budget_is_of_the_month_of_the_business_day() -> None:
    late = sale(
        line(1, "snack", "100"), time=datetime(2026, 8, 1, 0, 30, tzinfo=SHANGHAI), business_day=date(2026, 7, 31)
    )
    (taking,) = one(late, spent(0), budgeted("refuse", points_per_month=1_000)).takings
    assert taking.period == "2026-07"


def test_a_new_month_has_a_new_budget_and_the_whole_has_not() -> None:
    august = sale(line(1, "snack", "100"), time=datetime(2026, 8, 3, 12, tzinfo=SHANGHAI))
    assert one(august, spent(1_000), budgeted("refuse", points_per_month=1_000)).points == 100
    assert one(august, spent(1_000, "all"), budgeted("refuse", points_in_all=1_000)).points == 0


@given(rule_sets(), st.lists(st.tuples(sales(), customers()), min_size=1, max_size=8))
def test_budgets_are_never_exceeded(rules: RuleSet, visits: list[tuple[Sale, Snapshot]]) -> None:
    books: dict[tuple[str, str], Spent] = {}
    paid: dict[str, int] = {}
    for bought, who in visits:
        for award in evaluate(bought, replace(who, spent=tuple(books.values())), rules):
            assert {taking.points for taking in award.takings} <= {award.points}
            paid[award.rule] = paid.get(award.rule, 0) + award.points
            for taking in award.takings:
                key = (taking.rule, taking.period)
                before = books.get(key, Spent(*key, 0))
                assert not before.closed
                books[key] = Spent(*key, before.points + taking.points, taking.closes)
                assert books[key].points <= taking.limit
    for each in rules.earning:
        if each.budget and each.budget.points_in_all:
            assert paid.get(each.id, 0) <= each.budget.points_in_all


# --- validity ---------------------------------------------------------------------------------------------------------


def test_a_rule_is_valid_from_its_first_day_to_its_last_one() -> None:
    rules = rule_set(rule("yuan", YUAN, period={"from": "2026-07-07", "until": "2026-07-08"}))
    days = [
        day
        for day in range(5, 11)
        if evaluate(sale(fuel("1", "9"), time=datetime(2026, 7, day, 12, tzinfo=SHANGHAI)), customer(), rules)
    ]
    assert days == [7, 8]


def test_days_are_told_in_the_rule_sets_time_zone() -> None:
    rules = rule_set(rule("yuan", YUAN, period={"from": "2026-07-07"}))
    before = sale(fuel("1", "9"), time=datetime(2026, 7, 6, 15, 59, tzinfo=UTC))
    assert evaluate(before, customer(), rules) == ()
    assert evaluate(replace(before, time=datetime(2026, 7, 6, 16, 0, tzinfo=UTC)), customer(), rules)


def test_a_rule_set_that_is_not_in_force_is_refused() -> None:
    rules = rule_set(rule("yuan", YUAN), effective={"from": "2026-07-08", "until": "2026-07-09"})
    with pytest.raises(NotInForce, match="rule set club version 1 is not in force on 2026-07-07"):
        evaluate(HUNDRED, customer(), rules)


def test_a_snapshot_of_somebody_else_is_refused() -> None:
    with pytest.raises(InvalidField, match="customer must be the sale's, 'chen', not 'wang'"):
        evaluate(HUNDRED, customer("wang"), rule_set(rule("yuan", YUAN)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"birthday_month": 13},
        {"tier_coefficient": 1.5},
        {"sales_this_month": -1},
        {"first_purchase": "yes"},
        {"tier": None},
        {"remainders": (Remainder("a", Fraction(0)), Remainder("a", Fraction(0)))},
        {"spent": (Spent("a", "all", 1), Spent("a", "all", 1))},
    ],
)
def test_a_wrong_snapshot_names_its_field(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidField) as refused:
        Snapshot("chen", **wrong)  # type: ignore[arg-type]
    assert refused.value.field in wrong


# --- properties -------------------------------------------------------------------------------------------------------


def expected(bought: Sale, who: Snapshot, rules: RuleSet) -> dict[str, Fraction]:
    """The exact points of rules without remainder, cap and budget, line by line with fractions and nothing shared."""
    facts = Facts.of(bought, who)
    exact: dict[str, Fraction] = {}
    for each in rules.earning:
        matching = list(each.compiled.matching(facts))
        if not matching:
            continue
        numerators, denominator = each.effect.earned(matching)
        total = Fraction(0)
        for one_line, numerator in zip(matching, numerators, strict=True):
            coefficients = []
            for other in rules.multiplying:
                factor = other.effect.factor(facts)
                reached = other.effect.reaches(facts)
                if (
                    factor is not None
                    and one_line in other.compiled.matching(facts)
                    and (reached is None or one_line.number in reached)
                ):
                    coefficients.append(factor)
            total += Fraction(numerator, denominator) * reference(
                rules.stacking.method, rules.stacking.ceiling, tuple(coefficients)
            )
        exact[each.id] = total
    return exact


@given(sales(), customers(), rule_sets())
def test_awards_are_what_the_reference_says(bought: Sale, who: Snapshot, rules: RuleSet) -> None:
    exact = expected(bought, who, rules)
    for each in rules.earning:
        award = next((award for award in evaluate(bought, who, rules) if award.rule == each.id), None)
        before = who.remainder_of(each.id) if each.carry else Fraction(0)
        total = exact.get(each.id, Fraction(0))
        points = (total + before).__floor__()
        if award is None:
            assert total == 0
            continue
        limits = [points] + [each.cap] * (each.cap is not None)
        if each.budget:
            limits += [limit for _, limit in each.budget.limits(bought.business_day)]
        if (
            each.budget
            and each.budget.when_spent != "pay_part"
            and min(limits[:2] if each.cap else limits[:1]) > min(limits)
        ):
            assert award.points == 0
        else:
            assert award.points == min(limits)
        if each.carry and award.points == points:
            assert award.points + award.remainder == total + before


@given(sales(), customers(), rule_sets(), st.randoms(use_true_random=False))
def test_the_order_of_lines_does_not_matter(bought: Sale, who: Snapshot, rules: RuleSet, chance: random.Random) -> None:
    shuffled = list(bought.lines)
    chance.shuffle(shuffled)
    assert evaluate(replace(bought, lines=tuple(shuffled)), who, rules) == evaluate(bought, who, rules)


@given(sales(), customers(), rule_sets())
def test_the_same_sale_has_the_same_awards(bought: Sale, who: Snapshot, rules: RuleSet) -> None:
    fresh = RuleSet.model_validate_json(rules.model_dump_json())
    assert evaluate(bought, who, rules) == evaluate(bought, who, rules) == evaluate(bought, who, fresh)


def values_in(value: object) -> Iterator[object]:
    """Everything that a value is made of."""
    yield value
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from values_in(getattr(value, field.name))
    elif isinstance(value, tuple | list | frozenset):
        for each in value:
            yield from values_in(each)
    elif isinstance(value, dict):
        for item in value.items():
            yield from values_in(item)


def floats_in(value: object) -> list[object]:
    """The floats that a value is made of."""
    return [each for each in values_in(value) if isinstance(each, float)]


def test_a_float_would_be_found() -> None:
    award = one(HUNDRED, customer(), rule_set(rule("yuan", YUAN)))
    assert floats_in(replace(award, points=1.0)) == [1.0]  # type: ignore[arg-type]
    assert floats_in(replace(award, takings=(Taking("a", "all", 0.5, 1),))) == [0.5]  # type: ignore[arg-type]


@given(sales(), customers(), rule_sets())
def test_no_float_comes_out_and_awards_survive_json(bought: Sale, who: Snapshot, rules: RuleSet) -> None:
    awards = evaluate(bought, who, rules)
    assert floats_in(awards) == []
    assert floats_in(rules.model_dump()) == []
    assert AWARDS.validate_json(AWARDS.dump_json(awards)) == awards
    for award in awards:
        assert award.explain("en").startswith(f"{award.points} ")
        assert award.explain("zh")
