"""Fields that several plans have."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from loyalty.sales.types import InvalidField

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, serialize_by_alias=True)
"""Models of plans: nothing is changed, unknown, or taken for something else."""

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Said = Annotated[str, Field(min_length=1, max_length=100)]
LARGEST_POINTS = 10**12
"""The most points of a cap or a budget."""
PointsLimit = Annotated[int, Field(ge=1, le=LARGEST_POINTS)]


class Name(BaseModel):
    """What customers read, in both languages."""

    model_config = STRICT

    en: Said
    zh: Said


class Period(BaseModel):
    """From one day until another, both included, in the plan's time zone. Without an end it has none."""

    model_config = STRICT

    start: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.start and self.until and self.until < self.start:
            raise InvalidField("until", f"must not be before from: {self.until} is before {self.start}")
        return self

    def has(self, day: date) -> bool:
        """Whether the day is in the period."""
        return not ((self.start and day < self.start) or (self.until and day > self.until))


class Limits(BaseModel):
    """What something may cost in points, in a month of business days and in all."""

    model_config = STRICT

    points_per_month: PointsLimit | None = None
    points_in_all: PointsLimit | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.points_per_month is None and self.points_in_all is None:
            raise ValueError("limits nothing: write points_per_month, points_in_all or both")
        return self

    def limits(self, day: date) -> tuple[tuple[str, int], ...]:
        """The periods that a business day belongs to, each with its limit."""
        limits = ((f"{day:%Y-%m}", self.points_per_month), ("all", self.points_in_all))
        return tuple((period, limit) for period, limit in limits if limit is not None)


def check_start(effective: Period) -> None:
    """Refuse a plan that does not say when it begins."""
    if effective.start is None:
        raise InvalidField("effective.from", "is missing: write the day from which it is in force")
