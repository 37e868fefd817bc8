"""Approvals: what one person has asked for, and another one approves or declines."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import Response

from console.approvals import together
from console.approvals.forms import Declining
from console.approvals.view import KINDS, STATES, TONES, told_of
from console.audit.values import actor_name
from console.listing import found_of
from console.merchants import merchant_names
from console.problems import refusals
from console.rights import DECIDE, may, require
from console.visit import Visit, Visiting
from pages.filters import read_filters
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import Approval

router = APIRouter()
_ROWS = 50


@router.get("")
async def approvals(visit: Visiting) -> Response:
    """What was asked for, newest first; to begin with, what waits."""
    names = await merchant_names(visit)
    filters = read_filters(visit.request.query_params, choices={"state": STATES, "kind": KINDS, "merchant": names})
    found = await found_of(
        visit.request, filters, lambda: visit.client.approvals.list(**filters.asked, page_size=_ROWS)
    )
    return visit.page(
        "approvals/list.html",
        status=found.filters.status,
        rows=[(one, told_of(visit, one, names)) for one in found.rows],
        names=names,
        kinds=KINDS,
        states=STATES,
        tones=TONES,
        actor_name=actor_name,
        filters=found.filters,
        pager=found.pager,
        may_decide=may(visit, DECIDE),
    )


router.get("/together")(together.choose)
router.post("/together")(together.approve)


@router.get("/{approval}")
async def one(visit: Visiting, approval: str) -> Response:
    """One of them, with whatever decides it."""
    return await _one(visit, approval)


@router.post("/{approval}/approve")
async def approve(visit: Visiting, approval: str) -> Response:
    """Lets it take effect; shows the link of an invitation this once."""
    require(visit, DECIDE)
    form = await Form.read(visit.request)
    if form.is_valid:
        with refusals(form):
            done = await visit.client.approvals.approve(approval, idempotency_key=form.key)
        if form.is_valid:
            if done.link is not None:
                return _handed_over(visit, done)
            return visit.redirect(f"/approvals/{approval}", _("It is approved, and takes effect."))
    return await _one(visit, approval, general=form)


@router.post("/{approval}/decline")
async def decline(visit: Visiting, approval: str) -> Response:
    """Refuses it."""
    require(visit, DECIDE)
    form = await Declining.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.approvals.decline(approval, form.values["reason"], idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(f"/approvals/{approval}", _("It is declined."))
    return await _one(visit, approval, declining=form)


@router.post("/{approval}/withdraw")
async def withdraw(visit: Visiting, approval: str) -> Response:
    """Takes back what the person has asked for."""
    require(visit, DECIDE)
    form = await Form.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.approvals.withdraw(approval, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(f"/approvals/{approval}", _("It is withdrawn."))
    return await _one(visit, approval, general=form)


async def _one(visit: Visit, approval: str, **forms: Form) -> Response:
    found, names = await asyncio.gather(visit.client.approvals.get(approval), merchant_names(visit))
    asked = {"general": Form(), "declining": Declining(), **forms}
    return visit.page(
        "approvals/one.html",
        status=max(form.status for form in asked.values()),
        found=found,
        told=told_of(visit, found, names),
        names=names,
        kinds=KINDS,
        states=STATES,
        tones=TONES,
        actor_name=actor_name,
        may_decide=may(visit, DECIDE) and found.state == "requested",
        crumbs=[(str(KINDS.get(found.kind, found.kind)), None)],
        **asked,
    )


def _handed_over(visit: Visit, done: Approval) -> Response:
    return visit.page(
        "console/half.html",
        secret=done.link,
        label=_("Link of the invitation"),
        told=_(
            "The network sends no mail: hand this link to whoever is invited, on a way that only this person reads. Whoever has "
            "asked hands over the code that belongs to it. The link is not shown again, works once, and ends in seven days."
        ),
        onward=(f"/approvals/{done.id}", _("To the approval")),
        crumbs=[(_("Invitation"), None)],
    )
