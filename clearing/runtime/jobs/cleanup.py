"""Removes rows that nobody needs any more, a limited number in each transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.database import Database
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.notifications.webhooks.repository import DeliveryRepository
from clearing.ordering.quotes.models import Quote
from clearing.parties.members.models import LinkCode

_ROWS = 5_000


def remove_quotes(database: Database, before: datetime) -> int:
    """Removes quotes that expired before this moment."""
    return _remove(database, lambda session: delete_some(session, Quote, Quote.expires_at < before, _ROWS))


def remove_link_codes(database: Database, before: datetime) -> int:
    """Removes link codes that expired before this moment, used or not."""
    return _remove(database, lambda session: delete_some(session, LinkCode, LinkCode.expires_at < before, _ROWS))


def remove_idempotency_records(database: Database, before: datetime) -> int:
    """Removes the recorded answers to requests from before this moment: their keys may be used again."""
    old = IdempotencyRecord.created_at < before
    return _remove(database, lambda session: delete_some(session, IdempotencyRecord, old, _ROWS))


def remove_deliveries(database: Database, before: datetime) -> int:
    """Removes deliveries that ended before this moment."""
    return _remove(database, lambda session: DeliveryRepository(session).forget(before, _ROWS))


def _remove(database: Database, remove_some: Callable[[Session], int]) -> int:
    total = 0
    while True:
        with database.session.begin() as session:
            removed = remove_some(session)
        total += removed
        if removed < _ROWS:
            return total
