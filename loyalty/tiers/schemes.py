"""Tier schemes: levels, what each needs, the window in which it counts, and the grace before a step down. No database here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, model_validator

from loyalty.activity.measures import Measures
from loyalty.earning.bounds import EVEN
from loyalty.earning.effects.base import Coefficient
from loyalty.earning.names import FEN
from loyalty.plans.fields import LARGEST_POINTS, STRICT, Id, Name, Period, check_start
from loyalty.plans.reading import Reader
from loyalty.sales.types import InvalidField

LONGEST_LEVEL = 40
"""The most characters of a level's id."""
Needed = Annotated[int, Field(ge=1, le=LARGEST_POINTS)]
_LITRE = 1_000


class Needs(BaseModel):
    """What must have been reached in the window. `points` are those that sales earned."""

    model_config = STRICT

    points: Needed | None = None
    spend_fen: Needed | None = None
    litres: Needed | None = None
    visits: Needed | None = None

    @model_validator(mode="after")
    def _needs_something(self) -> Self:
        if not self.each:
            raise ValueError("needs nothing: write points, spend_fen, litres or visits")
        return self

    @property
    def each(self) -> dict[str, int]:
        """What is needed, by its name."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class Level(BaseModel):
    """One level. The first one needs nothing."""

    model_config = STRICT

    id: Id
    name: Name
    needs: Needs | None = None
    coefficient: Coefficient = EVEN
    benefits: Annotated[tuple[Name, ...], Field(max_length=20)] = ()


class Rolling(BaseModel):
    """The last so many days, today included."""

    model_config = STRICT

    kind: Literal["rolling"] = "rolling"
    days: Annotated[int, Field(ge=1, le=1_100)]

    def windows(self, day: date) -> tuple[tuple[date, date], ...]:
        """The one window that ends on a day."""
        return ((day - timedelta(self.days - 1), day),)

    def until(self, day: date) -> date | None:  # noqa: ARG002 (another kind asks for it)
        """The last day on which what counts now counts together; None, because it moves on with each day."""
        return None


class Calendar(BaseModel):
    """A month, a quarter or a year. What was reached in the one before holds, too: a level is kept until the end of the next."""

    model_config = STRICT

    kind: Literal["calendar"] = "calendar"
    each: Literal["month", "quarter", "year"]

    def windows(self, day: date) -> tuple[tuple[date, date], ...]:
        """The window in which a day is, until that day, and the whole one before."""
        first = self._first(day)
        last_before = first - timedelta(1)
        return ((first, day), (self._first(last_before), last_before))

    def until(self, day: date) -> date | None:
        """The last day of the window in which a day is."""
        last = self._first(day)
        while self._first(last + timedelta(1)) == self._first(day):
            last += timedelta(1)
        return last

    def _first(self, day: date) -> date:
        match self.each:
            case "month":
                return day.replace(day=1)
            case "quarter":
                return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
            case _:
                return day.replace(month=1, day=1)


Window = Annotated[Rolling | Calendar, Field(discriminator="kind")]


class TierScheme(BaseModel):
    """All levels of a programme. A published version never changes."""

    model_config = STRICT

    id: Id
    version: Annotated[int, Field(ge=1)]
    name: Name
    time_zone: ZoneInfo
    effective: Period
    window: Window
    reached_by: Literal["any", "all"] = "any"
    grace_days: Annotated[int, Field(ge=0, le=400)] = 0
    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        check_start(self.effective)
        if self.levels[0].needs is not None:
            raise InvalidField("levels[0].needs", "must be left out: everybody has the first level")
        for at, level in enumerate(self.levels):
            if level.id in [one.id for one in self.levels[:at]]:
                raise InvalidField(f"levels[{at}].id", f"must be its own: {level.id!r} is there twice")
            if len(level.id) > LONGEST_LEVEL:
                raise InvalidField(f"levels[{at}].id", f"must have at most {LONGEST_LEVEL} characters")
            if at and level.needs is None:
                raise InvalidField(f"levels[{at}].needs", "is missing: only the first level needs nothing")
            for name, value in level.needs.each.items() if level.needs else ():
                below = max((one.needs.each.get(name, 0) for one in self.levels[:at] if one.needs), default=0)
                if value <= below:
                    raise InvalidField(
                        f"levels[{at}].needs.{name}", f"must be more than the levels below need, {below}, not {value}"
                    )
        return self

    def day_of(self, moment: datetime) -> date:
        """The day of a moment in the scheme's time zone."""
        return moment.astimezone(self.time_zone).date()

    def rank_of(self, level: str) -> int:
        """The place of a level among all, from 0. A level that there is not is the first one."""
        return next((at for at, one in enumerate(self.levels) if one.id == level), 0)

    def reached(self, measures: Measures) -> int:
        """The rank that these measures of one window reach."""
        return max(
            at for at, level in enumerate(self.levels) if level.needs is None or self._has(level.needs, measures)
        )

    def missing(self, level: Level, measures: Measures) -> Mapping[str, int]:
        """What these measures lack for a level, by name, in whole units, rounded up. Empty if nothing is missing."""
        if level.needs is None or self._has(level.needs, measures):
            return {}
        had = counted(measures)
        left = {name: value - had[name] for name, value in level.needs.each.items()}
        return {name: value for name, value in left.items() if value > 0}

    def _has(self, needs: Needs, measures: Measures) -> bool:
        had = counted(measures)
        reached = [had[name] >= value for name, value in needs.each.items()]
        return any(reached) if self.reached_by == "any" else all(reached)


def counted(measures: Measures) -> dict[str, int]:
    """Measures in the whole units of what a level needs, rounded down."""
    return {
        "points": measures.points,
        "spend_fen": measures.spend_micros // FEN,
        "litres": measures.litres_milli // _LITRE,
        "visits": measures.visits,
    }


_READER = Reader(
    TierScheme,
    within={
        "": TierScheme,
        "name": Name,
        "benefits": Name,
        "effective": Period,
        "levels": Level,
        "needs": Needs,
        "rolling": Rolling,
        "calendar": Calendar,
    },
    kinds={"rolling": Rolling, "calendar": Calendar},
)


def read_tier_scheme(text: str | bytes) -> TierScheme:
    """Read a tier scheme from JSON. Raises PlanError; each problem has a place."""
    return _READER.read(text)


def write_tier_scheme(scheme: TierScheme) -> str:
    """Write a tier scheme as JSON, which `read_tier_scheme` reads. Fields that have their default are left out."""
    plain = scheme.model_dump(mode="json", exclude_defaults=True)
    plain["window"]["kind"] = scheme.window.kind
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)
