"""So many points for a sale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from loyalty.earning.effects.base import Earned, Earning, Points
from loyalty.earning.reasons import Reason, Text
from loyalty.sales.types import Line


class FixedPoints(Earning):
    """`points` once for each sale, shared among its lines by what was paid for them."""

    SAYS = Text("{points} for the sale", "本次消费 {points}")

    kind: Literal["fixed"] = "fixed"
    points: Points

    def earned(self, lines: Sequence[Line]) -> Earned:
        """Each line's share. Lines that cost nothing share equally, if there are no others."""
        amount = sum(line.amount_micros for line in lines)
        if not amount:
            return Earned([self.points] * len(lines), len(lines))
        return Earned([line.amount_micros * self.points for line in lines], amount)

    def reasons(self, lines: Sequence[Line]) -> list[Reason]:
        """The points."""
        return [Reason.of("fixed", points=self.points)]
