"""Webhook endpoints and deliveries as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from clearing.kit.events.models import Event
from clearing.notifications.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from clearing.notifications.webhooks.payload import message_of
from gateway.api.webhook_endpoints.schemas import (
    WebhookDeliveryDetailView,
    WebhookDeliveryView,
    WebhookEndpointView,
    WebhookTryView,
)
from gateway.http.context import Call


def endpoint_view(call: Call, endpoint: WebhookEndpoint, secret: str | None = None) -> WebhookEndpointView:
    """An endpoint, with its secret if that was just made."""
    return WebhookEndpointView(
        id=endpoint.id,
        merchant=call.names.merchant(endpoint.merchant_number),
        url=endpoint.url,
        types=endpoint.types,
        description=endpoint.description,
        state=endpoint.state,
        reason=endpoint.reason,
        failing_since=endpoint.failing_since,
        secret=secret,
        created_at=endpoint.created_at,
    )


def delivery_view(row: tuple[WebhookDelivery, Event]) -> WebhookDeliveryView:
    """A delivery with its event."""
    delivery, event = row
    is_pending = delivery.state is DeliveryState.PENDING
    return WebhookDeliveryView(
        event=event.id,
        type=event.type,
        subject=event.subject,
        data=event.data,
        state=delivery.state,
        attempts=delivery.attempts,
        next_attempt_at=delivery.next_attempt_at if is_pending else None,
        status=delivery.status,
        answer=delivery.answer,
        attempted_at=delivery.attempted_at,
        delivered_at=delivery.delivered_at,
    )


def delivery_detail_view(row: tuple[WebhookDelivery, Event]) -> WebhookDeliveryDetailView:
    """A delivery with the request as it is sent, and the last tries."""
    delivery, event = row
    return WebhookDeliveryDetailView(
        **delivery_view(row).model_dump(),
        request_body=message_of(event, event.created_at).body,
        tries=[_try_view(event, kept) for kept in delivery.tries],
    )


def _try_view(event: Event, kept: dict[str, Any]) -> WebhookTryView:
    at, url, status = datetime.fromisoformat(kept["at"]), kept["url"], kept["status"]
    return WebhookTryView(
        at=at,
        url=url,
        request_headers=dict(message_of(event, at).shown_headers(urlsplit(url).netloc)),
        milliseconds=kept["milliseconds"],
        status=status,
        response_headers=kept["headers"],
        response_body=None if status is None else kept["answer"],
        error=kept["answer"] if status is None else None,
    )
