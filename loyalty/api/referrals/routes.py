"""Referral schemes, the codes that customers hand on, and who brought whom."""

from __future__ import annotations

import json

from loyalty.api.fields import Decision
from loyalty.api.referrals.schemas import (
    NewReferral,
    NewReferralScheme,
    ReferralCodeView,
    ReferralSchemeDetailView,
    ReferralSchemeView,
    ReferralView,
)
from loyalty.customers.service import CustomerService
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.joining.service import JoiningService
from loyalty.kit.paging import Page, shown
from loyalty.referrals.service import ReferralSchemeService, ReferralService

router = api("referrals")


@router.get("/v1/referral-schemes")
def list_referral_schemes(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[ReferralSchemeView]:
    """Versions of referral schemes, newest first."""
    return shown(ReferralSchemeService(call.session).page(cursor=cursor, limit=limit), ReferralSchemeView.of)


@router.get("/v1/referral-schemes/{scheme}")
def get_referral_scheme(call: Calling, scheme: str) -> ReferralSchemeDetailView:
    """One version, with what it gives."""
    return ReferralSchemeDetailView.whole(ReferralSchemeService(call.session).get(scheme))


@router.post("/v1/referral-schemes", status_code=201)
def add_referral_scheme(call: Calling, new: NewReferralScheme) -> ReferralSchemeDetailView:
    """Keep a draft. What cannot be meant is refused now, with the place of each mistake."""
    service = ReferralSchemeService(call.session)
    return ReferralSchemeDetailView.whole(service.keep(json.dumps(new.scheme), actor=call.actor, program=new.program))


@router.post("/v1/referral-schemes/{scheme}/publish")
def publish_referral_scheme(call: Calling, scheme: str, decision: Decision) -> ReferralSchemeView:
    """Put a draft into force, from its first day on. Referrals of before keep what was promised then."""
    service = ReferralSchemeService(call.session)
    return ReferralSchemeView.of(service.publish(scheme, actor=call.actor, reason=decision.reason))


@router.post("/v1/customers/{customer}/referral-code")
def give_referral_code(call: Calling, customer: str) -> ReferralCodeView:
    """The code that a customer hands on; the same one each time."""
    return ReferralCodeView.of(ReferralService(call.session).code_of(CustomerService(call.session).get(customer)))


@router.post("/v1/referrals", status_code=201)
def add_referral(call: Calling, new: NewReferral) -> ReferralView:
    """Note who brought a newcomer who has joined already. A newcomer has one referrer, for ever."""
    found = JoiningService(call.session).refer(new.newcomer, new.code, actor=call.actor, device=new.device)
    return ReferralView.of(found)


@router.get("/v1/customers/{customer}/referrals")
def list_referrals(call: Calling, customer: str, cursor: Cursor = None, limit: Limit = 50) -> Page[ReferralView]:
    """Whom a customer has brought, the last one first."""
    found = CustomerService(call.session).get(customer)
    return shown(ReferralService(call.session).page(found.id, cursor, limit), ReferralView.of)
