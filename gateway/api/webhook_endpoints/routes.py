"""Webhook endpoints: where merchants are told of their events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from clearing.kit.errors import InvalidRequest
from clearing.kit.events.models import Event
from clearing.notifications.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from clearing.notifications.webhooks.repository import DeliveryRepository, EndpointRepository
from clearing.notifications.webhooks.service import WebhookService
from gateway.api.names import Names
from gateway.api.webhook_endpoints.schemas import (
    WebhookDeliveryView,
    WebhookEndpointChange,
    WebhookEndpointCreate,
    WebhookEndpointView,
    WebhookReplay,
    WebhookReplayView,
)
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint, tags=["webhooks"])


@router.post("/v1/webhook_endpoints", status_code=201, response_model=WebhookEndpointView)
def create_webhook_endpoint(body: WebhookEndpointCreate, call: Mutating) -> Any:
    """Has your events sent to a URL from now on. The `secret` that signs them is in this answer and nowhere else."""
    endpoint, secret = _service(call).create(
        call.merchant, url=body.url, types=body.types, description=body.description, actor=call.actor
    )
    return _view(call, endpoint, secret)


@router.get("/v1/webhook_endpoints", response_model=Page[WebhookEndpointView])
def list_webhook_endpoints(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """Your endpoints, newest first, without their secrets."""
    rows = EndpointRepository(call.session).list(merchant_number=call.only_merchant, after=cursor, limit=limit + 1)
    return page_of(rows, limit, lambda row: _view(call, row), lambda row: row.id)


@router.get("/v1/webhook_endpoints/{endpoint}", response_model=WebhookEndpointView)
def get_webhook_endpoint(endpoint: str, call: Reading) -> View:
    """One endpoint."""
    return _view(call, _found(call, endpoint))


@router.patch("/v1/webhook_endpoints/{endpoint}", response_model=WebhookEndpointView)
def change_webhook_endpoint(endpoint: str, body: WebhookEndpointChange, call: Mutating) -> Any:
    """Changes an endpoint, or enables it again: it is then sent what has waited."""
    changed = _service(call).change(
        _found(call, endpoint),
        url=body.url,
        types=body.types,
        description=body.description,
        enabled=body.enabled,
        actor=call.actor,
    )
    return _view(call, changed)


@router.post("/v1/webhook_endpoints/{endpoint}/secret", status_code=201, response_model=WebhookEndpointView)
def renew_webhook_secret(endpoint: str, call: Mutating) -> Any:
    """A new secret, shown once. For a day requests carry a signature with the old one, too."""
    found = _found(call, endpoint)
    return _view(call, found, _service(call).renew_secret(found, call.actor))


@router.post("/v1/webhook_endpoints/{endpoint}/replay", status_code=201, response_model=WebhookReplayView)
def replay_webhooks(endpoint: str, body: WebhookReplay, call: Mutating) -> Any:
    """Sends events again, in their order, with the ids that they had."""
    found = _found(call, endpoint)
    count = _service(call).replay(found, since=body.since, event_ids=body.events, actor=call.actor)
    return WebhookReplayView(events=count)


@router.get("/v1/webhook_endpoints/{endpoint}/deliveries", response_model=Page[WebhookDeliveryView])
def list_webhook_deliveries(
    endpoint: str,
    call: Reading,
    state: Annotated[DeliveryState | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> View:
    """What was sent, or waits to be, newest first."""
    found = _found(call, endpoint)
    if cursor is not None and not (cursor.isdecimal() and len(cursor) < 19):
        raise InvalidRequest("query parameter cursor: is not one that we gave")
    after = int(cursor) if cursor is not None else None
    rows = DeliveryRepository(call.session).list(found.id, state=state, after=after, limit=limit + 1)
    return page_of(rows, limit, _delivery_view, lambda row: str(row[0].event_seq))


@router.delete("/v1/webhook_endpoints/{endpoint}", status_code=200, response_model=WebhookEndpointView)
def remove_webhook_endpoint(endpoint: str, call: Mutating) -> Any:
    """Removes an endpoint, with what is on its way there."""
    found = _found(call, endpoint)
    view = _view(call, found)
    _service(call).remove(found, call.actor)
    return view


def _service(call: Call) -> WebhookService:
    return WebhookService(call.session, keyring=call.gateway.keyring, settings=call.gateway.settings)


def _found(call: Call, endpoint: str) -> WebhookEndpoint:
    return _service(call).existing(call.only_merchant, endpoint)


def _view(call: Call, endpoint: WebhookEndpoint, secret: str | None = None) -> WebhookEndpointView:
    return WebhookEndpointView(
        id=endpoint.id,
        merchant=Names(call.session).merchant(endpoint.merchant_number),
        url=endpoint.url,
        types=endpoint.types,
        description=endpoint.description,
        state=endpoint.state,
        reason=endpoint.reason,
        failing_since=endpoint.failing_since,
        secret=secret,
        created_at=endpoint.created_at,
    )


def _delivery_view(row: tuple[WebhookDelivery, Event]) -> WebhookDeliveryView:
    delivery, event = row
    waits = delivery.state is DeliveryState.PENDING
    return WebhookDeliveryView(
        event=event.id,
        type=event.type,
        subject=event.subject,
        data=event.data,
        state=delivery.state,
        attempts=delivery.attempts,
        next_attempt_at=delivery.next_attempt_at if waits else None,
        status=delivery.status,
        answer=delivery.answer,
        attempted_at=delivery.attempted_at,
        delivered_at=delivery.delivered_at,
    )
