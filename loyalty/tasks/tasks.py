"""Tasks: a condition, a goal, stages with bonuses, and the rounds in which it begins anew. No database here.

What a customer has earned follows from the sales of a round alone: their order does not matter, and a sale that is returned
undoes what only it has earned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, field_validator, model_validator

from loyalty.earning.conditions import Condition, about_the_sale, compile_condition
from loyalty.plans.fields import STRICT, Id, Limits, Name, Period, PointsLimit, check_start
from loyalty.plans.reading import Reader
from loyalty.sales.types import InvalidField, Sale
from loyalty.tasks.goals import GOALS, AnyGoal, AtOnce, Breadth, Count, Counted, Streak, Visits

LONGEST_TASK = 48
"""The most characters of a task's id: it is part of the name of its budget."""


class Said(BaseModel):
    """A longer text in both languages."""

    model_config = STRICT

    en: Annotated[str, Field(min_length=1, max_length=500)]
    zh: Annotated[str, Field(min_length=1, max_length=500)]


class Stage(BaseModel):
    """What is given when so much has been reached."""

    model_config = STRICT

    at: PointsLimit
    points: PointsLimit


class Round(NamedTuple):
    """The days in which a task counts together."""

    key: str
    first: date
    last: date


class Reward(NamedTuple):
    """One stage that was reached: the how manieth time (from 0), and at what."""

    time: int
    at: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a customer has come in a round.

    Attributes:
        times: How many times the whole task is done.
        value: What has been counted towards the next time; the last stage's `at` when no more times are left.
        next: The next stage, or None when nothing is left to reach.
        missing: How much is missing for it.
    """

    times: int
    value: int
    next: Stage | None
    missing: int


class Task(BaseModel):
    """One task. A published version never changes."""

    model_config = STRICT

    id: Id
    version: Annotated[int, Field(ge=1)]
    name: Name
    description: Said | None = None
    time_zone: ZoneInfo
    effective: Period
    condition: str = "true"
    tiers: Annotated[tuple[Id, ...], Field(min_length=1, max_length=20)] | None = None
    goal: AnyGoal
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=20)]
    round: Literal["once", "day", "week", "month", "year"] = "once"
    times: Annotated[int, Field(ge=1, le=1_000)] = 1
    budget: Limits | None = None

    @field_validator("condition")
    @classmethod
    def _is_about_the_sale(cls, condition: str) -> str:
        return about_the_sale(condition)

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        check_start(self.effective)
        if len(self.id) > LONGEST_TASK:
            raise InvalidField("id", f"must have at most {LONGEST_TASK} characters, not {len(self.id)}")
        for at, (lower, higher) in enumerate(zip(self.stages, self.stages[1:], strict=False), start=1):
            if higher.at <= lower.at:
                raise InvalidField(
                    f"stages[{at}].at", f"must be more than the stage before has, {lower.at}, not {higher.at}"
                )
        if self.times > 1 and isinstance(self.goal, Breadth):
            raise InvalidField("times", "must be left out: what is different is so once in a round")
        if self.round == "day" and (
            isinstance(self.goal, Streak) or (isinstance(self.goal, Visits) and self.goal.of == "days")
        ):
            raise InvalidField("round", "must be longer than a day: the goal counts days")
        return self

    @cached_property
    def compiled(self) -> Condition:
        """The condition, compiled."""
        return compile_condition(self.condition)

    @property
    def whole(self) -> int:
        """What must be reached for the last stage."""
        return self.stages[-1].at

    def counted(self, sale: Sale) -> Counted | None:
        """What the task counts of a sale; None if nothing."""
        lines = self.compiled.of_anybody(sale)
        return Counted(sale, lines) if lines else None

    def round_of(self, day: date) -> Round:
        """The round to which a business day belongs, within the days on which the task is in force."""
        match self.round:
            case "day":
                key, first, last = day.isoformat(), day, day
            case "week":
                first = day - timedelta(day.weekday())
                year, week, _ = day.isocalendar()
                key, last = f"{year}-W{week:02}", first + timedelta(6)
            case "month":
                first = day.replace(day=1)
                key, last = f"{day:%Y-%m}", (first + timedelta(32)).replace(day=1) - timedelta(1)
            case "year":
                key, first, last = f"{day:%Y}", day.replace(month=1, day=1), day.replace(month=12, day=31)
            case _:
                key, first, last = "once", date.min, date.max
        assert self.effective.start is not None, "a task without a beginning is refused when it is read"
        return Round(key, max(first, self.effective.start), min(last, self.effective.until or date.max))

    def count(self, sales: Iterable[Sale]) -> Count:
        """How far the sales of a round have come, in any order."""
        found = [counted for sale in sales if (counted := self.counted(sale)) is not None]
        return self.goal.count(found, self.whole)

    def rewards(self, sales: Iterable[Sale]) -> Sequence[Reward]:
        """The stages that the sales of a round have reached, each time anew."""
        count = self.count(sales)
        whole = min(count.whole, self.times)
        reached = [Reward(time, stage.at) for time in range(whole) for stage in self.stages]
        if whole < self.times:
            reached += [Reward(whole, stage.at) for stage in self.stages if stage.at <= count.value]
        return reached

    def progress(self, sales: Iterable[Sale]) -> Progress:
        """How far the sales of a round have come, and what is missing for the next stage."""
        count = self.count(sales)
        if count.whole >= self.times:
            return Progress(self.times, self.whole, None, 0)
        stage = next(stage for stage in self.stages if stage.at > count.value)
        return Progress(count.whole, count.value, stage, stage.at - count.value)

    def stage(self, at: int) -> Stage:
        """The stage at which so much is reached."""
        return next(stage for stage in self.stages if stage.at == at)


_KINDS = {str(goal.model_fields["kind"].default): goal for goal in GOALS}
_READER = Reader(
    Task,
    within={
        "": Task,
        "name": Name,
        "description": Said,
        "effective": Period,
        "stages": Stage,
        "budget": Limits,
        "goal": AtOnce,
        **_KINDS,
    },
    kinds=_KINDS,
)


def read_task(text: str | bytes) -> Task:
    """Read a task from JSON. Raises PlanError; each problem has a place."""
    return _READER.read(text)


def write_task(task: Task) -> str:
    """Write a task as JSON, which `read_task` reads. Fields that have their default are left out."""
    plain = task.model_dump(mode="json", exclude_defaults=True)
    plain["goal"]["kind"] = task.goal.kind
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)
