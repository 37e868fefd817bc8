"""SQL of idempotency keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from loyalty.http.idempotency.models import IdempotencyRecord


class IdempotencyRepository:
    """Idempotency records in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, caller: str, key: str) -> IdempotencyRecord | None:
        """The record of a key."""
        return self._session.get(IdempotencyRecord, (caller, key))

    def add(self, record: IdempotencyRecord) -> None:
        """Adds a record."""
        self._session.add(record)
        self._session.flush()

    def remove_before(self, moment: datetime, limit: int) -> int:
        """Forgets answers that were given before this moment, so many at most; how many."""
        record = IdempotencyRecord
        query = select(record.caller, record.key).where(record.created_at < moment).limit(limit)
        old = self._session.execute(query).all()
        for caller, key in old:
            self._session.execute(delete(record).where(record.caller == caller, record.key == key))
        return len(old)
