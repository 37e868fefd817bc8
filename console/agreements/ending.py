"""The early end of an agreement: asked twice, with what it does to quotes and orders."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi.responses import Response

from console.agreements.forms import End
from console.agreements.view import Detail, detail, now
from console.problems import refusals
from console.visit import NotYours, Visit, Visiting
from pages.translations import gettext as _
from tongdui.encoding import hex_of
from tongdui.orders import Domain, termination_digest


async def ask(visit: Visiting, agreement: str) -> Response:
    """When is it to end?"""
    return await _page(visit, await _found(visit, agreement), End())


async def terminate(visit: Visiting, agreement: str) -> Response:
    """Shows once more what will happen; the second time it does it."""
    found = await _found(visit, agreement)
    form = await End.read(visit.request)
    end: datetime | None = form.values.get("effective_at")
    if form.is_valid and end is not None and end >= found.shown.ends:
        form.refuse("effective_at", _("It ends no later than that already."))
    if form.is_valid and form.values.get("reviewed"):
        if found.keeps_own_key and not form.values.get("signature"):
            form.refuse("signature", _("Sign it with your own key, and paste the signature."))
        else:
            with refusals(form):
                await visit.client.agreements.terminate(
                    agreement,
                    effective_at=_signed_end(form),
                    signature=form.values.get("signature"),
                    idempotency_key=form.key,
                )
            if form.is_valid:
                return visit.redirect(f"/agreements/{agreement}", _("Its end is on the way to the chain."))
    return await _page(visit, found, form)


async def _found(visit: Visit, agreement: str) -> Detail:
    if visit.seat.merchant is None:
        raise NotYours
    return await detail(visit, agreement)


def _signed_end(form: End) -> datetime | None:
    """The moment that is signed: an own key signs 1970 for at once, so that what was signed stays the same while it is signed."""
    end: datetime | None = form.values.get("effective_at")
    if end is None and form.values.get("signature"):
        return datetime(1970, 1, 1, tzinfo=UTC)
    return end


async def _page(visit: Visit, found: Detail, form: End) -> Response:
    agreement = found.shown.agreement
    is_second = form.is_sent and "effective_at" not in form.errors
    end: datetime | None = form.values.get("effective_at")
    digest = None
    if is_second and found.keeps_own_key and agreement.number is not None:
        network = await visit.network()
        seconds = int(end.timestamp()) if end else 0
        digest = hex_of(termination_digest(Domain(network.chain_id, network.contract), agreement.number, seconds))
    return visit.page(
        "agreements/terminate.html",
        form=form,
        detail=found,
        one=found.shown,
        is_second=is_second,
        end=end,
        at_once=end is None or end <= now(),
        digest=digest,
        status=form.status,
        crumbs=[(found.shown.title, f"/agreements/{agreement.id}"), (_("Terminate"), None)],
    )
