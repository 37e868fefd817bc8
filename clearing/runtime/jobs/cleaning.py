"""Removes rows that nobody needs any more, a limited number in each transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import Expiring
from clearing.kit.database import Database
from clearing.kit.idempotency.repository import IdempotencyRepository
from clearing.notifications.webhooks.repository import DeliveryRepository
from clearing.ordering.quotes.repository import QuoteRepository
from clearing.parties.members.repository import LinkCodeRepository

_ROWS = 5_000


def remove_quotes(database: Database, before: datetime) -> int:
    """Removes quotes that expired before this moment."""
    return _remove(database, QuoteRepository, before)


def remove_link_codes(database: Database, before: datetime) -> int:
    """Removes link codes that expired before this moment, used or not."""
    return _remove(database, LinkCodeRepository, before)


def remove_idempotency_records(database: Database, before: datetime) -> int:
    """Removes the answers to requests from before this moment: their keys may be used again."""
    return _remove(database, IdempotencyRepository, before)


def remove_deliveries(database: Database, before: datetime) -> int:
    """Removes deliveries from before this moment that are no longer pending."""
    return _remove(database, DeliveryRepository, before)


def _remove(database: Database, repository: Callable[[Session], Expiring], before: datetime) -> int:
    total = 0
    while True:
        with database.session.begin() as session:
            removed = repository(session).remove_expired(before, _ROWS)
        total += removed
        if removed < _ROWS:
            return total
