"""Webhook endpoints and deliveries as the API shows them."""

from __future__ import annotations

from clearing.kit.events.models import Event
from clearing.notifications.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from gateway.api.webhook_endpoints.schemas import WebhookDeliveryView, WebhookEndpointView
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
