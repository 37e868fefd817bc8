"""What a task counts, each kind in a few lines. A new kind is a class here and its name in `AnyGoal`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from loyalty.plans.fields import LARGEST_POINTS, STRICT
from loyalty.sales.types import Line, Sale

Measure = Literal["litres", "yuan", "kwh", "pieces"]
_MILLION = 1_000_000
_THOUSAND = 1_000


@dataclass(frozen=True, slots=True)
class Counted:
    """A sale, and those of its lines for which the task's condition holds."""

    sale: Sale
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Count:
    """How far a customer has come.

    Attributes:
        whole: How many times the whole goal was reached.
        value: What has been counted towards the next time.
    """

    whole: int
    value: int


class Goal(BaseModel):
    """What a task counts."""

    model_config = STRICT

    kind: str

    def count(self, found: Sequence[Counted], whole: int) -> Count:
        """How far these sales have come, where the whole goal is so much. Their order does not matter."""
        return Count(*divmod(self.total(found), whole))

    def total(self, found: Sequence[Counted]) -> int:
        """What is counted in these sales, in all."""
        raise NotImplementedError


class Streak(Goal):
    """Days running, each with a visit. Another run of days is another time."""

    kind: Literal["streak"] = "streak"

    def count(self, found: Sequence[Counted], whole: int) -> Count:
        """Runs of days that are long enough, and the longest of what is left of the others."""
        runs = _runs({one.sale.business_day for one in found})
        return Count(sum(run // whole for run in runs), max((run % whole for run in runs), default=0))


class AtOnce(Goal):
    """Visits at each of which so much was bought at once."""

    kind: Literal["at_once"] = "at_once"
    measure: Measure
    amount: Annotated[int, Field(ge=1, le=LARGEST_POINTS)]

    def total(self, found: Sequence[Counted]) -> int:
        """How many visits have reached it."""
        return sum(_of(self.measure, one.lines) >= self.amount for one in found)


class InSum(Goal):
    """So much in all."""

    kind: Literal["in_sum"] = "in_sum"
    measure: Measure

    def total(self, found: Sequence[Counted]) -> int:
        """All of it, in whole units."""
        return _of(self.measure, [line for one in found for line in one.lines])


class Visits(Goal):
    """So many visits, or days with a visit."""

    kind: Literal["visits"] = "visits"
    of: Literal["sales", "days"] = "sales"

    def total(self, found: Sequence[Counted]) -> int:
        """How many there were."""
        return len(found) if self.of == "sales" else len({one.sale.business_day for one in found})


class Breadth(Goal):
    """So many different categories, articles or stations."""

    kind: Literal["breadth"] = "breadth"
    of: Literal["categories", "articles", "stations"]

    def total(self, found: Sequence[Counted]) -> int:
        """How many different ones there were."""
        if self.of == "stations":
            return len({one.sale.station.id for one in found})
        lines = [line for one in found for line in one.lines]
        return (
            len({line.category for line in lines} - {""})
            if self.of == "categories"
            else len({line.article for line in lines})
        )


GOALS = (Streak, AtOnce, InSum, Visits, Breadth)
AnyGoal = Annotated[Streak | AtOnce | InSum | Visits | Breadth, Field(discriminator="kind")]

_MEASURES: Mapping[Measure, Callable[[Sequence[Line]], int]] = {
    "yuan": lambda lines: sum(line.amount_micros for line in lines) // _MILLION,
    "litres": lambda lines: _quantity(lines, "l"),
    "kwh": lambda lines: _quantity(lines, "kwh"),
    "pieces": lambda lines: _quantity(lines, "piece"),
}


def _of(measure: Measure, lines: Sequence[Line]) -> int:
    """A measure of lines in whole units, rounded down."""
    return _MEASURES[measure](lines)


def _quantity(lines: Sequence[Line], unit: str) -> int:
    return sum(line.quantity_milli for line in lines if line.unit == unit) // _THOUSAND


def _runs(days: set[date]) -> list[int]:
    """How long each run of days is."""
    runs = []
    for day in days:
        if day - timedelta(1) not in days:
            length = 1
            while day + timedelta(length) in days:
                length += 1
            runs.append(length)
    return runs
