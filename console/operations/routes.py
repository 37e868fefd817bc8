"""The network at work. An auditor looks; the operator also acts."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import Response

from console.approvals.view import waiting_for
from console.merchants import merchant_names
from console.problems import refusals
from console.rights import DECIDE, OPERATE, may, require
from console.visit import Visit, Visiting
from pages.clock import now
from pages.formats import short
from pages.forms import Form, LongText
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _
from pages.translations import lazy

router = APIRouter()
_BATCHES = 8
_ROWS = 50


class Pause(Form):
    """Why no orders go into batches any more."""

    reason = LongText(
        lazy("Reason"), longest=200, hint=lazy("For whoever looks at it later, such as: moving the chain node.")
    )


@router.get("")
async def operations(visit: Visiting) -> Response:
    """All of it on one page."""
    return await _operations(visit, Pause())


@router.post("/pause")
async def pause(visit: Visiting) -> Response:
    """Puts no more orders into batches."""
    form = await Pause.read(visit.request)
    if form.is_valid:
        with refusals(form):
            told = await visit.client.operations.pause(form.values["reason"], idempotency_key=form.key)
        if form.is_valid:
            if told.pause and told.pause.actor.id != f"staff:{visit.person.id}":
                return visit.redirect("/operations", _("Somebody else has paused the network already."), tone="warn")
            return visit.redirect("/operations", _("The network is paused: no order goes into a batch."))
    return await _operations(visit, form)


@router.post("/resume")
async def resume(visit: Visiting) -> Response:
    """Puts orders into batches again."""
    form = await Form.read(visit.request)
    await visit.client.operations.resume(idempotency_key=form.key)
    return visit.redirect("/operations", _("The network goes on: orders go into batches again."))


@router.get("/orders/{order}/cancel")
async def ask_cancel(visit: Visiting, order: str) -> Response:
    """Says what cancelling an order does."""
    return await _cancel(visit, order, Form())


@router.post("/orders/{order}/cancel")
async def cancel(visit: Visiting, order: str) -> Response:
    """Cancels an order that waits."""
    form = await Form.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.orders.cancel(order, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect("/operations", _("The order is cancelled. What it had set aside is free."))
    return await _cancel(visit, order, form)


@router.get("/quarantine")
async def quarantine(visit: Visiting) -> Response:
    """Chain events that could not be applied, oldest first."""
    cursor = cursor_of(visit.request)
    page = await visit.client.quarantined_events.list(page_size=_ROWS).page(cursor)
    return visit.page(
        "operations/quarantine.html",
        events=page.data,
        pager=pager_of(visit.request, page.next_cursor),
        plain=Form(),
        may_act=may(visit, OPERATE),
        crumbs=[(_("Quarantine"), None)],
    )


@router.post("/quarantine/retry")
async def retry(visit: Visiting) -> Response:
    """Applies what can be applied now."""
    form = await Form.read(visit.request)
    done = await visit.client.quarantined_events.retry(idempotency_key=form.key)
    words = _("%(applied)s applied, %(failed)s failed again.") % {"applied": done.applied, "failed": done.failed}
    return visit.redirect("/operations/quarantine", words, tone="warn" if done.failed else "good")


async def _operations(visit: Visit, form: Pause) -> Response:
    at_work, batches, names, waiting = await asyncio.gather(
        visit.client.operations.get(),
        visit.client.batches.list(page_size=_BATCHES).page(),
        merchant_names(visit),
        waiting_for(visit),
    )
    return visit.page(
        "operations/operations.html",
        status=form.status,
        at_work=at_work,
        batches=batches.data,
        names=names,
        seconds_since=lambda moment: max(0, int((now() - moment).total_seconds())),
        form=form,
        resuming=Form(),
        waiting=waiting if may(visit, DECIDE) else 0,
        may_act=may(visit, OPERATE),
    )


async def _cancel(visit: Visit, order: str, form: Form) -> Response:
    require(visit, OPERATE)
    found, names = await asyncio.gather(visit.client.orders.get(order), merchant_names(visit))
    return visit.page(
        "operations/cancel.html",
        status=form.status,
        form=form,
        order=found,
        merchant=names.get(found.merchant, found.merchant),
        crumbs=[(short(order), None)],
    )
