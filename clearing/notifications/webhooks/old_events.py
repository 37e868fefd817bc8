"""The end of events: those that every movement brings go after a while; those that say what somebody did to the network stay.

It stands with the webhooks because no event may go that an endpoint still waits for.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from clearing.kit.events.models import EventCursor
from clearing.kit.events.reader import EventReader
from clearing.kit.events.repository import EventRepository
from clearing.kit.events.types import is_frequent
from clearing.notifications.webhooks.fanout import CURSOR as FANNED_OUT
from clearing.notifications.webhooks.repository import DeliveryRepository

CURSOR = "old_events"
"""How far the events have been looked through. What stayed is not looked at again, so a round costs the same however much stays."""


def _ready(reader: EventReader, fanned_out: EventCursor | None) -> int:
    """Up to which number events were fanned out. Never the newest: SQLite would give its number to the next one."""
    if fanned_out is None:
        return 0
    bounds = [fanned_out.seq, reader.newest() - 1]
    bounds += [gap[0] - 1 for gap in fanned_out.gaps]
    return min(bounds)


def remove_old_events(session: Session, before: datetime, limit: int) -> bool:
    """Looks through the next `limit` events that were recorded before this moment, in the caller's transaction, and removes the
    frequent ones. Returns whether there may be more."""
    reader, events = EventReader(session), EventRepository(session)
    done = reader.lock_cursor(CURSOR)
    fanned_out = reader.cursor(FANNED_OUT)
    ready = _ready(reader, fanned_out)
    old = [(number, kind) for number, kind in events.oldest(done.seq, before, limit) if number <= ready]
    if not old:
        return False
    frequent = [number for number, kind in old if is_frequent(kind)]
    events.remove(set(frequent) - DeliveryRepository(session).used_events(frequent))
    done.seq = old[-1][0]
    return len(old) == limit
