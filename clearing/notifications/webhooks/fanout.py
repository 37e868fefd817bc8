"""From events to deliveries: every committed event, once, in order of its number, to every endpoint that wants it.

Numbers are given before transactions commit, so an event may turn up behind others that have a higher number. A number that is
missing is remembered until its transaction has ended one way or the other (docs/decisions/0003-webhooks-by-cursor.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from clearing.kit.clock import now
from clearing.kit.events.models import Event
from clearing.notifications.webhooks.models import EventCursor, WebhookEndpoint
from clearing.notifications.webhooks.repository import DeliveryRepository, EndpointRepository, EventReader, Snapshot

CURSOR = "webhooks"
_GAP_SECONDS = 10
_UNKNOWN = -1


def fan_out(session: Session, limit: int = 1_000) -> bool:
    """Makes deliveries of the next events, in the caller's transaction. False when there was nothing new."""
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
    gaps = _still_missing(cursor.gaps, late, before, after) + _missing_between(cursor.seq, fresh)
    if gaps != cursor.gaps:
        cursor.gaps = gaps
    if fresh:
        cursor.seq = fresh[-1].seq
    _deliver(session, endpoints, [*late, *fresh])
    return bool(late or fresh)


def nothing_new(session: Session) -> bool:
    """Whether a fan-out would find nothing to do. Only looks, so it costs nothing to ask often."""
    reader = EventReader(session)
    cursor: EventCursor | None = reader.cursor(CURSOR)
    return reader.newest() <= (cursor.seq if cursor else 0) and not (cursor and cursor.gaps)


def wants(endpoint: WebhookEndpoint, event: Event) -> bool:
    """Whether an endpoint is to be told of an event."""
    if event.merchant_number != endpoint.merchant_number or event.seq <= endpoint.after_seq:
        return False
    return not endpoint.types or any(matches(pattern, event.type) for pattern in endpoint.types)


def matches(pattern: str, event_type: str) -> bool:
    """Whether a type of event is meant by `order.settled` or `order.*`."""
    return pattern == event_type or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))


def _deliver(session: Session, endpoints: Iterable[WebhookEndpoint], events: Sequence[Event]) -> None:
    deliveries = DeliveryRepository(session)
    at = now()
    for endpoint in endpoints:
        wanted = [event for event in events if wants(endpoint, event)]
        if wanted:
            deliveries.add(endpoint.id, wanted, at)


def _missing_between(seq: int, fresh: Sequence[Event]) -> list[list[int]]:
    """The numbers that `fresh` leaves out, with the time and, for now, no transaction."""
    gaps = []
    for event in fresh:
        if event.seq > seq + 1:
            gaps.append([seq + 1, event.seq - 1, _UNKNOWN, int(time.time())])
        seq = event.seq
    return gaps


def _still_missing(
    gaps: Iterable[list[int]], late: Sequence[Event], before: Snapshot, after: Snapshot
) -> list[list[int]]:
    """The gaps without the numbers that have turned up, and without those that never will.

    Whoever took a number has begun a transaction a moment later at most, so those that are to begin after `_GAP_SECONDS` are
    not among them; when all the earlier ones are over, the number is lost for good.
    """
    found = {event.seq for event in late}
    rest: list[list[int]] = []
    for first, last, bound, since in gaps:
        if bound != _UNKNOWN and before.oldest_running >= bound:
            continue
        settled = bound == _UNKNOWN and time.time() - since > _GAP_SECONDS
        new_bound = after.next_to_begin if settled else bound
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
