"""Events as the API shows them, and as it streams them."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.kit.events.models import Event
from clearing.parties.names import Names
from gateway.api.events.schemas import EventView
from gateway.http.context import Call
from gateway.http.feed import Message


def event_view(call: Call, event: Event) -> EventView:
    """An event."""
    return _view(call.names, event)


def event_messages(names: Names, events: Sequence[Event]) -> list[Message]:
    """Events, each as a server-sent event."""
    return [
        Message(
            event.seq,
            event.merchant_number,
            event.type,
            f"id: {event.id}\nevent: {event.type}\ndata: {_view(names, event).model_dump_json()}\n\n",
        )
        for event in events
    ]


def _view(names: Names, event: Event) -> EventView:
    return EventView(
        id=event.id,
        type=event.type,
        subject=event.subject,
        actor=event.actor,
        merchant=names.optional_merchant(event.merchant_number),
        data=event.data,
        created_at=event.created_at,
    )
