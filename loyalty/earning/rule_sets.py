"""Rule sets: immutable, versioned, written and read as JSON. Whatever is wrong in one is told with its place and what to write."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from loyalty.earning.bounds import EVEN, LARGEST_POINTS
from loyalty.earning.conditions import Condition, compile_condition
from loyalty.earning.effects import EFFECTS, AnyEffect, Multiplying
from loyalty.earning.effects.base import STRICT, Coefficient, Rate
from loyalty.earning.effects.fixed import FixedPoints
from loyalty.earning.effects.pair import Goods
from loyalty.earning.effects.value_class import Band
from loyalty.earning.reasons import Text
from loyalty.earning.snapshot import Remainder, Snapshot, Spent
from loyalty.earning.stacking import Method
from loyalty.sales.types import InvalidField, Line, Sale, Station, Weather

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
PointsLimit = Annotated[int, Field(ge=1, le=LARGEST_POINTS)]
Said = Annotated[str, Field(min_length=1, max_length=100)]


class Name(BaseModel):
    """What customers read, in both languages."""

    model_config = STRICT

    en: Said
    zh: Said


class Period(BaseModel):
    """From one day until another, both included, in the rule set's time zone. Without an end it has none."""

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


class Stacking(BaseModel):
    """How several coefficients of a line become one."""

    model_config = STRICT

    method: Method = "multiply"
    ceiling: Annotated[Coefficient, Field(ge=EVEN)] | None = None


class Budget(BaseModel):
    """What a rule may cost in points, in a month of business days and in all.

    When an award does not fit: `pay_part` pays what is left, `refuse` pays nothing of this award (a smaller one may fit
    later), `stop` pays nothing any more in that period.
    """

    model_config = STRICT

    points_per_month: PointsLimit | None = None
    points_in_all: PointsLimit | None = None
    when_spent: Literal["pay_part", "refuse", "stop"] = "pay_part"

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.points_per_month is None and self.points_in_all is None:
            raise ValueError("limits nothing: write points_per_month, points_in_all or both")
        return self

    def limits(self, day: date) -> tuple[tuple[str, int], ...]:
        """The periods that a business day belongs to, each with its limit."""
        limits = ((f"{day:%Y-%m}", self.points_per_month), ("all", self.points_in_all))
        return tuple((period, limit) for period, limit in limits if limit is not None)


class Rule(BaseModel):
    """What a customer earns, or by what it is multiplied, where the condition holds."""

    model_config = STRICT

    id: Id
    name: Name
    condition: str = "true"
    effect: AnyEffect
    period: Period = Period()
    cap: PointsLimit | None = None
    budget: Budget | None = None
    carry: bool = False
    coefficients: tuple[Id, ...] | None = None

    @field_validator("condition")
    @classmethod
    def _compiles(cls, condition: str) -> str:
        compile_condition(condition)
        return condition

    @model_validator(mode="after")
    def _earns_what_it_limits(self) -> Self:
        if isinstance(self.effect, Multiplying):
            for field in ("cap", "budget", "carry", "coefficients"):
                if getattr(self, field) not in (None, False):
                    raise InvalidField(field, "belongs to a rule that earns points: a coefficient earns none by itself")
        if self.carry and isinstance(self.effect, FixedPoints):
            # A line's share of them is a fraction of what the sale came to: with each sale another denominator.
            raise InvalidField("carry", "does not go with fixed points: leave it out, or earn by what is bought")
        return self

    @cached_property
    def text(self) -> Text:
        """The name as a text of a reason."""
        return Text(self.name.en, self.name.zh)

    @cached_property
    def compiled(self) -> Condition:
        """The condition, compiled."""
        return compile_condition(self.condition)


class Example(BaseModel):
    """A sale, its customer, and the points that each rule awards. Rules that award nothing are left out."""

    model_config = STRICT

    name: Said
    sale: Sale
    customer: Snapshot
    awards: dict[Id, Annotated[int, Field(ge=1)]]


