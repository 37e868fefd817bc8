"""Removes rows that nobody needs any more, a limited number in each transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select, tuple_

from clearing.kit.database import Base, Database
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.notifications.webhooks.repository import DeliveryRepository
from clearing.ordering.quotes.models import Quote
from clearing.parties.members.models import LinkCode

_ROWS = 5_000


def remove_quotes(database: Database, before: datetime) -> int:
    """Removes quotes that expired before this moment."""
    return _remove(database, Quote, Quote.expires_at < before)


def remove_link_codes(database: Database, before: datetime) -> int:
    """Removes link codes that expired before this moment, used or not."""
    return _remove(database, LinkCode, LinkCode.expires_at < before)


def remove_idempotency_records(database: Database, before: datetime) -> int:
    """Removes the recorded answers to requests from before this moment: their keys may be used again."""
    return _remove(database, IdempotencyRecord, IdempotencyRecord.created_at < before)


def remove_deliveries(database: Database, before: datetime) -> int:
    """Removes deliveries that ended before this moment."""
    total = 0
    while True:
        with database.session.begin() as session:
            removed = DeliveryRepository(session).forget(before, _ROWS)
        total += removed
        if removed < _ROWS:
            return total


def _remove(database: Database, model: type[Base], old: ColumnElement[bool]) -> int:
    key: Any = tuple_(*model.__table__.primary_key)
    total = 0
    while True:
        with database.session.begin() as session:
            rows = session.execute(select(*model.__table__.primary_key).where(old).limit(_ROWS)).all()
            if rows:
                session.execute(delete(model).where(key.in_([tuple(row) for row in rows])))
        total += len(rows)
        if len(rows) < _ROWS:
            return total
