"""Gift plans: what is given for joining, for a whole profile, for a birthday."""

from __future__ import annotations

import json

from loyalty.api.fields import Decision
from loyalty.api.gifts.schemas import GiftPlanDetailView, GiftPlanView, NewGiftPlan
from loyalty.gifts.service import GiftPlanService
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown

router = api("gifts")


@router.get("/v1/gift-plans")
def list_gift_plans(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[GiftPlanView]:
    """Versions of gift plans, newest first."""
    return shown(GiftPlanService(call.session).page(cursor=cursor, limit=limit), GiftPlanView.of)


@router.get("/v1/gift-plans/{plan}")
def get_gift_plan(call: Calling, plan: str) -> GiftPlanDetailView:
    """One version, with what it gives."""
    return GiftPlanDetailView.whole(GiftPlanService(call.session).get(plan))


@router.post("/v1/gift-plans", status_code=201)
def add_gift_plan(call: Calling, new: NewGiftPlan) -> GiftPlanDetailView:
    """Keep a draft. What cannot be meant is refused now, with the place of each mistake."""
    kept = GiftPlanService(call.session).keep(json.dumps(new.plan), actor=call.actor, program=new.program)
    return GiftPlanDetailView.whole(kept)


@router.post("/v1/gift-plans/{plan}/publish")
def publish_gift_plan(call: Calling, plan: str, decision: Decision) -> GiftPlanView:
    """Put a draft into force, from its first day on. Whoever has joined before has their gift with the next sale."""
    return GiftPlanView.of(GiftPlanService(call.session).publish(plan, actor=call.actor, reason=decision.reason))
