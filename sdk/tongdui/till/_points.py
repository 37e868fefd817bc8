"""How many points a sale is worth: points per amount and per quantity. Everything is exact; only the sum is rounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from numbers import Rational

EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow])
"""Decimal arithmetic that raises rather than round."""

ZERO = Decimal(0)
_NOTHING: Mapping[str, Decimal] = {}


@dataclass(frozen=True, slots=True)
class PointsRule:
    """What amounts and quantities are worth, by category of article. Both may earn; then they add up.

    Attributes:
        rates: Points for one unit of currency, by category.
        articles: The category of each article.
        default: The category of all other articles. Without one, their rows are malformed.
        per_quantity: Points for one unit of quantity, such as a litre, by category.
    """

    rates: Mapping[str, Fraction]
    articles: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    per_quantity: Mapping[str, Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for category, rate in (*self.rates.items(), *self.per_quantity.items()):
            if not isinstance(rate, Rational):
                raise TypeError(f"points for {category!r} are a Fraction, not {rate!r}")
            if rate < 0:
                raise ValueError(f"points for {category!r} are below zero: {rate}")
        for article, category in (*self.articles.items(), *([("default", self.default)] if self.default else [])):
            if category not in self.rates and category not in self.per_quantity:
                raise ValueError(f"{article!r} is in category {category!r}, which has no rate")

    def category_of(self, article: str) -> str | None:
        """The article's category, or None when it has none."""
        return self.articles.get(article, self.default)

    def exact(self, amounts: Mapping[str, Decimal], quantities: Mapping[str, Decimal] = _NOTHING) -> Fraction:
        """The points for amounts and quantities by category, before rounding."""
        return Fraction(*self._ratio(amounts, quantities))

    def points(self, amounts: Mapping[str, Decimal], quantities: Mapping[str, Decimal] = _NOTHING) -> int:
        """The points for amounts and quantities by category: the exact sum, rounded down once (also below zero).

        Args:
            amounts: What was paid, by category.
            quantities: What was bought, by category. Only categories in `per_quantity` earn points for it.

        Returns:
            Whole points.
        """
        numerator, denominator = self._ratio(amounts, quantities)
        return numerator // denominator

    def _ratio(self, amounts: Mapping[str, Decimal], quantities: Mapping[str, Decimal]) -> tuple[int, int]:
        """The exact points as a numerator and a denominator. A till has a million sales, and `Fraction` is slow."""
        numerator, denominator = 0, 1
        for measures, rates in ((amounts, self.rates), (quantities, self.per_quantity)):
            for category, measure in measures.items():
                if rate := rates.get(category):
                    above, below = measure.as_integer_ratio()
                    above, below = above * rate.numerator, below * rate.denominator
                    numerator, denominator = numerator * below + above * denominator, denominator * below
        return numerator, denominator


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Add up amounts, exactly."""
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
