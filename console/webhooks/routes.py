"""Endpoints and their deliveries."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import Response

from console.listing import found_of
from console.problems import refusals
from console.rights import CHANGE_WEBHOOKS, may, require
from console.visit import Visit, Visiting
from console.webhooks.forms import Endpoint, Replay, initial_of
from console.webhooks.view import STATES, TONES, readable, types_in_words
from pages.clock import now
from pages.filters import read_filters
from pages.formats import short
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _
from pages.translations import ngettext
from tongdui import NotFoundError, WebhookEndpoint

router = APIRouter()
_ROWS = 50


@router.get("")
async def endpoints(visit: Visiting) -> Response:
    """All endpoints."""
    page = await visit.client.webhook_endpoints.list(page_size=_ROWS).page(cursor_of(visit.request))
    return visit.page(
        "webhooks/list.html",
        endpoints=page.data,
        pager=pager_of(visit.request, page.next_cursor),
        types_in_words=types_in_words,
        may_change=may(visit, CHANGE_WEBHOOKS),
    )


@router.get("/new")
async def ask_new(visit: Visiting) -> Response:
    """An empty endpoint."""
    return _new(visit, Endpoint())


@router.post("/new")
async def create(visit: Visiting) -> Response:
    """Makes an endpoint, and shows its secret this once."""
    form = await Endpoint.read(visit.request)
    if form.is_valid:
        with refusals(form):
            made = await visit.client.webhook_endpoints.create(
                url=form.values["url"],
                types=form.types,
                description=form.values["description"] or "",
                idempotency_key=form.key,
            )
        if form.is_valid:
            return _secret(visit, made, is_new=True)
    return _new(visit, form)


@router.get("/{endpoint}")
async def one(visit: Visiting, endpoint: str) -> Response:
    """One endpoint with its deliveries."""
    return await _one(visit, endpoint)


@router.get("/{endpoint}/change")
async def ask_change(visit: Visiting, endpoint: str) -> Response:
    """The endpoint's settings."""
    found = await visit.client.webhook_endpoints.get(endpoint)
    return _change(visit, found, Endpoint(initial_of(found.url, found.types, found.description)))


@router.post("/{endpoint}/change")
async def change(visit: Visiting, endpoint: str) -> Response:
    """Changes what is sent, and where."""
    form = await Endpoint.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.webhook_endpoints.change(
                endpoint,
                url=form.values["url"],
                types=form.types,
                description=form.values["description"] or "",
                idempotency_key=form.key,
            )
        if form.is_valid:
            return visit.redirect(f"/webhooks/{endpoint}", _("The endpoint is changed."))
    return _change(visit, await visit.client.webhook_endpoints.get(endpoint), form)


@router.post("/{endpoint}/enable")
async def enable(visit: Visiting, endpoint: str) -> Response:
    """Sends again, beginning with what has waited."""
    form = await Form.read(visit.request)
    await visit.client.webhook_endpoints.change(endpoint, enabled=True, idempotency_key=form.key)
    return visit.redirect(f"/webhooks/{endpoint}", _("The endpoint is enabled. What has waited is being sent."))


@router.post("/{endpoint}/disable")
async def disable(visit: Visiting, endpoint: str) -> Response:
    """Sends nothing for now."""
    form = await Form.read(visit.request)
    await visit.client.webhook_endpoints.change(endpoint, enabled=False, idempotency_key=form.key)
    return visit.redirect(f"/webhooks/{endpoint}", _("The endpoint is disabled. What happens meanwhile waits."))


@router.post("/{endpoint}/secret")
async def renew_secret(visit: Visiting, endpoint: str) -> Response:
    """Makes a new secret, and shows it this once."""
    form = await Form.read(visit.request)
    renewed = await visit.client.webhook_endpoints.renew_secret(endpoint, idempotency_key=form.key)
    return _secret(visit, renewed, is_new=False)


