"""Gift plans: what is given for joining, for a whole profile, and for a birthday. No database here."""

from __future__ import annotations

import json
from calendar import isleap
from collections.abc import Set
from datetime import date
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, model_validator

from loyalty.plans.fields import STRICT, Id, Name, Period, PointsLimit, check_start
from loyalty.plans.reading import Reader

Known = Literal["card", "phone", "plate", "birthday"]


class Joining(BaseModel):
    """For joining: at once, or with the first sale of which something is left."""

    model_config = STRICT

    points: PointsLimit
    after: Literal["joining", "first_sale"] = "joining"


class Profile(BaseModel):
    """Once, for what the programme knows of a customer and may use."""

    model_config = STRICT

    points: PointsLimit
    needs: Annotated[tuple[Known, ...], Field(max_length=4)] = ()
    consents: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=40)], ...], Field(max_length=10)] = ()

    @model_validator(mode="after")
    def _needs_something(self) -> Self:
        if not self.needs and not self.consents:
            raise ValueError("needs nothing: write needs, consents or both")
        return self

    def is_whole(self, known: Set[str], consents: Set[str]) -> bool:
        """Whether all of it is there."""
        return known >= set(self.needs) and consents >= set(self.consents)


class Birthday(BaseModel):
    """Once a year, on the birthday: to everybody, or to some tiers."""

    model_config = STRICT

    points: PointsLimit
    tiers: Annotated[tuple[Id, ...], Field(min_length=1, max_length=20)] | None = None


class GiftPlan(BaseModel):
    """What is given on which occasion. A published version never changes."""

    model_config = STRICT

    id: Id
    version: Annotated[int, Field(ge=1)]
    name: Name
    time_zone: ZoneInfo
    effective: Period
    joining: Joining | None = None
    profile: Profile | None = None
    birthday: Birthday | None = None

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        check_start(self.effective)
        if self.joining is None and self.profile is None and self.birthday is None:
            raise ValueError("gives nothing: write joining, profile or birthday")
        return self


def birthdays_on(day: date) -> tuple[tuple[int, int], ...]:
    """The birthdays, as month and day, that are kept on a day: the 29th of February on the 28th where there is none."""
    found = [(day.month, day.day)]
    if found == [(2, 28)] and not isleap(day.year):
        found.append((2, 29))
    return tuple(found)


_READER = Reader(
    GiftPlan,
    within={
        "": GiftPlan,
        "name": Name,
        "effective": Period,
        "joining": Joining,
        "profile": Profile,
        "birthday": Birthday,
    },
    kinds={},
)


def read_gift_plan(text: str | bytes) -> GiftPlan:
    """Read a gift plan from JSON. Raises PlanError; each problem has a place."""
    return _READER.read(text)


def write_gift_plan(plan: GiftPlan) -> str:
    """Write it as JSON, which `read_gift_plan` reads. Fields that have their default are left out."""
    return json.dumps(plan.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, sort_keys=True)
