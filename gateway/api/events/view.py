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
    return _view(call.names, event, call.viewer.merchant_number)


def event_messages(names: Names, events: Sequence[Event]) -> list[Message]:
    """Events, each as a server-sent event."""
    return [
        Message(
            event.seq,
            event.merchant_number,
            event.type,
            f"id: {event.id}\nevent: {event.type}\ndata: {_shown(names, event).model_dump_json()}\n\n",
        )
        for event in events
    ]


def _shown(names: Names, event: Event) -> EventView:
    """One view for all who hear it: it shows what the merchant may see whose event it is."""
    return _view(names, event, event.merchant_number)


def _view(names: Names, event: Event, merchant_number: int | None) -> EventView:
    return EventView(
        id=event.id,
        type=event.type,
        subject=event.subject,
        actor=event.actor,
        actor_name=names.actor(event.actor, merchant_number),
        merchant=names.optional_merchant(event.merchant_number),
        data=event.data,
        created_at=event.created_at,
    )
