"""Runs the examples that live beside a rule set. A set that has a problem is not published."""

from __future__ import annotations

from loyalty.earning.evaluation import NotInForce, evaluate
from loyalty.earning.rule_sets import Example, RuleSet
from loyalty.plans.reading import Problem
from loyalty.sales.types import InvalidField


def check(rule_set: RuleSet) -> tuple[Problem, ...]:
    """What stands against publishing a rule set: every example that does not come out as it says."""
    return tuple(
        Problem(f"examples[{at}]", f"{example.name}: {message}")
        for at, example in enumerate(rule_set.examples)
        for message in _differences(rule_set, example)
    )


def _differences(rule_set: RuleSet, example: Example) -> list[str]:
    try:
        awards = {award.rule: award for award in evaluate(example.sale, example.customer, rule_set)}
    except (NotInForce, InvalidField) as error:
        return [str(error)]
    differences = []
    for rule in rule_set.earning:
        wanted, award = example.awards.get(rule.id, 0), awards.get(rule.id)
        if wanted != (award.points if award else 0):
            got = award.explain() if award else "does not apply"
            differences.append(f"{rule.id} is to award {wanted}, but: {got}")
    differences += [
        f"{rule.id} is to award {example.awards[rule.id]}, but it only multiplies: name the rule that earns"
        for rule in rule_set.multiplying
        if rule.id in example.awards
    ]
    return differences
