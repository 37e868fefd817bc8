"""Events as the API shows them."""

from __future__ import annotations

from clearing.kit.events.models import Event
from gateway.api.events.schemas import EventView
from gateway.http.context import Call


def event_view(call: Call, event: Event) -> EventView:
    """An event."""
    return EventView(
        id=event.id,
        type=event.type,
        subject=event.subject,
        actor=event.actor,
        merchant=call.names.merchant(event.merchant_number) if event.merchant_number is not None else None,
        data=event.data,
        created_at=event.created_at,
    )
