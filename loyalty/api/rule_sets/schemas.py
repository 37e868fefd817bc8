"""How a rule set is written and shown."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from loyalty.api.fields import Body
from loyalty.api.plan_fields import PlanView, Program
from loyalty.rule_sets.models import KeptRuleSet


class NewRuleSet(Body):
    """A version of a rule set, and the program whose points it awards."""

    program: Program = Field(examples=["FUEL"])
    rules: dict[str, Any] = Field(description="the rule set, as docs/loyalty-rules.md describes it")


class RuleSetView(PlanView):
    """A version of a rule set."""

    program: str


class RuleSetDetailView(RuleSetView):
    """A version of a rule set with its rules."""

    rules: dict[str, Any]

    @classmethod
    def whole(cls, kept: KeptRuleSet) -> RuleSetDetailView:
        """The view of a row, with the rules."""
        return cls.of(kept, rules=json.loads(kept.content))
