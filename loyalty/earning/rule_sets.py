"""Rule sets: immutable, versioned, written and read as JSON. Whatever is wrong in one is told with its place and what to write."""

from __future__ import annotations

import json
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, field_validator, model_validator

from loyalty.earning.bounds import EVEN
from loyalty.earning.conditions import Condition, compile_condition
from loyalty.earning.effects import EFFECTS, AnyEffect, Multiplying
from loyalty.earning.effects.base import Coefficient, Rate
from loyalty.earning.effects.fixed import FixedPoints
from loyalty.earning.effects.pair import Goods
from loyalty.earning.effects.value_class import Band
from loyalty.earning.reasons import Text
from loyalty.earning.snapshot import Remainder, Snapshot, Spent
from loyalty.earning.stacking import Method
from loyalty.plans.fields import STRICT, Id, Limits, Name, Period, PointsLimit, Said, check_start
from loyalty.plans.reading import Reader, meant
from loyalty.sales.types import InvalidField, Line, Sale, Station, Weather


class Stacking(BaseModel):
    """How several coefficients of a line become one."""

    model_config = STRICT

    method: Method = "multiply"
    ceiling: Annotated[Coefficient, Field(ge=EVEN)] | None = None


class Budget(Limits):
    """What a rule may cost in points, in a month of business days and in all.

    When an award does not fit: `pay_part` pays what is left, `refuse` pays nothing of this award (a smaller one may fit
    later), `stop` pays nothing any more in that period.
    """

    when_spent: Literal["pay_part", "refuse", "stop"] = "pay_part"


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
        check_start(self.effective)
        ids = [rule.id for rule in self.rules]
        coefficients = [rule.id for rule in self.rules if isinstance(rule.effect, Multiplying)]
        for at, rule in enumerate(self.rules):
            if rule.id in ids[:at]:
                raise InvalidField(f"rules[{at}].id", f"must be its own: {rule.id!r} is there twice")
            for named in rule.coefficients or ():
                if named not in coefficients:
                    raise InvalidField(
                        f"rules[{at}].coefficients",
                        f"{named!r} is no rule with a coefficient{meant(named, coefficients)}",
                    )
        for at, example in enumerate(self.examples):
            for named in example.awards:
                if named not in ids:
                    raise InvalidField(f"examples[{at}].awards", f"{named!r} is no rule{meant(named, ids)}")
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

    @cached_property
    def has_periods(self) -> bool:
        """Whether a rule has days of its own."""
        return any(rule.period != Period() for rule in self.rules)

    def day_of(self, sale: Sale) -> date:
        """The day of a sale in the set's time zone."""
        return sale.time.astimezone(self.time_zone).date()


def write_rule_set(rule_set: RuleSet) -> str:
    """Write a rule set as JSON, which `read_rule_set` reads. Fields that have their default are left out."""
    plain = rule_set.model_dump(mode="json", exclude_defaults=True)
    for rule, model in zip(plain["rules"], rule_set.rules, strict=True):
        rule["effect"]["kind"] = model.effect.kind
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


_KINDS = {str(effect.model_fields["kind"].default): effect for effect in EFFECTS}
_READER = Reader(
    RuleSet,
    within={
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
    },
    kinds=_KINDS,
    owners=("line", "station", "weather", "spent", "remainders"),
)


def read_rule_set(text: str | bytes) -> RuleSet:
    """Read a rule set from JSON. Raises PlanError; each problem has a place."""
    return _READER.read(text)
