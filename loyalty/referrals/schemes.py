"""Referral schemes: what the newcomer and the one who brought them are given, and when. No database here."""

from __future__ import annotations

import json
from calendar import monthrange
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, field_validator, model_validator

from loyalty.earning.conditions import about_the_sale, compile_condition
from loyalty.plans.fields import STRICT, Id, Name, Period, PointsLimit, check_start
from loyalty.plans.reading import Reader
from loyalty.sales.types import Sale


class Part(StrEnum):
    """One of the bonuses of a referral."""

    NEWCOMER = "newcomer"
    """For the newcomer's first completed visit, to the newcomer."""
    REFERRER = "referrer"
    """For the same, to the one who brought them."""
    AGAIN = "again"
    """For a newcomer who came back, to the one who brought them."""


class Again(BaseModel):
    """What is given when the newcomer has come so often in so many months, the first visit included."""

    model_config = STRICT

    points: PointsLimit
    visits: Annotated[int, Field(ge=2, le=100)]
    months: Annotated[int, Field(ge=1, le=24)]


class ReferralScheme(BaseModel):
    """What a referral is worth. A published version never changes."""

    model_config = STRICT

    id: Id
    version: Annotated[int, Field(ge=1)]
    name: Name
    time_zone: ZoneInfo
    effective: Period
    condition: str = "true"
    newcomer_points: PointsLimit
    referrer_points: PointsLimit
    again: Again | None = None
    days_to_refer: Annotated[int, Field(ge=0, le=365)] = 30
    most_per_month: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @field_validator("condition")
    @classmethod
    def _is_about_the_sale(cls, condition: str) -> str:
        return about_the_sale(condition)

    @model_validator(mode="after")
    def _begins(self) -> ReferralScheme:
        check_start(self.effective)
        return self

    def points(self, part: Part) -> int:
        """What a part is worth."""
        match part:
            case Part.NEWCOMER:
                return self.newcomer_points
            case Part.REFERRER:
                return self.referrer_points
        assert self.again is not None, "nobody earns a part that the scheme does not have"
        return self.again.points

    def earned(self, sales: Iterable[Sale]) -> frozenset[Part]:
        """What the newcomer's sales have earned, in any order."""
        condition = compile_condition(self.condition)
        days = sorted(sale.business_day for sale in sales if condition.of_anybody(sale))
        if not days:
            return frozenset()
        parts = {Part.NEWCOMER, Part.REFERRER}
        if self.again is not None:
            until = months_later(days[0], self.again.months)
            if sum(day < until for day in days) >= self.again.visits:
                parts.add(Part.AGAIN)
        return frozenset(parts)


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


_READER = Reader(
    ReferralScheme,
    within={"": ReferralScheme, "name": Name, "effective": Period, "again": Again},
    kinds={},
)


def read_referral_scheme(text: str | bytes) -> ReferralScheme:
    """Read a referral scheme from JSON. Raises PlanError; each problem has a place."""
    return _READER.read(text)


def write_referral_scheme(scheme: ReferralScheme) -> str:
    """Write it as JSON, which `read_referral_scheme` reads. Fields that have their default are left out."""
    return json.dumps(scheme.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, sort_keys=True)
