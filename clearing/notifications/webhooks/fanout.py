"""From events to deliveries: each committed event once, in order of its number, for every endpoint that wants it.

Events may appear after events with higher numbers. The cursor keeps the missing numbers as gaps (`kit/events/gaps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.events.gaps import missing_between, still_missing
from clearing.kit.events.models import Event, EventCursor
from clearing.kit.events.reader import EventReader
from clearing.kit.events.types import matches_any
from clearing.notifications.webhooks.models import WebhookEndpoint
from clearing.notifications.webhooks.repository import DeliveryRepository, EndpointRepository

CURSOR = "webhooks"


def fan_out(session: Session, limit: int = 1_000) -> bool:
    """Makes deliveries of the next events in the caller's transaction. Returns False if there was nothing new."""
    reader = EventReader(session)
    cursor = reader.lock_cursor(CURSOR)
    endpoints = EndpointRepository(session).all()
    if not endpoints:
        cursor.seq, cursor.gaps = reader.newest(), []
        return False
    before = reader.snapshot()
    late = reader.within(cursor.gaps)
    fresh = reader.after(cursor.seq, limit)
    after = reader.snapshot()
    at = clock_of(session).unix()
    gaps = still_missing(cursor.gaps, {event.seq for event in late}, before, after, at)
    gaps += missing_between(cursor.seq, [event.seq for event in fresh], at)
    if gaps != cursor.gaps:
        cursor.gaps = gaps
    if fresh:
        cursor.seq = fresh[-1].seq
    _deliver(session, endpoints, [*late, *fresh])
    return bool(late or fresh)


def nothing_new(session: Session) -> bool:
    """Whether a fan-out would find nothing to do. Takes no lock, so it is cheap to ask often."""
    reader = EventReader(session)
    cursor: EventCursor | None = reader.cursor(CURSOR)
    return reader.newest() <= (cursor.seq if cursor else 0) and not (cursor and cursor.gaps)


def wants(endpoint: WebhookEndpoint, event: Event) -> bool:
    """Whether an endpoint is to receive an event."""
    if event.merchant_number != endpoint.merchant_number or event.seq <= endpoint.after_seq:
        return False
    return wants_type(endpoint, event.type)


def wants_type(endpoint: WebhookEndpoint, event_type: str) -> bool:
    """Whether an endpoint has asked for events of this type."""
    return not endpoint.types or matches_any(endpoint.types, event_type)


def _deliver(session: Session, endpoints: Iterable[WebhookEndpoint], events: Sequence[Event]) -> None:
    deliveries = DeliveryRepository(session)
    at = clock_of(session).now()
    for endpoint in endpoints:
        wanted = [event for event in events if wants(endpoint, event)]
        if wanted:
            deliveries.add(endpoint.id, wanted, at)
