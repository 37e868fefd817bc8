"""The cashier's page. One form: what is done, whose points, how many. Enter checks it, Enter confirms it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import Response

from console.confirming import confirmed
from console.given_back import may_give_back
from console.problem_texts import sentence_of
from console.till.offers import Offer, offers_of
from console.till.recent import recent, recent_ids, remember
from console.till.words import plain_words
from console.visit import Visit, Visiting
from pages.forms import Choice, Form, Points, Text
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import DryRun, ForbiddenError, Movement, NotFoundError

router = APIRouter()
_PATH = "/cashier"
_WAIT = 5.0
_CODE = "tongdui:code:"


class Sale(Form):
    """What happens at the till."""

    offer = Choice(lazy("What is done"), radio=True)
    who = Text(lazy("Card, or the member's code"), longest=200, pointer="/member_code")
    points = Points(lazy("Points"))
    reference = Text(lazy("Receipt number"), longest=140, required=False)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen: how many points go, what they pay or become, and what is left of them if this merchant may know."""

    offer: Offer
    member: str
    points: int
    out: int
    micros: int
    fee_micros: int
    available: int | None

    @property
    def left(self) -> int | None:
        """What the member has afterwards."""
        return None if self.available is None else self.available - self.points


@router.get("")
async def till(visit: Visiting) -> Response:
    """The till, ready for the next scan; with what was done just now."""
    offers = await offers_of(visit)
    chosen = visit.request.query_params.get("offer")
    known = {offer.id for offer in offers}
    first = chosen if chosen in known else (offers[0].id if offers else None)
    return await _page(visit, Sale({"offer": first}, options=_options(offers)), offers)


@router.post("")
async def sell(visit: Visiting) -> Response:
    """Shows what would happen, or does it."""
    offers = await offers_of(visit)
    form = await Sale.read(visit.request, options=_options(offers))
    by_id = {offer.id: offer for offer in offers}
    offer = by_id.get(form.values.get("offer") or "")
    if offer is not None and not offer.by_code and str(form.values.get("who") or "").lower().startswith(_CODE):
        form.refuse("who", _("This is a member's code. For your own points, scan the card."))

    async def check(form: Sale) -> Preview:
        assert offer is not None
        return await _preview(visit, offer, await _dry_run(visit, offer, form), form)

    async def act(form: Sale) -> Movement:
        assert offer is not None
        arguments = _arguments(_instruction(visit, offer, form))
        made: Movement = await _collection(visit, offer).create(**arguments, idempotency_key=form.key, wait=_WAIT)
        return made

    def tell(made: Movement) -> Response:
        assert offer is not None
        response = visit.redirect(f"{_PATH}?{urlencode({'done': made.id, 'offer': offer.id})}")
        remember(visit, response, made.id)
        return response

    answer = await confirmed(form, check, act, tell, plain_words(form, offer) if offer is not None else None)
    return answer if isinstance(answer, Response) else await _page(visit, form, offers, answer)


def _options(offers: Sequence[Offer]) -> dict[str, list[tuple[str, str]]]:
    return {"offer": [(offer.id, offer.label) for offer in offers]}


def _collection(visit: Visit, offer: Offer) -> Any:
    return getattr(visit.client, {"redeem": "redemptions", "spend": "spends", "exchange": "exchanges"}[offer.kind])


def _instruction(visit: Visit, offer: Offer, form: Form) -> Any:
    values = form.values
    metadata = {"till": visit.seat.id, "person": visit.person.id}
    return offer.instruction(values["who"], values["points"], values["reference"], metadata)


def _arguments(instruction: Any) -> dict[str, Any]:
    """An instruction's fields, as `create` takes them."""
    return {field.name: getattr(instruction, field.name) for field in fields(instruction)}


async def _dry_run(visit: Visit, offer: Offer, form: Form) -> DryRun[Movement]:
    run: DryRun[Movement] = await _collection(visit, offer).dry_run(_instruction(visit, offer, form))
    return run


async def _preview(visit: Visit, offer: Offer, run: DryRun[Movement], form: Form) -> Preview:
    outcome, movement = run.outcome, run.result
    return Preview(
        offer=offer,
        member=movement.external_id or ("" if offer.by_code else form.values["who"]),
        points=outcome.points,
        out=outcome.out,
        micros=outcome.settled_micros,
        fee_micros=outcome.fee_micros,
        available=await _available(visit, movement.member, offer.program),
    )


async def _available(visit: Visit, member: str | None, program: str) -> int | None:
    """What the member has, if this merchant may know."""
    if member is None:
        return None
    try:
        accounts = await visit.client.members.accounts(member)
    except (ForbiddenError, NotFoundError):
        return None
    return next((account.available for account in accounts if account.program == program), None)


async def _done(visit: Visit) -> Movement | None:
    """What was done just now, if it was done here."""
    movement = visit.request.query_params.get("done")
    if movement is None or movement not in recent_ids(visit):
        return None
    try:
        return await visit.client.movements.get(movement)
    except NotFoundError:
        return None


async def _page(visit: Visit, form: Form, offers: Sequence[Offer], preview: Preview | None = None) -> Response:
    done, last = await asyncio.gather(_done(visit), recent(visit))
    return visit.page(
        "till/till.html",
        status=form.status,
        form=form,
        offers=offers,
        preview=preview,
        done=done,
        reason=sentence_of(done.reason, done.reason) if done and done.reason else None,
        recent=last,
        may_give_back=partial(may_give_back, visit),
    )
