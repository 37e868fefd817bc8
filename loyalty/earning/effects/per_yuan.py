"""Points by what was paid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from loyalty.earning.bounds import YUAN
from loyalty.earning.effects.base import Earned, Earning, Per, Points, rate
from loyalty.earning.reasons import Reason, Text, decimal
from loyalty.sales.types import Line


class PerYuan(Earning):
    """`points` for every `per` yuan that was paid."""

    SAYS = Text("{amount} yuan x {rate}", "{amount} 元 × {rate}")

    kind: Literal["per_yuan"] = "per_yuan"
    points: Points
    per: Per = 1

    def earned(self, lines: Sequence[Line]) -> Earned:
        """Points for each line's amount."""
        return Earned([line.amount_micros * self.points for line in lines], self.per * YUAN)

    def reasons(self, lines: Sequence[Line]) -> list[Reason]:
        """The amount, and points a yuan."""
        amount = decimal(sum(line.amount_micros for line in lines), YUAN, 2)
        return [Reason.of("per_yuan", amount=amount, rate=rate(self.points, self.per))]
