"""Evaluates a rule set for a sale. A pure function: the same sale, snapshot and rule set give the same awards."""

from __future__ import annotations

from math import gcd
from typing import cast

from loyalty.earning.awards import Award, Share
from loyalty.earning.effects import Earning
from loyalty.earning.limits import ZERO, limit
from loyalty.earning.multiplication import Factor, factors_of, multiply
from loyalty.earning.names import Facts
from loyalty.earning.rule_sets import Rule, RuleSet
from loyalty.earning.snapshot import Snapshot
from loyalty.sales.types import InvalidField, Sale


class NotInForce(ValueError):
    """The rule set is not in force on the day of the sale."""


def evaluate(sale: Sale, customer: Snapshot, rule_set: RuleSet) -> tuple[Award, ...]:
    """What a sale earns.

    Args:
        sale: The sale.
        customer: The sale's customer, and what is left of budgets, at the moment of the sale.
        rule_set: The version of the rules that is in force on the day of the sale.

    Returns:
        An award of each rule that applies, in the order of the rules. Some may be of no points.

    Raises:
        NotInForce: The rule set is not in force on that day.
        InvalidField: The snapshot is of somebody else.
    """
    if not rule_set.effective.has(day := rule_set.day_of(sale)):
        raise NotInForce(f"rule set {rule_set.id} version {rule_set.version} is not in force on {day}")
    return awards_of(sale, customer, rule_set)


def awards_of(sale: Sale, customer: Snapshot, rule_set: RuleSet, *, whenever: bool = False) -> tuple[Award, ...]:
    """What a sale earns under a rule set, in force or not. `whenever` leaves the rules' own days out of account, too."""
    if customer.customer != sale.customer:
        raise InvalidField("customer", f"must be the sale's, {sale.customer!r}, not {customer.customer!r}")
    facts = Facts.of(sale, customer)
    day = rule_set.day_of(sale)
    factors = factors_of(facts, [rule for rule in rule_set.multiplying if whenever or rule.period.has(day)])
    awards = [_award(facts, rule, rule_set, factors) for rule in rule_set.earning if whenever or rule.period.has(day)]
    return tuple([award for award in awards if award is not None])


def _award(facts: Facts, rule: Rule, rule_set: RuleSet, factors: list[Factor]) -> Award | None:
    """What one rule gives for the sale, or None where it earns nothing."""
    effect = cast(Earning, rule.effect)
    lines = rule.compiled.matching(facts)
    if not lines:
        return None
    numerators, denominator = effect.earned(lines)
    if not all(numerators):
        lines = [line for line, numerator in zip(lines, numerators, strict=True) if numerator]
        numerators = [numerator for numerator in numerators if numerator]
        if not lines:
            return None
    if rule.coefficients is not None:
        factors = [factor for factor in factors if factor.rule in rule.coefficients]
    numbers = [line.number for line in lines]
    multiplied = multiply(factors, numbers, numerators, rule_set.stacking)
    weights, denominator = multiplied.numerators, denominator * multiplied.denominator
    limited = limit(rule, sum(weights), denominator, facts.customer, facts.sale.business_day)
    scale = gcd(*weights) or 1
    return Award(
        rule=rule.id,
        name=rule.text,
        rule_set=rule_set.id,
        version=rule_set.version,
        points=limited.points,
        reasons=(*effect.reasons(lines), *multiplied.reasons, *limited.reasons),
        shares=tuple([Share(number, weight // scale) for number, weight in zip(numbers, weights, strict=True)]),
        takings=limited.takings,
        carries=rule.carry,
        remainder=limited.remainder,
        carried=limited.remainder - facts.customer.remainder_of(rule.id) if rule.carry else ZERO,
    )
