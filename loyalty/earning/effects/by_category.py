"""Points by category."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import lcm
from typing import Annotated, Literal

from pydantic import Field

from loyalty.earning.bounds import YUAN
from loyalty.earning.effects.base import Code, Earned, Earning, Rate
from loyalty.earning.reasons import Reason, Text, decimal
from loyalty.sales.types import Line


class ByCategory(Earning):
    """Points for what was paid, at a rate for each category that it names. Others earn nothing."""

    SAYS = Text("{amount} yuan of {category} x {rate}", "{category} {amount} 元 × {rate}")

    kind: Literal["by_category"] = "by_category"
    categories: Annotated[dict[Code, Rate], Field(min_length=1)]

    @cached_property
    def common_per(self) -> int:
        """What all rates' denominators divide."""
        return lcm(*(rate.per for rate in self.categories.values()))

    @cached_property
    def points_by_category(self) -> dict[str, int]:
        """Points by category for `common_per` yuan."""
        return {category: rate.points * self.common_per // rate.per for category, rate in self.categories.items()}

    def earned(self, lines: Sequence[Line]) -> Earned:
        """Points for each line's amount, by its category."""
        points = self.points_by_category
        return Earned([line.amount_micros * points.get(line.category, 0) for line in lines], self.common_per * YUAN)

    def reasons(self, lines: Sequence[Line]) -> list[Reason]:
        """Amount and rate of each category."""
        amounts: dict[str, int] = {}
        for line in lines:
            if line.category in self.categories:
                amounts[line.category] = amounts.get(line.category, 0) + line.amount_micros
        return [
            Reason.of(
                "by_category",
                category=category,
                amount=decimal(amount, YUAN, 2),
                rate=str(self.categories[category]),
            )
            for category, amount in sorted(amounts.items())
        ]
