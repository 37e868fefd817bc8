"""How many points a sale is worth. Amounts are exact decimals, rates are exact fractions; only the sum is rounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from numbers import Rational

EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow])
"""Decimal arithmetic that raises rather than round."""

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PointsRule:
    """What amounts are worth, by category of article.

    Attributes:
        rates: Points for one unit of currency, by category.
        articles: The category of each article.
        default: The category of all other articles. Without one, their rows are malformed.
    """

    rates: Mapping[str, Fraction]
    articles: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None

    def __post_init__(self) -> None:
        for category, rate in self.rates.items():
            if not isinstance(rate, Rational):
                raise TypeError(f"points for {category!r} are a Fraction, not {rate!r}")
            if rate < 0:
                raise ValueError(f"points for {category!r} are below zero: {rate}")
        for article, category in (*self.articles.items(), *([("default", self.default)] if self.default else [])):
            if category not in self.rates:
                raise ValueError(f"{article!r} is in category {category!r}, which has no rate")

    def category_of(self, article: str) -> str | None:
        """The article's category, or None when it has none."""
        return self.articles.get(article, self.default)

    def exact(self, amounts: Mapping[str, Decimal]) -> Fraction:
        """The points for amounts by category, before rounding."""
        return sum((Fraction(amount) * self.rates[category] for category, amount in amounts.items()), Fraction(0))

    def points(self, amounts: Mapping[str, Decimal]) -> int:
        """The points for amounts by category: the exact sum, rounded down once (to fewer points, also below zero)."""
        return self.exact(amounts).__floor__()


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Add up amounts, exactly."""
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
