"""Reads plans from JSON. Whatever is wrong in one is told with its place and what to write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from loyalty.sales.types import InvalidField

PlanT = TypeVar("PlanT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a plan.

    Attributes:
        place: Where, such as `rules[2].condition`.
        message: What is wrong, and what to write.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class PlanError(ValueError):
    """A plan can't be read."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Reader(Generic[PlanT]):
    """Reads plans of one kind.

    Attributes:
        model: The plan itself.
        within: What stands within a field, to tell which of its own fields was meant.
        kinds: What a field `kind` may name.
        owners: What stands before the fields of such values in their own errors; in a plan, their place says it.
    """

    model: type[PlanT]
    within: Mapping[str, type[Any]]
    kinds: Mapping[str, type[Any]]
    owners: Sequence[str] = ()

    def read(self, text: str | bytes) -> PlanT:
        """The plan. Raises PlanError; each problem has a place."""
        try:
            return self.model.model_validate_json(text)
        except ValidationError as error:
            raise PlanError(tuple(self._problem(each) for each in _without_echoes(error.errors()))) from None

    def _problem(self, error: Any) -> Problem:
        """One error of pydantic in our words."""
        parts = [part for part in error["loc"] if part not in self.kinds]
        *outer, field = ["", *(part for part in error["loc"] if isinstance(part, str))]
        cause = error.get("ctx", {}).get("error")
        if isinstance(cause, InvalidField):
            owner, _, own = cause.field.partition(".")
            return Problem(_place([*parts, own if owner in self.owners and own else cause.field]), cause.message)
        return Problem(_place(parts), self._message(error, field, outer[-1] if outer else ""))

    def _message(self, error: Any, field: str, within: str) -> str:
        match error["type"]:
            case "missing":
                return "is missing: write it"
            case "extra_forbidden" | "unexpected_keyword_argument":
                return f"is not known{meant(field, self._fields(within))}"
            case "union_tag_invalid":
                given = error["ctx"]["tag"]
                return f"kind {given!r} is not known{meant(given, tuple(self.kinds))}"
            case "union_tag_not_found":
                return f"has no kind: write one of {', '.join(self.kinds)}"
            case "int_type" | "int_from_float":
                return (
                    f"must be a whole number, not {error['input']!r}: coefficients are basis points, and money is fen"
                )
            case "string_pattern_mismatch":
                return f"must be lower-case letters, digits, - and _, at most 64 of them, not {error['input']!r}"
            case "date_type" | "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
                return f"must be a date, not {error['input']!r}: write it as 2026-12-31"
        message = error["msg"].removeprefix("Value error, ").removesuffix(" after validation")
        return re.sub(r"^[\w ]+ should ", "must ", message)

    def _fields(self, within: str) -> list[str]:
        """The fields that may stand within another one."""
        model = self.within.get(within)
        if model is None:
            return []
        if is_dataclass(model):
            return [field.name for field in fields(model)]
        return [field.alias or name for name, field in model.model_fields.items()]


def _without_echoes(errors: Sequence[Any]) -> list[Any]:
    """The errors without lists that are too short only because something in them is wrong."""
    places = [each["loc"] for each in errors]
    return [
        each
        for each in errors
        if each["type"] != "too_short"
        or not any(place[: len(each["loc"])] == each["loc"] for place in places if place != each["loc"])
    ]


def _place(parts: list[Any]) -> str:
    place = ""
    for part in parts:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    return place


def meant(given: str, known: Sequence[str]) -> str:
    """The name that was meant, if one is like it; else all names."""
    if close := get_close_matches(given, known, n=1):
        return f": did you mean {close[0]}?"
    return f": write one of {', '.join(known)}" if known else ": leave it out"
