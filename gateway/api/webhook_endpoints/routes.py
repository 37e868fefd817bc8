"""Webhook endpoints: where a merchant is notified of its events."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.notifications.webhooks.models import DeliveryState, WebhookEndpoint
from clearing.notifications.webhooks.service import WebhookService
from gateway.api.webhook_endpoints.schemas import (
    WebhookDeliveryDetailView,
    WebhookDeliveryView,
    WebhookEndpointChange,
    WebhookEndpointCreate,
    WebhookEndpointView,
    WebhookReplay,
    WebhookReplayView,
)
from gateway.api.webhook_endpoints.view import delivery_detail_view, delivery_view, endpoint_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, number, page_of
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["webhooks"])


@router.post("/v1/webhook_endpoints", status_code=201)
def create_webhook_endpoint(body: WebhookEndpointCreate, call: Mutating) -> WebhookEndpointView:
    """Sends your events to a URL from now on. Only this response shows the `secret` that signs them."""
    endpoint, secret = _service(call).create(
        call.merchant, url=body.url, types=body.types, description=body.description, actor=call.actor
    )
    return endpoint_view(call, endpoint, secret)


@router.get("/v1/webhook_endpoints")
def list_webhook_endpoints(
    call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[WebhookEndpointView]:
    """Your endpoints, newest first, without their secrets."""
    rows = _service(call).list(call.viewer, after=id_after(cursor, "whe"), limit=limit + 1)
    return page_of(rows, limit, partial(endpoint_view, call), lambda endpoint: endpoint.id)


@router.get("/v1/webhook_endpoints/{endpoint}")
def get_webhook_endpoint(endpoint: str, call: Reading) -> WebhookEndpointView:
    """One endpoint."""
    return endpoint_view(call, _visible(call, endpoint))


@router.patch("/v1/webhook_endpoints/{endpoint}")
def change_webhook_endpoint(endpoint: str, body: WebhookEndpointChange, call: Mutating) -> WebhookEndpointView:
    """Changes an endpoint, or enables it again; then the events that have waited are sent."""
    changed = _service(call).change(
        _visible(call, endpoint),
        url=body.url,
        types=body.types,
        description=body.description,
        enabled=body.enabled,
        actor=call.actor,
    )
    return endpoint_view(call, changed)


@router.post("/v1/webhook_endpoints/{endpoint}/secret", status_code=201)
def renew_webhook_secret(endpoint: str, call: Mutating) -> WebhookEndpointView:
    """Makes a new secret and shows it once. For a day, requests also carry a signature with the old one."""
    found = _visible(call, endpoint)
    return endpoint_view(call, found, _service(call).renew_secret(found, call.actor))


@router.post("/v1/webhook_endpoints/{endpoint}/replay", status_code=201)
def replay_webhooks(endpoint: str, body: WebhookReplay, call: Mutating) -> WebhookReplayView:
    """Sends events again, in their order, with their ids."""
    found = _visible(call, endpoint)
    count = _service(call).replay(found, since=body.since, event_ids=body.events, actor=call.actor)
    return WebhookReplayView(events=count)


@router.get("/v1/webhook_endpoints/{endpoint}/deliveries")
def list_webhook_deliveries(
    endpoint: str,
    call: Reading,
    state: Annotated[DeliveryState | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[WebhookDeliveryView]:
    """The endpoint's deliveries, sent or pending, newest first."""
    found = _visible(call, endpoint)
    rows = _service(call).deliveries(found, state=state, after=number(cursor), limit=limit + 1)
    return page_of(rows, limit, delivery_view, lambda row: str(row[0].event_seq))


@router.get("/v1/webhook_endpoints/{endpoint}/deliveries/{event}")
def get_webhook_delivery(endpoint: str, event: str, call: Reading) -> WebhookDeliveryDetailView:
    """The delivery of one event, with the request and what was answered at the last tries."""
    return delivery_detail_view(_service(call).delivery(_visible(call, endpoint), event))


@router.delete("/v1/webhook_endpoints/{endpoint}", status_code=200)
def remove_webhook_endpoint(endpoint: str, call: Mutating) -> WebhookEndpointView:
    """Removes an endpoint with its pending deliveries."""
    found = _visible(call, endpoint)
    view = endpoint_view(call, found)
    _service(call).remove(found, call.actor)
    return view


def _service(call: Call) -> WebhookService:
    return WebhookService(call.session, keyring=call.gateway.keyrings.webhook_secrets, settings=call.gateway.settings)


def _visible(call: Call, endpoint: str) -> WebhookEndpoint:
    return _service(call).visible(call.viewer, endpoint)
