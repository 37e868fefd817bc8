"""How a rule set is written and shown."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from loyalty.api.fields import Body, View
from loyalty.rule_sets.models import KeptRuleSet


class NewRuleSet(Body):
    """A version of a rule set, and the program whose points it awards."""

    program: Annotated[str, StringConstraints(min_length=1, max_length=32)] = Field(examples=["FUEL"])
    rules: dict[str, Any] = Field(description="the rule set, as docs/loyalty-rules.md describes it")


class RuleSetView(View):
    """A version of a rule set."""

    id: str
    name: str = Field(description="the id that the rule set gives itself")
    version: int
    program: str
    starts_on: date
    ends_on: date | None
    created_at: datetime
    published_at: datetime | None = Field(description="null for a draft")


class RuleSetDetailView(RuleSetView):
    """A version of a rule set with its rules."""

    rules: dict[str, Any]

    @classmethod
    def whole(cls, kept: KeptRuleSet) -> RuleSetDetailView:
        """The view of a row, with the rules."""
        return cls.of(kept, rules=json.loads(kept.content))
