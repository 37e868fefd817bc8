"""Tier schemes, who would move under them, and where a customer stands."""

from __future__ import annotations

import json

from loyalty.api.fields import Decision
from loyalty.api.tiers.schemas import (
    NewTierScheme,
    PreviewView,
    TierMoveView,
    TierSchemeDetailView,
    TierSchemeView,
    WayView,
)
from loyalty.customers.service import CustomerService
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.errors import Unknown
from loyalty.kit.paging import Page, shown
from loyalty.tiers.service import TierSchemeService, TierService

router = api("tiers")


@router.get("/v1/tier-schemes")
def list_tier_schemes(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[TierSchemeView]:
    """Versions of tier schemes, newest first."""
    return shown(TierSchemeService(call.session).page(cursor=cursor, limit=limit), TierSchemeView.of)


@router.get("/v1/tier-schemes/{scheme}")
def get_tier_scheme(call: Calling, scheme: str) -> TierSchemeDetailView:
    """One version, with its levels."""
    return TierSchemeDetailView.whole(TierSchemeService(call.session).get(scheme))


@router.post("/v1/tier-schemes", status_code=201)
def add_tier_scheme(call: Calling, new: NewTierScheme) -> TierSchemeDetailView:
    """Keep a draft. What cannot be meant is refused now, with the place of each mistake."""
    return TierSchemeDetailView.whole(TierSchemeService(call.session).keep(json.dumps(new.scheme), actor=call.actor))


@router.post("/v1/tier-schemes/{scheme}/publish")
def publish_tier_scheme(call: Calling, scheme: str, decision: Decision) -> TierSchemeView:
    """Put a draft into force, from its first day on. Customers move with their next sale, or in the next night."""
    return TierSchemeView.of(TierSchemeService(call.session).publish(scheme, actor=call.actor, reason=decision.reason))


@router.get("/v1/tier-schemes/{scheme}/preview")
def preview_tier_scheme(call: Calling, scheme: str) -> PreviewView:
    """Who would have which tier under a scheme today. Nothing is changed."""
    return PreviewView.of(TierService(call.session).preview(scheme))


@router.get("/v1/customers/{customer}/tier")
def get_customers_tier(call: Calling, customer: str) -> WayView:
    """Where a customer stands, and what is missing for the next level."""
    way = TierService(call.session).way(CustomerService(call.session).get(customer))
    if way is None:
        raise Unknown("no_tier_scheme", "no tier scheme is in force: publish one")
    return WayView.of(way)


@router.get("/v1/customers/{customer}/tier-moves")
def list_tier_moves(call: Calling, customer: str, cursor: Cursor = None, limit: Limit = 50) -> Page[TierMoveView]:
    """When and why a customer had another tier, the last time first."""
    found = CustomerService(call.session).get(customer)
    return shown(TierService(call.session).moves(found.id, cursor, limit), TierMoveView.of)
