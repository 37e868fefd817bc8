"""From events to deliveries: each committed event once, in order of its number, for every endpoint that wants it.

An event gets its number before its transaction commits, so it may appear after events with higher numbers. The cursor keeps
missing numbers as gaps until their transactions have ended one way or the other (docs/decisions/0003-webhooks-by-cursor.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.events.models import Event
from clearing.notifications.webhooks.models import EventCursor, WebhookEndpoint
from clearing.notifications.webhooks.repository import DeliveryRepository, EndpointRepository, EventReader, Snapshot

CURSOR = "webhooks"
_GAP_SECONDS = 10
_UNKNOWN = -1


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
    gaps = _still_missing(cursor.gaps, late, before, after, at) + _missing_between(cursor.seq, fresh, at)
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
    return not endpoint.types or any(_matches(pattern, event_type) for pattern in endpoint.types)


def _matches(pattern: str, event_type: str) -> bool:
    """Whether a pattern such as `order.settled` or `order.*` covers this type."""
    return pattern == event_type or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))


def _deliver(session: Session, endpoints: Iterable[WebhookEndpoint], events: Sequence[Event]) -> None:
    deliveries = DeliveryRepository(session)
    at = clock_of(session).now()
    for endpoint in endpoints:
        wanted = [event for event in events if wants(endpoint, event)]
        if wanted:
            deliveries.add(endpoint.id, wanted, at)


def _missing_between(seq: int, fresh: Sequence[Event], at: int) -> list[list[int]]:
    """The gaps between the fresh events, discovered at Unix time `at` and so far without a bound."""
    gaps = []
    for event in fresh:
        if event.seq > seq + 1:
            gaps.append([seq + 1, event.seq - 1, _UNKNOWN, at])
        seq = event.seq
    return gaps


def _still_missing(
    gaps: Iterable[list[int]], late: Sequence[Event], before: Snapshot, after: Snapshot, at: int
) -> list[list[int]]:
    """The gaps, less the numbers that have appeared and the numbers that never will.

    A transaction begins at most a moment after it takes a number. So transactions that begin `_GAP_SECONDS` after a gap's
    discovery (from `bound` on) did not take its numbers; once all earlier ones are over, the numbers are lost for good.
    """
    found = {event.seq for event in late}
    rest: list[list[int]] = []
    for first, last, bound, since in gaps:
        if bound != _UNKNOWN and before.oldest_running >= bound:
            continue
        is_old = bound == _UNKNOWN and at - since > _GAP_SECONDS
        new_bound = after.next_to_begin if is_old else bound
        rest += [[*part, new_bound, since] for part in _without(first, last, found)]
    return rest


def _without(first: int, last: int, found: set[int]) -> list[tuple[int, int]]:
    ranges = []
    start = first
    for number in sorted(number for number in found if first <= number <= last):
        if number > start:
            ranges.append((start, number - 1))
        start = number + 1
    if start <= last:
        ranges.append((start, last))
    return ranges
