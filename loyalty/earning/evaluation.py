"""Evaluates a rule set for a sale. A pure function: the same sale, snapshot and rule set give the same awards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import NamedTuple, cast

from loyalty.earning.awards import Award, Share, Taking
from loyalty.earning.bounds import EVEN
from loyalty.earning.effects import Earning, Multiplying
from loyalty.earning.names import Facts
from loyalty.earning.reasons import Reason, Text, decimal, share
from loyalty.earning.rule_sets import Rule, RuleSet
from loyalty.earning.snapshot import Snapshot
from loyalty.earning.stacking import Combined, combine
from loyalty.sales.types import InvalidField, Line, Sale


class NotInForce(ValueError):
    """The rule set is not in force on the day of the sale."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A coefficient that the sale has.

    Attributes:
        rule: The rule that gives it.
        name: What it is called.
        coefficient: In basis points.
        lines: The numbers of the lines that it multiplies, or None for all.
    """

    rule: str
    name: Text
    coefficient: int
    lines: frozenset[int] | None


class Rounded(NamedTuple):
    """Points after rounding, cap and budget."""

    points: int
    remainder: Fraction
    takings: tuple[Taking, ...]
    reasons: list[Reason]


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
    factors = _factors(facts, [rule for rule in rule_set.multiplying if whenever or rule.period.has(day)])
    awards = (_award(facts, rule, rule_set, factors) for rule in rule_set.earning if whenever or rule.period.has(day))
    return tuple(award for award in awards if award is not None)


def _lines(facts: Facts, rule: Rule) -> Sequence[Line]:
    """The lines for which the rule's condition holds."""
    lines, condition = facts.sale.lines, rule.compiled
    if condition.per_line:
        return [line for line in lines if condition.holds(facts, line)]
    return lines if condition.holds(facts, lines[0]) else ()


def _factors(facts: Facts, rules: Iterable[Rule]) -> list[Factor]:
    """The coefficients that the sale has."""
    factors = []
    for rule in rules:
        effect = cast(Multiplying, rule.effect)
        coefficient = effect.factor(facts)
        if coefficient is None or not (lines := _lines(facts, rule)):
            continue
        numbers = None if len(lines) == len(facts.sale.lines) else frozenset(line.number for line in lines)
        if (reached := effect.reaches(facts)) is not None:
            numbers = reached if numbers is None else numbers & reached
        label = effect.label(facts)
        factors.append(Factor(rule.id, Text(label, label) if label else rule.name.text, coefficient, numbers))
    return factors


