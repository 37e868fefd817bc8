"""How a suggestion is shown."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import BaseModel, Field

from loyalty.earning.bounds import EVEN
from loyalty.seasons.service import Suggestion


class SuggestionView(BaseModel):
    """Weeks in which the station sells little: what it sells and what sales earn in such weeks, together."""

    first_day: date
    last_day: date
    weeks: int
    spend_micros: int
    share_bps: int = Field(description="what it sells in such a week, of an average week, in basis points")
    points: int
    fund_points: int = Field(description="what the coefficient would add: a budget for the rule, `points_in_all`")

    @classmethod
    def of(cls, found: Suggestion) -> Self:
        """The view of a suggestion."""
        period = found.period
        return cls(
            first_day=period.first_day,
            last_day=period.last_day,
            weeks=period.weeks,
            spend_micros=period.spend_micros,
            share_bps=int(period.share * EVEN),
            points=period.points,
            fund_points=found.fund_points,
        )
