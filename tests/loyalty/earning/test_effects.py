"""Each kind of effect: what it earns or multiplies, and what it leaves alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from loyalty.earning.evaluation import evaluate
from loyalty.earning.rule_sets import RuleSet
from loyalty.earning.snapshot import Snapshot
from loyalty.sales.types import Sale, Station, Weather
from tests.loyalty.earning.programmes import SHANGHAI, customer, fuel, line, rule, rule_set, sale

FULL = sale(
    fuel("40", "300"),
    line(2, "charging", "60", "30.5", "kwh"),
    line(3, "snack", "12.50", "2", article="crisps"),
    line(4, "snack", "7.50", "1", article="gum"),
)
CHEN = customer(tier="gold", tier_coefficient=13_000)


def points(bought: Sale, who: Snapshot, rules: RuleSet) -> int:
    """All points of a sale."""
    return sum(award.points for award in evaluate(bought, who, rules))


@pytest.mark.parametrize(
    ("effect", "awarded", "reason"),
    [
        ({"kind": "per_yuan", "points": 1}, 380, "380.00 yuan x 1"),
        ({"kind": "per_yuan", "points": 3, "per": 10}, 114, "380.00 yuan x 3/10"),
        ({"kind": "per_litre", "points": 5}, 200, "40.0 L x 5"),
        ({"kind": "per_kwh", "points": 2}, 61, "30.5 kWh x 2"),
        ({"kind": "per_piece", "points": 7}, 21, "3 pcs x 7"),
        ({"kind": "fixed", "points": 88}, 88, "88 for the sale"),
        ({"kind": "by_article", "articles": {"crisps": 10, "gum": 3}}, 23, "2 of crisps x 10; 1 of gum x 3"),
        (
            {"kind": "by_category", "categories": {"snack": {"points": 2}, "charging": {"points": 1, "per": 3}}},
            60,
            "60.00 yuan of charging x 1/3; 20.00 yuan of snack x 2",
        ),
    ],
)
def test_what_an_effect_earns(effect: dict[str, Any], awarded: int, reason: str) -> None:
    (award,) = evaluate(FULL, CHEN, rule_set(rule("bonus", effect)))
    assert award.explain() == f"{awarded} bonus: {reason}"


@pytest.mark.parametrize(
    "effect",
    [
        {"kind": "per_litre", "points": 5},
        {"kind": "per_kwh", "points": 5},
        {"kind": "per_piece", "points": 5},
        {"kind": "by_article", "articles": {"crisps": 1}},
        {"kind": "by_category", "categories": {"snack": {"points": 1}}},
    ],
)
def test_an_effect_leaves_other_lines_alone(effect: dict[str, Any]) -> None:
    assert evaluate(sale(line(1, "coal", "50", "3", "kg")), CHEN, rule_set(rule("bonus", effect))) == ()


def at(*moment: int) -> Sale:
    """A sale of 100 yuan at a moment."""
    return sale(line(1, "snack", "100"), time=datetime(*moment, tzinfo=SHANGHAI))  # type: ignore[misc]


HUNDRED = sale(line(1, "snack", "100"))
NIGHT = {"kind": "off_peak", "from": "22:00", "until": "06:00", "coefficient": 15_000}
NOON = {"kind": "off_peak", "from": "11:00", "until": "13:00", "coefficient": 15_000}
WINTER = {"kind": "season", "from": "11-01", "until": "02-28", "coefficient": 15_000}
MAY = {"kind": "season", "from": "05-01", "until": "05-31", "coefficient": 15_000}
WEEKEND = {"kind": "weekday", "days": [6, 7], "coefficient": 15_000}
PLACES = {"kind": "station", "stations": ["17"], "regions": ["south"], "coefficient": 15_000}
BIRTHDAY = {"kind": "birthday_month", "coefficient": 15_000}
FIRST = {"kind": "first_purchase", "coefficient": 15_000}
RAIN = {"kind": "weather", "when": "rain", "coefficient": 15_000}
BANDS = {
    "kind": "value_class",
    "bands": [{"from_fen": 10_000, "coefficient": 15_000}, {"from_fen": 20_000, "coefficient": 20_000}],
}
OWN_TIER = {"kind": "tier"}
TIERS = {"kind": "tier", "coefficients": {"gold": 15_000}}


@pytest.mark.parametrize(
    ("effect", "bought", "who", "awarded"),
    [
        ({"kind": "multiplier", "coefficient": 15_000}, HUNDRED, CHEN, 150),
        ({"kind": "multiplier", "coefficient": 0}, HUNDRED, CHEN, 0),
        (NIGHT, at(2026, 7, 7, 21, 59), CHEN, 100),
        (NIGHT, at(2026, 7, 7, 22, 0), CHEN, 150),
        (NIGHT, at(2026, 7, 7, 5, 59), CHEN, 150),
        (NIGHT, at(2026, 7, 7, 6, 0), CHEN, 100),
        (NOON, at(2026, 7, 7, 10, 59), CHEN, 100),
        (NOON, at(2026, 7, 7, 12, 59), CHEN, 150),
        (NOON, at(2026, 7, 7, 13, 0), CHEN, 100),
        (WINTER, at(2026, 10, 31, 23, 59), CHEN, 100),
        (WINTER, at(2026, 11, 1, 0, 0), CHEN, 150),
        (WINTER, at(2026, 2, 28, 23, 59), CHEN, 150),
        (WINTER, at(2026, 3, 1, 0, 0), CHEN, 100),
        (MAY, at(2026, 5, 31, 12, 0), CHEN, 150),
        (MAY, at(2026, 6, 1, 12, 0), CHEN, 100),
        (WEEKEND, at(2026, 7, 11, 12, 0), CHEN, 150),
        (WEEKEND, at(2026, 7, 10, 12, 0), CHEN, 100),
        (PLACES, HUNDRED, CHEN, 150),
        (PLACES, sale(line(1, "snack", "100"), station=Station("3", "south")), CHEN, 150),
        (PLACES, sale(line(1, "snack", "100"), station=Station("3", "north")), CHEN, 100),
        (BIRTHDAY, HUNDRED, customer(birthday_month=7), 150),
        (BIRTHDAY, HUNDRED, customer(birthday_month=8), 100),
        (BIRTHDAY, HUNDRED, customer(), 100),
        (FIRST, HUNDRED, customer(first_purchase=True), 150),
        (FIRST, HUNDRED, customer(), 100),
        (RAIN, sale(line(1, "snack", "100"), weather=Weather(rain=True)), CHEN, 150),
        (RAIN, sale(line(1, "snack", "100"), weather=Weather(snow=True)), CHEN, 100),
        (BANDS, sale(line(1, "snack", "99.99")), CHEN, 99),
        (BANDS, HUNDRED, CHEN, 150),
        (BANDS, sale(line(1, "snack", "150"), line(2, "oil", "50")), CHEN, 400),
        (OWN_TIER, HUNDRED, CHEN, 130),
        (OWN_TIER, HUNDRED, customer(), 100),
        (TIERS, HUNDRED, CHEN, 150),
        (TIERS, HUNDRED, customer(tier="silver", tier_coefficient=13_000), 100),
    ],
)
def test_what_an_effect_multiplies(effect: dict[str, Any], bought: Sale, who: Snapshot, awarded: int) -> None:
    rules = rule_set(rule("yuan", {"kind": "per_yuan", "points": 1}), rule("more", effect))
    assert points(bought, who, rules) == awarded


@pytest.mark.parametrize(
    ("lines", "awarded"),
    [
        ((line(1, "oil", "100"), line(2, "filter", "20"), line(3, "snack", "5")), 245),
        ((line(1, "oil", "100"), line(3, "snack", "5")), 105),
        ((line(1, "oil", "100"), line(2, "oil", "100")), 200),
        ((line(1, "oil", "100"), line(2, "oil", "100"), line(3, "filter", "20")), 440),
    ],
)
def test_a_pair_multiplies_the_lines_of_both_goods(lines: Any, awarded: int) -> None:
    pair = {"kind": "pair", "first": {"category": "oil"}, "second": {"article": "filter"}, "coefficient": 20_000}
    assert (
        points(sale(*lines), CHEN, rule_set(rule("yuan", {"kind": "per_yuan", "points": 1}), rule("pair", pair)))
        == awarded
    )


def test_one_line_is_no_pair() -> None:
    pair = {"kind": "pair", "first": {"category": "oil"}, "second": {"article": "5w30"}, "coefficient": 20_000}
    rules = rule_set(rule("yuan", {"kind": "per_yuan", "points": 1}), rule("pair", pair))
    assert points(sale(line(1, "oil", "100", article="5w30")), CHEN, rules) == 100


def test_a_condition_limits_a_coefficient_to_its_lines() -> None:
    double = rule("snacks", {"kind": "multiplier", "coefficient": 20_000}, condition="line.category == 'snack'")
    (award,) = evaluate(FULL, CHEN, rule_set(rule("yuan", {"kind": "per_yuan", "points": 1}), double))
    assert award.explain() == "400 yuan: 380.00 yuan x 1; x 2 snacks (lines 3, 4)"


def test_a_condition_narrows_the_lines_of_a_pair() -> None:
    pair = {"kind": "pair", "first": {"category": "oil"}, "second": {"category": "filter"}, "coefficient": 20_000}
    rules = rule_set(
        rule("yuan", {"kind": "per_yuan", "points": 1}),
        rule("pair", pair, condition="line.category != 'filter'"),
    )
    bought = sale(line(1, "oil", "100"), line(2, "filter", "20"), line(3, "snack", "5"))
    (award,) = evaluate(bought, CHEN, rules)
    assert award.explain() == "225 yuan: 125.00 yuan x 1; x 2 pair (lines 1)"


def test_a_rule_may_name_the_coefficients_that_multiply_it() -> None:
    rules = rule_set(
        rule("yuan", {"kind": "per_yuan", "points": 1}, coefficients=["tier"]),
        rule("visit", {"kind": "fixed", "points": 10}, coefficients=[]),
        rule("litre", {"kind": "per_litre", "points": 1}),
        rule("tier", {"kind": "multiplier", "coefficient": 20_000}),
        rule("rain", {"kind": "multiplier", "coefficient": 30_000}),
    )
    assert {award.rule: award.points for award in evaluate(FULL, CHEN, rules)} == {
        "yuan": 760,
        "visit": 10,
        "litre": 240,
    }


def test_fixed_points_are_shared_among_lines_that_cost_nothing() -> None:
    (award,) = evaluate(
        sale(line(1, "air"), line(2, "water")), CHEN, rule_set(rule("visit", {"kind": "fixed", "points": 5}))
    )
    assert award.points == 5
    assert [share.weight for share in award.shares] == [1, 1]
