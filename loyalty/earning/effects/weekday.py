"""A coefficient on certain days of the week."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from loyalty.earning.effects.base import Granted
from loyalty.earning.names import Facts


class Weekday(Granted):
    """The coefficient on these days: 1 is Monday, 7 is Sunday."""

    kind: Literal["weekday"] = "weekday"
    days: Annotated[tuple[Annotated[int, Field(ge=1, le=7)], ...], Field(min_length=1)]

    def grants(self, facts: Facts) -> bool:
        """Whether the sale was on such a day, by the station's calendar."""
        return facts.local_time.isoweekday() in self.days
