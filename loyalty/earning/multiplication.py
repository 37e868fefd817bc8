"""What the lines of a sale are multiplied by: the coefficients that the sale has, what they come to on each line, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import lcm
from typing import NamedTuple, cast

from loyalty.earning.bounds import EVEN
from loyalty.earning.effects import Multiplying
from loyalty.earning.names import Facts
from loyalty.earning.reasons import Reason, Text, decimal
from loyalty.earning.rule_sets import Rule, Stacking
from loyalty.earning.stacking import Combined, combine


class Factor(NamedTuple):
    """A coefficient that a sale has.

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


class Multiplied(NamedTuple):
    """The points of lines after multiplication: numerators, by how much their denominator has grown, and the reasons."""

    numerators: Sequence[int]
    denominator: int
    reasons: tuple[Reason, ...]


def factors_of(facts: Facts, rules: Iterable[Rule]) -> list[Factor]:
    """The coefficients that the sale has."""
    factors = []
    for rule in rules:
        effect = cast(Multiplying, rule.effect)
        coefficient = effect.factor(facts)
        if coefficient is None or not (lines := rule.compiled.matching(facts)):
            continue
        numbers = None if len(lines) == len(facts.sale.lines) else frozenset(line.number for line in lines)
        if (reached := effect.reaches(facts)) is not None:
            numbers = reached if numbers is None else numbers & reached
        label = effect.label(facts)
        factors.append(Factor(rule.id, Text(label, label) if label else rule.text, coefficient, numbers))
    return factors


def multiply(
    factors: Iterable[Factor], numbers: Sequence[int], numerators: Sequence[int], stacking: Stacking
) -> Multiplied:
    """Multiply the points of lines by the coefficients that reach them.

    Args:
        factors: The coefficients that the rule takes.
        numbers: The numbers of the lines.
        numerators: The points of each line.
        stacking: How several coefficients become one.

    Returns:
        The points, exactly.
    """
    reaching = [each for each in factors if each.lines is None or not each.lines.isdisjoint(numbers)]
    if all(factor.lines is None for factor in reaching):
        combined = combine(stacking.method, stacking.ceiling, tuple([factor.coefficient for factor in reaching]))
        reasons = _of_all(tuple([(factor.name, factor.coefficient) for factor in reaching]), combined)
        if combined.numerator == 1:
            return Multiplied(numerators, combined.denominator, reasons)
        return Multiplied([each * combined.numerator for each in numerators], combined.denominator, reasons)
    return _by_line(reaching, numbers, numerators, stacking)


@lru_cache(maxsize=4_096)
def _of_all(coefficients: tuple[tuple[Text, int], ...], combined: Combined) -> tuple[Reason, ...]:
    """The reasons where every coefficient reaches every line. Most sales have the same few."""
    reasons = [_coefficient(name, coefficient) for name, coefficient in coefficients]
    if len(coefficients) > 1 or combined.lowered:
        reasons.append(_together(combined))
    return tuple(reasons)


def _by_line(
    factors: Sequence[Factor], numbers: Sequence[int], numerators: Sequence[int], stacking: Stacking
) -> Multiplied:
    """Each line has its own coefficients."""
    limited = [factor.lines for factor in factors if factor.lines is not None]
    patterns = [tuple([number in lines for lines in limited]) for number in numbers]
    combined = {pattern: _combined(factors, pattern, stacking) for pattern in {*patterns}}
    common = lcm(*(each.denominator for each, _ in combined.values()))
    scales = {pattern: each.numerator * (common // each.denominator) for pattern, (each, _) in combined.items()}
    multiplied = [numerator * scales[pattern] for pattern, numerator in zip(patterns, numerators, strict=True)]
    reasons = [
        _coefficient(factor.name, factor.coefficient)
        if (lines := factor.lines) is None
        else _coefficient(factor.name, factor.coefficient, [each for each in numbers if each in lines], numbers)
        for factor in factors
    ]
    together: dict[Combined, list[int]] = {}
    for number, pattern in zip(numbers, patterns, strict=True):
        each, is_said = combined[pattern]
        if is_said:
            together.setdefault(each, []).append(number)
    reasons += [_together(each, reached, numbers) for each, reached in together.items()]
    return Multiplied(multiplied, common, tuple(reasons))


def _combined(factors: Iterable[Factor], pattern: Iterable[bool], stacking: Stacking) -> tuple[Combined, bool]:
    """What the coefficients come to on a line, and whether that has to be said. The pattern tells which of those that do not reach
    all lines reach this one."""
    reaches = iter(pattern)
    mine = [factor.coefficient for factor in factors if factor.lines is None or next(reaches)]
    combined = combine(stacking.method, stacking.ceiling, tuple(mine))
    return combined, len(mine) > 1 or combined.lowered


def _coefficient(name: Text, coefficient: int, reached: Sequence[int] = (), numbers: Sequence[int] = ()) -> Reason:
    said = decimal(coefficient, EVEN)
    if len(reached) == len(numbers):
        return Reason.of("coefficient", coefficient=said, name=name)
    return Reason.of("coefficient_of_lines", coefficient=said, name=name, lines=_list(reached))


def _together(combined: Combined, reached: Sequence[int] = (), numbers: Sequence[int] = ()) -> Reason:
    said = decimal(combined.numerator, combined.denominator)
    if len(reached) == len(numbers):
        return Reason.of("together", coefficient=said)
    return Reason.of("together_of_lines", coefficient=said, lines=_list(reached))


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