class RuleSet(BaseModel):
    """All earning rules of a programme that are in force together. A published version never changes."""

    model_config = STRICT

    id: Id
    version: Annotated[int, Field(ge=1)]
    name: Name
    time_zone: ZoneInfo
    effective: Period
    stacking: Stacking = Stacking()
    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=200)]
    examples: Annotated[tuple[Example, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def _refers_to_its_own(self) -> Self:
        if self.effective.start is None:
            raise InvalidField("effective.from", "is missing: write the day from which the rules are in force")
        ids = [rule.id for rule in self.rules]
        coefficients = [rule.id for rule in self.rules if isinstance(rule.effect, Multiplying)]
        for at, rule in enumerate(self.rules):
            if rule.id in ids[:at]:
                raise InvalidField(f"rules[{at}].id", f"must be its own: {rule.id!r} is there twice")
            for named in rule.coefficients or ():
                if named not in coefficients:
                    raise InvalidField(
                        f"rules[{at}].coefficients",
                        f"{named!r} is no rule with a coefficient{_meant(named, coefficients)}",
                    )
        for at, example in enumerate(self.examples):
            for named in example.awards:
                if named not in ids:
                    raise InvalidField(f"examples[{at}].awards", f"{named!r} is no rule{_meant(named, ids)}")
        return self

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the set's JSON. Two versions with the same rules have different ones."""
        return sha256(write_rule_set(self).encode()).hexdigest()

    @cached_property
    def earning(self) -> tuple[Rule, ...]:
        """The rules that earn points."""
        return tuple(rule for rule in self.rules if not isinstance(rule.effect, Multiplying))

    @cached_property
    def multiplying(self) -> tuple[Rule, ...]:
        """The rules that multiply points."""
        return tuple(rule for rule in self.rules if isinstance(rule.effect, Multiplying))

    def day_of(self, sale: Sale) -> date:
        """The day of a sale in the set's time zone."""
        return sale.time.astimezone(self.time_zone).date()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a rule set.

    Attributes:
        place: Where, such as `rules[2].condition`.
        message: What is wrong, and what to write.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class RuleSetError(ValueError):
    """A rule set can't be read."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def read_rule_set(text: str | bytes) -> RuleSet:
    """Read a rule set from JSON.

    Raises:
        RuleSetError: Something is wrong with it; each problem has a place.
    """
    try:
        return RuleSet.model_validate_json(text)
    except ValidationError as error:
        raise RuleSetError(tuple(_problem(each) for each in error.errors())) from None


def write_rule_set(rule_set: RuleSet) -> str:
    """Write a rule set as JSON, which `read_rule_set` reads. Fields that have their default are left out."""
    plain = rule_set.model_dump(mode="json", exclude_defaults=True)
    for rule, model in zip(plain["rules"], rule_set.rules, strict=True):
        rule["effect"]["kind"] = model.effect.kind
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


_KINDS = {str(effect.model_fields["kind"].default): effect for effect in EFFECTS}
_WITHIN: dict[str, type[Any]] = {
    "": RuleSet,
    "rules": Rule,
    "name": Name,
    "effective": Period,
    "period": Period,
    "stacking": Stacking,
    "budget": Budget,
    "examples": Example,
    "sale": Sale,
    "station": Station,
    "lines": Line,
    "weather": Weather,
    "customer": Snapshot,
    "remainders": Remainder,
    "spent": Spent,
    "bands": Band,
    "first": Goods,
    "second": Goods,
    "categories": Rate,
    **_KINDS,
}
"""What stands within a field, to tell which of its own fields was meant."""
_OWNERS = ("line", "station", "weather", "spent", "remainders")
"""What stands before the fields of such values in their own errors; in a rule set, their place says it."""


def _problem(error: Any) -> Problem:
    """One error of pydantic in our words."""
    parts = [part for part in error["loc"] if part not in _KINDS]
    *outer, field = ["", *(part for part in error["loc"] if isinstance(part, str))]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InvalidField):
        owner, _, own = cause.field.partition(".")
        return Problem(_place([*parts, own if owner in _OWNERS and own else cause.field]), cause.message)
    return Problem(_place(parts), _message(error, field, outer[-1] if outer else ""))


def _message(error: Any, field: str, within: str) -> str:
    match error["type"]:
        case "missing":
            return "is missing: write it"
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"is not known{_meant(field, _fields(within))}"
        case "union_tag_invalid":
            given = error["ctx"]["tag"]
            return f"kind {given!r} is not known{_meant(given, tuple(_KINDS))}"
        case "union_tag_not_found":
            return f"has no kind: write one of {', '.join(_KINDS)}"
        case "int_type" | "int_from_float":
            return f"must be a whole number, not {error['input']!r}: coefficients are basis points, and money is fen"
        case "string_pattern_mismatch":
            return f"must be lower-case letters, digits, - and _, at most 64 of them, not {error['input']!r}"
        case "date_type" | "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
            return f"must be a date, not {error['input']!r}: write it as 2026-12-31"
    message = error["msg"].removeprefix("Value error, ").removesuffix(" after validation")
    return re.sub(r"^[\w ]+ should ", "must ", message)


def _fields(within: str) -> list[str]:
    """The fields that may stand within another one."""
    model = _WITHIN.get(within)
    if model is None:
        return []
    if is_dataclass(model):
        return [field.name for field in fields(model)]
    return [field.alias or name for name, field in model.model_fields.items()]


def _place(parts: list[Any]) -> str:
    place = ""
    for part in parts:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    return place


def _meant(given: str, known: Sequence[str]) -> str:
    """The name that was meant, if one is like it; else all names."""
    if close := get_close_matches(given, known, n=1):
        return f": did you mean {close[0]}?"
    return f": write one of {', '.join(known)}" if known else ": leave it out"
