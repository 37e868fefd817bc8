"""What a rule awarded for a sale: the points, why, what it takes of which budget, and what belongs to which line."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from loyalty.earning import explanations
from loyalty.earning.reasons import Reason, Text


@dataclass(frozen=True, slots=True)
class Taking:
    """What an award takes of a budget. The caller books it in the transaction that books the award.

    Attributes:
        rule: The rule whose budget it is.
        period: A month, such as `2026-11`, or `all`.
        points: How many points.
        limit: The most points of that period, so that the caller can refuse to go above it.
        closes: Whether the rule ends for this period, although points may be left.
    """

    rule: str
    period: str
    points: int
    limit: int
    closes: bool = False


class Share(NamedTuple):
    """How much of an award is a line's: its weight, of the sum of all weights."""

    line: int
    weight: int


@dataclass(frozen=True, slots=True)
class Award:
    """What one rule gave for one sale.

    Attributes:
        rule: The rule.
        name: What the rule is called.
        rule_set: The rule set.
        version: The version of the rule set.
        points: Whole points. An award of none says why there are none, or has moved the remainder.
        reasons: Why, step by step.
        shares: What belongs to which line, in the order of lines' numbers.
        takings: What it takes of budgets.
        carries: Whether the rule carries what rounding leaves.
        remainder: What rounding leaves the customer now, if the rule carries it.
        carried: By how much the sale has changed that remainder.
    """

    rule: str
    name: Text
    rule_set: str
    version: int
    points: int
    reasons: tuple[Reason, ...]
    shares: tuple[Share, ...]
    takings: tuple[Taking, ...] = ()
    carries: bool = False
    remainder: Fraction = Fraction()
    carried: Fraction = Fraction()

    def explain(self, language: explanations.Language = "en") -> str:
        """The award in words: `300 points by the litre: 40.0 L x 5; x 2 silver; capped at 300`."""
        return explanations.explain(self.points, self.name, self.reasons, language)
