"""Examples live beside a rule set and run with it: a set whose examples fail is not published."""

from __future__ import annotations

import json
from typing import Any

from loyalty.earning.examples import check
from loyalty.earning.rule_sets import read_rule_set
from tests.loyalty.earning.programmes import rule
from tests.loyalty.earning.test_rule_sets import plain


def problems(**example: Any) -> list[str]:
    """What stands against a rule set whose example is changed."""
    rules = plain()
    rules["rules"][0]["condition"] = "line.category == 'fuel'"
    rules["examples"][0].update(example)
    return [str(problem) for problem in check(read_rule_set(json.dumps(rules)))]


def test_a_set_whose_examples_hold_has_no_problem() -> None:
    assert problems(awards={"litre": 300}) == []


def test_an_example_that_awards_less_is_told_with_the_reasons() -> None:
    assert problems(awards={"litre": 310}) == [
        "examples[0]: a full tank: litre is to award 310, but: 300 litre: 40.0 L x 5; x 1.5 night"
    ]


def test_an_award_that_the_example_does_not_name_is_a_problem() -> None:
    assert problems(awards={}) == [
        "examples[0]: a full tank: litre is to award 0, but: 300 litre: 40.0 L x 5; x 1.5 night"
    ]


def test_a_rule_that_does_not_apply_is_a_problem() -> None:
    bought = plain()["examples"][0]["sale"]
    bought["lines"][0]["category"] = "gas"
    assert problems(sale=bought, awards={"litre": 5}) == [
        "examples[0]: a full tank: litre is to award 5, but: does not apply"
    ]


def test_a_rule_that_multiplies_awards_nothing_itself() -> None:
    assert problems(awards={"litre": 300, "tier": 1}) == [
        "examples[0]: a full tank: tier is to award 1, but it only multiplies: name the rule that earns"
    ]


def test_an_example_outside_the_sets_days_is_a_problem() -> None:
    bought = plain()["examples"][0]["sale"] | {"time": "2027-03-01T12:00:00+08:00"}
    assert problems(sale=bought) == ["examples[0]: a full tank: rule set club version 3 is not in force on 2027-03-01"]


def test_an_example_with_somebody_elses_snapshot_is_a_problem() -> None:
    assert problems(customer={"customer": "wang"}) == [
        "examples[0]: a full tank: customer must be the sale's, 'chen', not 'wang'"
    ]


def test_every_example_is_run() -> None:
    rules = plain()
    rules["rules"].append(rule("visit", {"kind": "fixed", "points": 1}))
    rules["examples"] *= 2
    assert [problem.place for problem in check(read_rule_set(json.dumps(rules)))] == ["examples[0]"] * 2 + [
        "examples[1]"
    ] * 2
