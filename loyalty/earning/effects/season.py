"""A coefficient in a season of every year."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from loyalty.earning.effects.base import Granted
from loyalty.earning.names import Facts


def _day_of_year(value: str) -> str:
    try:
        date.fromisoformat(f"2000-{value}")  # a leap year, so 29 February is a day
    except ValueError:
        raise ValueError(f"{value!r} is no day of the year: write 1 October as 10-01") from None
    return value


DayOfYear = Annotated[str, AfterValidator(_day_of_year)]


class Season(Granted):
    """The coefficient from one day of the year to another, both included. It may go on past New Year."""

    kind: Literal["season"] = "season"
    start: DayOfYear = Field(alias="from")
    until: DayOfYear

    def grants(self, facts: Facts) -> bool:
        """Whether the sale was in the season, by the station's calendar."""
        today = f"{facts.local_time.month:02}-{facts.local_time.day:02}"
        if self.start <= self.until:
            return self.start <= today <= self.until
        return today >= self.start or today <= self.until
