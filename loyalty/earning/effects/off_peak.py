"""A coefficient at certain hours."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from loyalty.earning.effects.base import Granted
from loyalty.earning.names import Facts


def _clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f"{value!r} is no time of day: write it as 06:30")
    return value


TimeOfDay = Annotated[str, AfterValidator(_clock)]


class OffPeak(Granted):
    """The coefficient from one time of day until another, by the station's clocks. It may go on past midnight."""

    kind: Literal["off_peak"] = "off_peak"
    start: TimeOfDay = Field(alias="from")
    until: TimeOfDay

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.start == self.until:
            raise ValueError("from and until are the same time: leave the effect to a multiplier, if it is for all day")
        return self

    def grants(self, facts: Facts) -> bool:
        """Whether the sale was within these hours. `until` is the first minute after them."""
        now = f"{facts.local_time.hour:02}:{facts.local_time.minute:02}"
        if self.start < self.until:
            return self.start <= now < self.until
        return now >= self.start or now < self.until
