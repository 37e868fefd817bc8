"""Rule sets as JSON: what is wrong is told with its place and its fix; what is written is read again; nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from loyalty.earning.effects import EFFECTS
from loyalty.earning.rule_sets import RuleSet, read_rule_set, write_rule_set
from loyalty.plans.reading import PlanError
from tests.loyalty.earning.programmes import CLASSIC, rule
from tests.loyalty.earning.strategies import KINDS, SHAPES, rule_sets

SALE = {
    "station": {"id": "17"},
    "number": "1",
    "business_day": "2026-11-27",
    "time": "2026-11-27T23:00:00+08:00",
    "time_zone": "Asia/Shanghai",
    "customer": "chen",
    "lines": [
        {
            "number": 1,
            "article": "95",
            "category": "fuel",
            "quantity_milli": 40_000,
            "unit": "l",
            "amount_micros": 300_000_000,
        }
    ],
}


def plain() -> dict[str, Any]:
    """A rule set that is right, to spoil."""
    return {
        "id": "club",
        "version": 3,
        "name": {"en": "Club", "zh": "会员"},
        "time_zone": "Asia/Shanghai",
        "effective": {"from": "2026-01-01", "until": "2026-12-31"},
        "rules": [
            rule("litre", {"kind": "per_litre", "points": 5}, budget={"points_per_month": 1_000}),
            rule("tier", {"kind": "tier"}),
            rule("night", {"kind": "off_peak", "from": "22:00", "until": "06:00", "coefficient": 15_000}),
        ],
        "examples": [
            {
                "name": "a full tank",
                "sale": deepcopy(SALE),
                "customer": {"customer": "chen", "remainders": [{"rule": "litre", "value": "2/3"}]},
                "awards": {"litre": 200},
            }
        ],
    }


def spoilt(*path: Any, value: Any = None) -> Callable[[dict[str, Any]], None]:
    """Sets what stands at a path, or removes it."""

    def spoil(rules: Any) -> None:
        for step in path[:-1]:
            rules = rules[step]
        if value is None:
            del rules[path[-1]]
        else:
            rules[path[-1]] = value

    return spoil


EFFECT = ("rules", 0, "effect")


@pytest.mark.parametrize(
    ("spoil", "place", "message"),
    [
        (spoilt("version"), "version", "is missing: write it"),
        (spoilt("version", value=0), "version", "must be greater than or equal to 1"),
        (spoilt("version", value=True), "version", "must be a whole number, not True"),
        (
            spoilt("id", value="My club"),
            "id",
            "must be lower-case letters, digits, - and _, at most 64 of them, not 'My club'",
        ),
        (spoilt("rulez", value=[]), "rulez", "is not known: did you mean rules?"),
        (spoilt("rules", value=[]), "rules", "must have at least 1 item"),
        (spoilt("name", "zh"), "name.zh", "is missing: write it"),
        (spoilt("time_zone", value="Asia/Shangai"), "time_zone", "invalid timezone: Asia/Shangai"),
        (spoilt("effective", "from"), "effective.from", "is missing: write the day from which it is in force"),
        (
            spoilt("effective", "from", value="2026-13-01"),
            "effective.from",
            "must be a date, not '2026-13-01': write it as 2026-12-31",
        ),
        (spoilt("effective", "until", value="2025-12-31"), "effective.until", "must not be before from"),
        (spoilt("stacking", value={"method": "max"}), "stacking.method", "must be 'add', 'multiply' or 'highest'"),
        (spoilt("stacking", value={"ceiling": 9_999}), "stacking.ceiling", "must be greater than or equal to 10000"),
        (spoilt(*EFFECT, "kind"), "rules[0].effect", "has no kind: write one of per_yuan, per_litre"),
        (
            spoilt(*EFFECT, "kind", value="per_liter"),
            "rules[0].effect",
            "kind 'per_liter' is not known: did you mean per_litre?",
        ),
        (spoilt(*EFFECT, "points"), "rules[0].effect.points", "is missing"),
        (spoilt(*EFFECT, "points", value=5.5), "rules[0].effect.points", "must be a whole number, not 5.5"),
        (spoilt(*EFFECT, "points", value=5.0), "rules[0].effect.points", "must be a whole number, not 5.0"),
        (spoilt(*EFFECT, "points", value="5"), "rules[0].effect.points", "must be a whole number, not '5'"),
        (spoilt(*EFFECT, "point", value=5), "rules[0].effect.point", "is not known: did you mean points?"),
        (
            spoilt("rules", 0, "condition", value="line.categroy == 'fuel'"),
            "rules[0].condition",
            "1:1: line.categroy is not known: did you mean line.category?",
        ),
        (spoilt("rules", 0, "cap", value=0), "rules[0].cap", "must be greater than or equal to 1"),
        (
            spoilt("rules", 0, "budget", value={}),
            "rules[0].budget",
            "limits nothing: write points_per_month, points_in_all or both",
        ),
        (
            spoilt("rules", 0, "coefficients", value=["teir"]),
            "rules[0].coefficients",
            "'teir' is no rule with a coefficient: did you mean tier?",
        ),
        (
            spoilt("rules", 0, "coefficients", value=["litre"]),
            "rules[0].coefficients",
            "'litre' is no rule with a coefficient",
        ),
        (spoilt("rules", 1, "id", value="litre"), "rules[1].id", "must be its own: 'litre' is there twice"),
        (spoilt("rules", 1, "cap", value=3), "rules[1].cap", "belongs to a rule that earns points"),
        (spoilt("rules", 1, "carry", value=True), "rules[1].carry", "belongs to a rule that earns points"),
        (
            spoilt("rules", 1, "budget", value={"points_in_all": 5}),
            "rules[1].budget",
            "belongs to a rule that earns points",
        ),
        (
            spoilt("rules", 2, "effect", "from", value="25:00"),
            "rules[2].effect.from",
            "'25:00' is no time of day: write it as 06:30",
        ),
        (spoilt("rules", 2, "effect", "until", value="22:00"), "rules[2].effect", "from and until are the same time"),
        (
            spoilt("rules", 2, "effect", "coefficient", value=-1),
            "rules[2].effect.coefficient",
            "must be greater than or equal to 0",
        ),
        (
            spoilt("examples", 0, "awards", value={"liter": 1}),
            "examples[0].awards",
            "'liter' is no rule: did you mean litre?",
        ),
        (
            spoilt("examples", 0, "sale", "lines", 0, "amount_micros", value=-1),
            "examples[0].sale.lines[0].amount_micros",
            "must be from 0",
        ),
        (
            spoilt("examples", 0, "sale", "lines", 0, "amount_micros", value=1.5),
            "examples[0].sale.lines[0].amount_micros",
            "must be a whole number, not 1.5",
        ),
        (
            spoilt("examples", 0, "sale", "lines", 0, "catgory", value="x"),
            "examples[0].sale.lines[0].catgory",
            "did you mean category?",
        ),
        (
            spoilt("examples", 0, "sale", "time", value="2026-11-27T23:00:00"),
            "examples[0].sale.time",
            "must have an offset from UTC",
        ),
        (
            spoilt("examples", 0, "customer", "remainders", 0, "value", value=0.5),
            "examples[0].customer.remainders[0].value",
            "must be a fraction in quotes, such as '2/3', not 0.5",
        ),
    ],
)
def test_a_wrong_rule_set_is_refused_with_the_place_and_the_fix(
    spoil: Callable[[Any], None], place: str, message: str
) -> None:
    rules = plain()
    spoil(rules)
    with pytest.raises(PlanError) as refused:
        read_rule_set(json.dumps(rules))
    assert [
        problem.message for problem in refused.value.problems if problem.place == place and message in problem.message
    ]


SPOILT_EFFECTS = [
    (
        {"kind": "value_class", "bands": [{"from_fen": 5, "coefficient": 1}, {"from_fen": 5, "coefficient": 2}]},
        "bands must rise",
    ),
    ({"kind": "value_class", "bands": []}, "must have at least 1 item"),
    (
        {"kind": "season", "from": "02-30", "until": "03-01", "coefficient": 1},
        "'02-30' is no day of the year: write 1 October as 10-01",
    ),
    ({"kind": "weekday", "days": [8], "coefficient": 1}, "must be less than or equal to 7"),
    ({"kind": "station", "coefficient": 1}, "names no station: write some in stations or regions"),
    (
        {"kind": "pair", "first": {}, "second": {"article": "a"}, "coefficient": 1},
        "must name an article or a category, and not both",
    ),
    (
        {"kind": "pair", "first": {"article": "a"}, "second": {"article": "a"}, "coefficient": 1},
        "are the same goods: name two",
    ),
    ({"kind": "weather", "when": "fog", "coefficient": 1}, "must be 'rain', 'snow', 'heat' or 'frost'"),
    ({"kind": "by_article", "articles": {}}, "must have at least 1 item"),
    ({"kind": "by_category", "categories": {"fuel": {"points": 1, "per": 0}}}, "must be greater than or equal to 1"),
    ({"kind": "tier", "coefficients": {"gold": 1_000_001}}, "must be less than or equal to 1000000"),
]


@pytest.mark.parametrize(("effect", "message"), SPOILT_EFFECTS)
def test_a_wrong_effect_is_refused(effect: dict[str, Any], message: str) -> None:
    rules = plain()
    rules["rules"].append(rule("wrong", effect))
    with pytest.raises(PlanError, match=r"rules\[3\]\.effect") as refused:
        read_rule_set(json.dumps(rules))
    assert message in str(refused.value)


def test_fixed_points_are_not_carried() -> None:
    rules = plain()
    rules["rules"].append(rule("visit", {"kind": "fixed", "points": 1}, carry=True))
    with pytest.raises(PlanError, match=r"rules\[3\]\.carry: does not go with fixed points"):
        read_rule_set(json.dumps(rules))


def test_every_problem_is_told_at_once() -> None:
    rules = plain()
    rules["rules"][0]["cap"] = 0
    rules["rules"][0]["effect"]["points"] = 1.5
    with pytest.raises(PlanError) as refused:
        read_rule_set(json.dumps(rules))
    assert {problem.place for problem in refused.value.problems} == {"rules[0].cap", "rules[0].effect.points"}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"rules"', b"\xff"])
def test_what_is_no_rule_set_is_refused(text: str | bytes) -> None:
    with pytest.raises(PlanError):
        read_rule_set(text)


def test_the_tests_know_every_effect() -> None:
    assert SHAPES.keys() == KINDS.keys()
    assert len(KINDS) == len(EFFECTS)


@pytest.mark.parametrize("rules", [read_rule_set(json.dumps(plain())), CLASSIC], ids=["with an example", "classic"])
def test_what_is_written_is_read_again(rules: RuleSet) -> None:
    again = read_rule_set(write_rule_set(rules))
    assert again == rules
    assert again.fingerprint == rules.fingerprint


@given(rule_sets())
def test_every_rule_set_survives_json(rules: RuleSet) -> None:
    assert read_rule_set(write_rule_set(rules)) == rules


def test_other_rules_have_another_fingerprint() -> None:
    other = plain()
    other["rules"][0]["effect"]["points"] = 6
    assert read_rule_set(json.dumps(other)).fingerprint != read_rule_set(json.dumps(plain())).fingerprint


def test_a_rule_set_does_not_change() -> None:
    with pytest.raises(ValidationError):
        CLASSIC.version = 2  # type: ignore[misc]
    with pytest.raises(ValidationError):
        CLASSIC.rules[0].cap = 2  # type: ignore[misc]
