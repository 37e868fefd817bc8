"""How a rule set is written and shown."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from loyalty.api.fields import Body, View
from loyalty.api.plan_fields import PlanView, Program
from loyalty.earning.simulation import Comparison, Totals
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


class Trial(Body):
    """On which sales a version is tried, and what a point costs."""

    first_day: date = Field(description="business day")
    last_day: date = Field(description="business day; at most 92 days in all")
    micros_per_point: int = Field(ge=0, le=10**9, description="what the merchant pays for a point", examples=[10_000])


class TotalsView(View):
    """What a rule set gives for all sales."""

    points: int
    cost_micros: int
    sales: int = Field(description="how many sales earn points")
    by_rule: list[tuple[str, int]] = Field(description="the points of each rule that gives some")


class ChangeView(View):
    """What a customer earns under both rule sets."""

    customer: str
    live: int
    candidate: int


class DayView(View):
    """What all customers earn on a business day under both rule sets."""

    day: date
    live: int
    candidate: int


class ComparisonView(BaseModel):
    """The rule set in force and the candidate on the same sales."""

    against: str = Field(description="the rule set in force on the last day")
    sales: int
    customers: int
    live: TotalsView
    candidate: TotalsView
    gaining: int = Field(description="how many customers earn more under the candidate")
    losing: int
    gainers: list[ChangeView] = Field(description="who gains most")
    losers: list[ChangeView]
    days: list[DayView]

    @classmethod
    def of(cls, found: Comparison, *, against: str) -> ComparisonView:
        """The view of a comparison."""
        return cls(
            against=against,
            sales=found.sales,
            customers=found.customers,
            live=_totals(found.live),
            candidate=_totals(found.candidate),
            gaining=found.gaining,
            losing=found.losing,
            gainers=[ChangeView.of(one) for one in found.gainers],
            losers=[ChangeView.of(one) for one in found.losers],
            days=[DayView.of(one) for one in found.days],
        )


def _totals(totals: Totals) -> TotalsView:
    return TotalsView.of(totals, by_rule=list(totals.by_rule))
