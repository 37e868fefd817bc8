"""How gift plans are written and shown."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from loyalty.api.fields import Body
from loyalty.api.plan_fields import PlanView, Program
from loyalty.gifts.models import KeptGiftPlan


class NewGiftPlan(Body):
    """A version of a gift plan, and the program whose points it gives."""

    program: Program = Field(examples=["FUEL"])
    plan: dict[str, Any] = Field(description="the plan, as docs/loyalty-gifts.md describes it")


class GiftPlanView(PlanView):
    """A version of a gift plan."""

    program: str


class GiftPlanDetailView(GiftPlanView):
    """A version of a gift plan with what it gives."""

    plan: dict[str, Any]

    @classmethod
    def whole(cls, kept: KeptGiftPlan) -> GiftPlanDetailView:
        """The view of a row, with what it gives."""
        return cls.of(kept, plan=json.loads(kept.content))
