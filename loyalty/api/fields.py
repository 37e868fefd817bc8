"""Fields, bodies and views that several concepts have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from loyalty.sales.types import LONGEST_NUMBER, LONGEST_TILL, NUMBER

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
"""Why a person decides so."""
StationCode = Annotated[str, StringConstraints(min_length=1, max_length=20, pattern=NUMBER)]
Till = Annotated[str, StringConstraints(max_length=LONGEST_TILL, pattern=r"^[^\s:~]*$")]
Number = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NUMBER, pattern=NUMBER)]
"""Of a till's document. Neither spaces nor `:` nor `~`: it is part of the document number in the network."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class Body(BaseModel):
    """A request's body. A field that there is not is refused: it was misspelt."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """What is shown of a row: each field is the row's attribute of that name, or of the name that `COLUMNS` has for it."""

    COLUMNS: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def of(cls, row: object, **own: Any) -> Self:
        """The view of a row. `own` has what the row does not know."""
        shown = {name: getattr(row, cls.COLUMNS.get(name, name)) for name in cls.model_fields if name not in own}
        return cls(**shown, **own)


class Decision(Body):
    """Why a person decides so. It stands in the audit log."""

    reason: Reason = Field(examples=["the card was closed and has a new number"])