@router.post("/{endpoint}/replay")
async def replay(visit: Visiting, endpoint: str) -> Response:
    """Sends again what has happened since a moment."""
    form = await Replay.read(visit.request)
    if form.is_valid:
        with refusals(form):
            sent = await visit.client.webhook_endpoints.replay(
                endpoint, since=form.values["since"], idempotency_key=form.key
            )
        if form.is_valid:
            told = ngettext("%(num)s event is sent again.", "%(num)s events are sent again.", sent.events)
            return visit.redirect(f"/webhooks/{endpoint}", told % {"num": sent.events})
    return await _one(visit, endpoint, form)


@router.post("/{endpoint}/remove")
async def remove(visit: Visiting, endpoint: str) -> Response:
    """Removes the endpoint with all that is on its way there."""
    form = await Form.read(visit.request)
    try:
        await visit.client.webhook_endpoints.remove(endpoint, idempotency_key=form.key)
    except NotFoundError:
        return visit.redirect("/webhooks", _("There is no such endpoint any more."), tone="warn")
    return visit.redirect("/webhooks", _("The endpoint is removed."))


@router.get("/{endpoint}/deliveries/{event}")
async def delivery(visit: Visiting, endpoint: str, event: str) -> Response:
    """One delivery, with what was sent and what was answered."""
    client = visit.client.webhook_endpoints
    found, owner = await asyncio.gather(client.delivery(endpoint, event), client.get(endpoint))
    return visit.page(
        "webhooks/delivery.html",
        endpoint=owner,
        one=found,
        body=readable(found.request_body),
        readable=readable,
        states=STATES,
        tones=TONES,
        plain=Form(),
        may_change=may(visit, CHANGE_WEBHOOKS),
        crumbs=[(short(endpoint), f"/webhooks/{endpoint}"), (found.type, None)],
    )


@router.post("/{endpoint}/deliveries/{event}/again")
async def deliver_again(visit: Visiting, endpoint: str, event: str) -> Response:
    """Sends one event again."""
    form = await Form.read(visit.request)
    await visit.client.webhook_endpoints.replay(endpoint, events=[event], idempotency_key=form.key)
    return visit.redirect(f"/webhooks/{endpoint}/deliveries/{event}", _("The event is sent again."))


async def _one(visit: Visit, endpoint: str, form: Replay | None = None) -> Response:
    filters = read_filters(visit.request.query_params, choices={"state": STATES})
    client = visit.client.webhook_endpoints
    found, deliveries = await asyncio.gather(
        client.get(endpoint),
        found_of(visit.request, filters, lambda: client.deliveries(endpoint, **filters.asked, page_size=_ROWS)),
    )
    shown = form or Replay()
    return visit.page(
        "webhooks/one.html",
        status=max(shown.status, filters.status),
        endpoint=found,
        deliveries=deliveries.rows,
        pager=deliveries.pager,
        types=types_in_words(found.types),
        states=STATES,
        tones=TONES,
        filters=filters,
        replay=shown,
        plain=Form(),
        renewing=Form(),
        removing=Form(),
        may_change=may(visit, CHANGE_WEBHOOKS),
        now=now(),
        crumbs=[(short(endpoint), None)],
    )


def _new(visit: Visit, form: Endpoint) -> Response:
    require(visit, CHANGE_WEBHOOKS)
    return visit.page(
        "webhooks/form.html",
        status=form.status,
        form=form,
        endpoint=None,
        crumbs=[(_("New endpoint"), None)],
    )


def _change(visit: Visit, endpoint: WebhookEndpoint, form: Endpoint) -> Response:
    require(visit, CHANGE_WEBHOOKS)
    return visit.page(
        "webhooks/form.html",
        status=form.status,
        form=form,
        endpoint=endpoint,
        crumbs=[(short(endpoint.id), f"/webhooks/{endpoint.id}"), (_("Change"), None)],
    )


def _secret(visit: Visit, endpoint: WebhookEndpoint, *, is_new: bool) -> Response:
    return visit.page(
        "webhooks/secret.html",
        endpoint=endpoint,
        is_new=is_new,
        crumbs=[(short(endpoint.id), f"/webhooks/{endpoint.id}"), (_("Secret"), None)],
    )
