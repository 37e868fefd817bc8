"""What every effect is: one that earns points by itself, or one that multiplies what others earn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, NamedTuple

from pydantic import BaseModel, Field

from loyalty.earning.bounds import LARGEST_COEFFICIENT, LARGEST_RATE, WHOLE
from loyalty.earning.names import Facts
from loyalty.earning.reasons import Reason, Text, decimal
from loyalty.plans.fields import STRICT
from loyalty.sales.types import LARGEST_AMOUNT_MICROS, Line, Unit

Points = Annotated[int, Field(ge=1, le=LARGEST_RATE)]
Per = Annotated[int, Field(ge=1, le=LARGEST_RATE)]
Coefficient = Annotated[int, Field(ge=0, le=LARGEST_COEFFICIENT)]
Code = Annotated[str, Field(min_length=1, max_length=200)]
Fen = Annotated[int, Field(ge=0, le=LARGEST_AMOUNT_MICROS // 10_000)]


class Earned(NamedTuple):
    """The exact points of each line: numerators, and the denominator that they share."""

    numerators: list[int]
    denominator: int


class Effect(BaseModel):
    """What a rule does where its condition holds. `kind` names it; `loyalty/earning/effects/__init__.py` lists all."""

    model_config = STRICT

    kind: str


class Earning(Effect):
    """An effect that earns points by itself. `SAYS` are the words of its reasons."""

    SAYS: ClassVar[Text]

    def earned(self, lines: Sequence[Line]) -> Earned:
        """The exact points of each of these lines."""
        raise NotImplementedError

    def reasons(self, lines: Sequence[Line]) -> list[Reason]:
        """Where the points of these lines come from."""
        raise NotImplementedError


class Multiplying(Effect):
    """An effect that multiplies what other rules earn."""

    def factor(self, facts: Facts) -> int | None:
        """The coefficient in basis points, or None where there is none for this sale."""
        raise NotImplementedError

    def reaches(self, facts: Facts) -> frozenset[int] | None:
        """The numbers of the lines that it multiplies, or None for all."""
        return None

    def label(self, facts: Facts) -> str:
        """What the coefficient is called, where its rule's name does not say it all."""
        return ""


class Granted(Multiplying):
    """One coefficient, which a sale is granted or not."""

    coefficient: Coefficient

    def factor(self, facts: Facts) -> int | None:
        """The coefficient, where it is granted."""
        return self.coefficient if self.grants(facts) else None

    def grants(self, facts: Facts) -> bool:
        """Whether the sale has the coefficient."""
        raise NotImplementedError


class Rate(BaseModel):
    """Points for every so many units."""

    model_config = STRICT

    points: Points
    per: Per = 1

    def __str__(self) -> str:
        return rate(self.points, self.per)


def rate(points: int, per: int) -> str:
    """So many points for so many units, as a reason says it."""
    return str(points) if per == 1 else f"{points}/{per}"


class PerQuantity(Earning):
    """Points for every so many units of what is measured in `UNIT`."""

    UNIT: ClassVar[Unit]
    PLACES: ClassVar[int] = 0

    points: Points
    per: Per = 1

    def earned(self, lines: Sequence[Line]) -> Earned:
        """Points for the quantity of the lines with this unit; others earn nothing."""
        return Earned(
            [line.quantity_milli * self.points if line.unit == self.UNIT else 0 for line in lines], self.per * WHOLE
        )

    def reasons(self, lines: Sequence[Line]) -> list[Reason]:
        """The quantity, and points a unit."""
        quantity = sum(line.quantity_milli for line in lines if line.unit == self.UNIT)
        said = decimal(quantity, WHOLE, self.PLACES)
        return [Reason.of(self.kind, quantity=said, rate=rate(self.points, self.per))]
