"""Evaluates a rule set for a sale. A pure function: the same sale, snapshot and rule set give the same awards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
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

_share = partial(tuple.__new__, Share)
"""A share of a pair. There are dozens in a sale, and this calls nothing of Python's."""


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
    return _awards_on(day, sale, customer, rule_set)


def awards_of(sale: Sale, customer: Snapshot, rule_set: RuleSet, *, whenever: bool = False) -> tuple[Award, ...]:
    """What a sale earns under a rule set, in force or not. `whenever` leaves the rules' own days out of account, too."""
    return _awards_on(None if whenever else rule_set.day_of(sale), sale, customer, rule_set)


def _awards_on(day: date | None, sale: Sale, customer: Snapshot, rule_set: RuleSet) -> tuple[Award, ...]:
    """What a sale earns by the rules that are in force on a day, or by all."""
    if customer.customer != sale.customer:
        raise InvalidField("customer", f"must be the sale's, {sale.customer!r}, not {customer.customer!r}")
    facts = Facts.of(sale, customer)
    multiplying, earning = rule_set.multiplying, rule_set.earning
    if day is not None and rule_set.has_periods:
        multiplying, earning = _on(day, multiplying), _on(day, earning)
    factors = factors_of(facts, multiplying)
    awards = [_award(facts, rule, rule_set, factors) for rule in earning]
    return tuple([award for award in awards if award is not None])


def _on(day: date, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple([rule for rule in rules if rule.period.has(day)])


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
    return Award(
        rule=rule.id,
        name=rule.text,
        rule_set=rule_set.id,
        version=rule_set.version,
        points=limited.points,
        reasons=(*effect.reasons(lines), *multiplied.reasons, *limited.reasons),
        shares=_shares(numbers, weights),
        takings=limited.takings,
        carries=rule.carry,
        remainder=limited.remainder,
        carried=limited.remainder - facts.customer.remainder_of(rule.id) if rule.carry else ZERO,
    )


def _shares(numbers: Sequence[int], weights: Sequence[int]) -> tuple[Share, ...]:
    """The shares of lines, with weights that have no common divisor."""
    scale = gcd(*weights)
    if scale > 1:
        weights = [weight // scale for weight in weights]
    return tuple(map(_share, zip(numbers, weights, strict=True)))