def _award(facts: Facts, rule: Rule, rule_set: RuleSet, factors: list[Factor]) -> Award | None:
    """What one rule gives for the sale, or None where it has nothing to say."""
    effect = cast(Earning, rule.effect)
    if not (matching := _lines(facts, rule)):
        return None
    numerators, denominator = effect.earned(matching)
    earned = {line.number: numerator for line, numerator in zip(matching, numerators, strict=True) if numerator}
    if not earned:
        return None
    if rule.coefficients is not None:
        factors = [factor for factor in factors if factor.rule in rule.coefficients]
    factors = [factor for factor in factors if factor.lines is None or not factor.lines.isdisjoint(earned)]
    groups = _groups(earned, factors, rule_set)
    common = lcm(*(combined.denominator for combined in groups.values()))
    weights = {
        number: earned[number] * combined.numerator * (common // combined.denominator)
        for number, combined in groups.items()
    }
    exact = Fraction(sum(weights.values()), denominator * common)
    before = facts.customer.remainder_of(rule.id) if rule.carry else Fraction()
    rounded = _rounded(facts, rule, exact, before)
    reasons = [*effect.reasons([line for line in matching if line.number in earned]), *_multiplied(factors, groups)]
    scale = gcd(*weights.values()) or 1
    return Award(
        rule=rule.id,
        name=rule.name.text,
        rule_set=rule_set.id,
        version=rule_set.version,
        points=rounded.points,
        reasons=(*reasons, *rounded.reasons),
        shares=tuple(Share(number, weights[number] // scale) for number in sorted(weights)),
        takings=rounded.takings,
        carries=rule.carry,
        remainder=rounded.remainder,
        carried=rounded.remainder - before,
    )


def _groups(earned: Iterable[int], factors: list[Factor], rule_set: RuleSet) -> dict[int, Combined]:
    """What each line is multiplied by."""
    method, ceiling = rule_set.stacking.method, rule_set.stacking.ceiling
    if all(factor.lines is None for factor in factors):
        return dict.fromkeys(earned, combine(method, ceiling, tuple(factor.coefficient for factor in factors)))
    return {
        number: combine(
            method,
            ceiling,
            tuple(factor.coefficient for factor in factors if factor.lines is None or number in factor.lines),
        )
        for number in earned
    }


def _multiplied(factors: list[Factor], groups: dict[int, Combined]) -> list[Reason]:
    """The coefficients in words; and what they come to, where there are several or the ceiling lowers them."""
    reasons = []
    reached: dict[int, int] = dict.fromkeys(groups, 0)
    for factor in factors:
        numbers = [number for number in sorted(groups) if factor.lines is None or number in factor.lines]
        for number in numbers:
            reached[number] += 1
        reasons.append(
            _of_lines("coefficient", numbers, groups, coefficient=decimal(factor.coefficient, EVEN), name=factor.name)
        )
    together: dict[Combined, list[int]] = {}
    for number in sorted(groups):
        if reached[number] > 1 or groups[number].lowered:
            together.setdefault(groups[number], []).append(number)
    for combined, numbers in together.items():
        value = decimal(combined.numerator, combined.denominator)
        reasons.append(_of_lines("together", numbers, groups, coefficient=value))
    return reasons


def _of_lines(code: str, numbers: list[int], groups: dict[int, Combined], **values: str | Text) -> Reason:
    """A reason that names its lines, unless it is true of all."""
    if len(numbers) == len(groups):
        return Reason.of(code, **values)
    return Reason.of(f"{code}_of_lines", **values, lines=", ".join(map(str, numbers)))


def _rounded(facts: Facts, rule: Rule, exact: Fraction, before: Fraction) -> Rounded:
    """Round down, then apply cap and budget. What these cut off is not carried."""
    reasons = []
    if before:
        reasons.append(Reason.of("carried_from", remainder=share(before)))
    total = exact + before
    points = max(0, total.numerator // total.denominator)
    remainder = total - points
    if remainder:
        reasons.append(Reason.of("carried_to", remainder=share(remainder)) if rule.carry else Reason.of("rounded_down"))
    allowed = points
    if rule.cap is not None and points > rule.cap:
        allowed = rule.cap
        reasons.append(Reason.of("capped", points=rule.cap))
    paid, takings, refused = _of_budget(facts, rule, allowed)
    reasons += refused
    if paid < points:
        reasons = [reason for reason in reasons if reason.code not in ("carried_to", "rounded_down")]
        remainder = Fraction() if paid else before
    return Rounded(paid, remainder if rule.carry else Fraction(), takings, reasons)


def _of_budget(facts: Facts, rule: Rule, points: int) -> tuple[int, tuple[Taking, ...], list[Reason]]:
    """How many of the points the rule's budget pays, what is taken of it, and why it is less."""
    if rule.budget is None or not points:
        return points, (), []
    limits = rule.budget.limits(facts.sale.business_day)
    spent = [facts.customer.spent_of(rule.id, period) for period, _ in limits]
    if any(each.closed for each in spent):
        return 0, (), [Reason.of("budget_stopped")]
    left = max(0, min(limit - each.points for (_, limit), each in zip(limits, spent, strict=True)))
    if points <= left:
        return points, _takings(rule, limits, points), []
    match rule.budget.when_spent:
        case "pay_part":
            takings = _takings(rule, limits, left) if left else ()
            return left, takings, [Reason.of("budget_part", points=left)]
        case "refuse":
            return 0, (), [Reason.of("budget_refused")]
        case "stop":
            closed = {
                period for (period, limit), each in zip(limits, spent, strict=True) if points > limit - each.points
            }
            takings = tuple(
                Taking(rule.id, period, 0, limit, closes=True) for period, limit in limits if period in closed
            )
            return 0, takings, [Reason.of("budget_stopped")]


def _takings(rule: Rule, limits: tuple[tuple[str, int], ...], points: int) -> tuple[Taking, ...]:
    return tuple(Taking(rule.id, period, points, limit) for period, limit in limits)
