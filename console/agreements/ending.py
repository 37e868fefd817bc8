"""The early end of an agreement: asked twice, with what it does to quotes and orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi.responses import Response

from console.agreements.forms import End
from console.agreements.view import Detail, detail, now
from console.confirming import DO, confirmed, step_of
from console.rights import AGREE, require
from console.visit import Visit, Visiting
from pages.translations import gettext as _
from tongdui.encoding import hex_of
from tongdui.orders import Domain, termination_digest


async def ask(visit: Visiting, agreement: str) -> Response:
    """When is it to end?"""
    return _page(visit, await _found(visit, agreement), End())


async def terminate(visit: Visiting, agreement: str) -> Response:
    """Shows once more what will happen, or does it."""
    found = await _found(visit, agreement)
    form = await End.read(visit.request, {"end": found.shown.ends})

    async def check(form: End) -> Preview:
        return await _preview(visit, found, form)

    async def act(form: End) -> None:
        await visit.client.agreements.terminate(
            agreement,
            effective_at=_signed_end(form),
            signature=form.values["signature"],
            idempotency_key=form.key,
        )

    def tell(_done: None) -> Response:
        return visit.redirect(f"/agreements/{agreement}", _("Its end is on the way to the chain."))

    if form.is_valid and step_of(form) == DO and found.keeps_own_key and not form.values["signature"]:
        form.refuse("signature", _("Sign it with your own key, and paste the signature."))
    answer = await confirmed(form, check, act, tell)
    if isinstance(answer, Response):
        return answer
    if answer is None and "signature" in form.errors and "effective_at" in form.values:
        answer = await _preview(visit, found, form)
    return _page(visit, found, form, answer)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen. `digest` is what the merchant's own key has to sign."""

    end: datetime | None
    at_once: bool
    digest: str | None


async def _found(visit: Visit, agreement: str) -> Detail:
    require(visit, AGREE)
    return await detail(visit, agreement)


def _signed_end(form: End) -> datetime | None:
    """The moment that is signed: an own key signs 1970 for at once, so that what was signed stays the same while it is signed."""
    end: datetime | None = form.values.get("effective_at")
    if end is None and form.values.get("signature"):
        return datetime(1970, 1, 1, tzinfo=UTC)
    return end


async def _preview(visit: Visit, found: Detail, form: End) -> Preview:
    end: datetime | None = form.values["effective_at"]
    number, digest = found.shown.agreement.number, None
    if found.keeps_own_key and number is not None:
        network = await visit.network()
        seconds = int(end.timestamp()) if end else 0
        digest = hex_of(termination_digest(Domain(network.chain_id, network.contract), number, seconds))
    return Preview(end, end is None or end <= now(), digest)


def _page(visit: Visit, found: Detail, form: End, preview: Preview | None = None) -> Response:
    agreement = found.shown.agreement
    return visit.page(
        "agreements/terminate.html",
        form=form,
        detail=found,
        one=found.shown,
        preview=preview,
        status=form.status,
        crumbs=[(found.shown.title, f"/agreements/{agreement.id}"), (_("Terminate"), None)],
    )
