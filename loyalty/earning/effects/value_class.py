"""A coefficient by what the sale came to."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from loyalty.earning.effects.base import Coefficient, Fen, Multiplying
from loyalty.earning.names import FEN, Facts
from loyalty.plans.fields import STRICT


class Band(BaseModel):
    """Sales of at least so much."""

    model_config = STRICT

    from_fen: Fen
    coefficient: Coefficient


class ValueClass(Multiplying):
    """The coefficient of the highest band that the sale reaches. Below the first band there is none."""

    kind: Literal["value_class"] = "value_class"
    bands: Annotated[tuple[Band, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _bands_rise(self) -> Self:
        for lower, higher in pairwise(self.bands):
            if higher.from_fen <= lower.from_fen:
                raise ValueError(f"bands must rise: {higher.from_fen} comes after {lower.from_fen}; sort them")
        return self

    def factor(self, facts: Facts) -> int | None:
        """The coefficient of the sale's band."""
        found = None
        for band in self.bands:
            if facts.amount_micros < band.from_fen * FEN:
                break
            found = band.coefficient
        return found
