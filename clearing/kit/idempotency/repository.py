"""SQL of idempotency keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.clock import clock_of
from clearing.kit.database import dialect_of
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.upsert import insert_for


class IdempotencyRepository:
    """Idempotency records in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, principal: str, key: str, fingerprint: bytes, *, patience: float) -> IdempotencyRecord | None:
        """Claims the key in this transaction. Returns its new, empty record, or None if it was used before.

        While another transaction holds the key, this waits for it to end, but no longer than `patience` seconds; then
        PostgreSQL raises LockNotAvailable. SQLite has one writer at a time, so nobody ever waits here.
        """
        postgres = dialect_of(self._session) == "postgresql"
        if postgres:
            self._session.execute(text(f"SET LOCAL lock_timeout = {int(patience * 1000)}"))
        statement = (
            insert_for(self._session)(IdempotencyRecord)
            .values(
                principal=principal,
                key=key,
                fingerprint=fingerprint,
                status=0,
                body="",
                created_at=clock_of(self._session).now(),
            )
            .on_conflict_do_nothing()
            .returning(IdempotencyRecord)
        )
        record: IdempotencyRecord | None = self._session.scalar(statement)
        if postgres:
            self._session.execute(text("SET LOCAL lock_timeout = DEFAULT"))
        return record

    def get(self, principal: str, key: str) -> IdempotencyRecord | None:
        """The record of a key."""
        return self._session.get(IdempotencyRecord, (principal, key), populate_existing=True)

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` answers given before this moment, so that their keys may be used again; how many."""
        return delete_some(self._session, IdempotencyRecord, IdempotencyRecord.created_at < before, limit)
