"""From exact points to whole ones: rounding, what is carried, the cap of a sale, and what the rule's budget still pays."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple

from loyalty.earning.awards import Taking
from loyalty.earning.reasons import Reason, share
from loyalty.earning.rule_sets import Rule
from loyalty.earning.snapshot import Snapshot

ZERO = Fraction()
_ROUNDED_DOWN = Reason.of("rounded_down")
_REFUSED = Reason.of("budget_refused")
_STOPPED = Reason.of("budget_stopped")


class Limited(NamedTuple):
    """Whole points, and what they leave."""

    points: int
    remainder: Fraction
    takings: tuple[Taking, ...]
    reasons: tuple[Reason, ...]


class Paid(NamedTuple):
    """What a budget pays, what is taken of it, and why it is less than was asked."""

    points: int
    takings: tuple[Taking, ...] = ()
    reasons: tuple[Reason, ...] = ()


def limit(rule: Rule, numerator: int, denominator: int, customer: Snapshot, day: date) -> Limited:
    """Round points down, then apply the rule's cap and budget. What these cut off is not carried.

    Args:
        rule: The rule that earns the points.
        numerator: The exact points: the fraction's numerator.
        denominator: Its denominator.
        customer: Who earns them.
        day: The business day, which says in which month they are spent.

    Returns:
        The points that are awarded.
    """
    before = customer.remainder_of(rule.id) if rule.carry else ZERO
    points, rest = divmod(numerator, denominator)
    remainder = ZERO
    if rule.carry:
        total = before + Fraction(numerator, denominator)
        points = max(0, total.numerator // total.denominator)
        remainder = total - points
    capped = points if rule.cap is None else min(points, rule.cap)
    paid = _of_budget(rule, capped, customer, day)
    reasons: list[Reason] = [Reason.of("carried_from", remainder=share(before))] if before else []
    if paid.points < points:
        remainder = ZERO if paid.points else before
    elif remainder:
        reasons.append(Reason.of("carried_to", remainder=share(remainder)))
    elif rest and not rule.carry:
        reasons.append(_ROUNDED_DOWN)
    if capped < points:
        reasons.append(Reason.of("capped", points=capped))
    return Limited(paid.points, remainder, paid.takings, (*reasons, *paid.reasons))


def _of_budget(rule: Rule, points: int, customer: Snapshot, day: date) -> Paid:
    """How many of the points the rule's budget pays."""
    if rule.budget is None or not points:
        return Paid(points)
    limits = rule.budget.limits(day)
    spent = [customer.spent_of(rule.id, period) for period, _ in limits]
    if any(each.closed for each in spent):
        return Paid(0, (), (_STOPPED,))
    left = {period: max(0, most - each.points) for (period, most), each in zip(limits, spent, strict=True)}
    fitting = min(left.values())
    if points <= fitting:
        return Paid(points, _takings(rule, limits, points))
    match rule.budget.when_spent:
        case "pay_part":
            takings = _takings(rule, limits, fitting) if fitting else ()
            return Paid(fitting, takings, (Reason.of("budget_part", points=fitting),))
        case "refuse":
            return Paid(0, (), (_REFUSED,))
        case "stop":
            spent_up = [(period, most) for period, most in limits if points > left[period]]
            closing = tuple(Taking(rule.id, period, 0, most, closes=True) for period, most in spent_up)
            return Paid(0, closing, (_STOPPED,))


def _takings(rule: Rule, limits: tuple[tuple[str, int], ...], points: int) -> tuple[Taking, ...]:
    return tuple(Taking(rule.id, period, points, most) for period, most in limits)
