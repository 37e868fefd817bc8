"""SQL of idempotency keys."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from clearing.kit.clock import now
from clearing.kit.database import dialect_of
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.upsert import insert_for


class IdempotencyRepository:
    """Idempotency records in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, principal: str, key: str, fingerprint: bytes, *, patience: float) -> IdempotencyRecord | None:
        """Takes the key for this transaction: its new, empty record, or None where an earlier transaction had it.

        While another transaction holds the key, this waits for its end, for at most `patience` seconds (PostgreSQL
        raises LockNotAvailable then). SQLite has one writer at a time, so there nobody ever waits here.
        """
        postgres = dialect_of(self._session) == "postgresql"
        if postgres:
            self._session.execute(text(f"SET LOCAL lock_timeout = {int(patience * 1000)}"))
        statement = (
            insert_for(self._session)(IdempotencyRecord)
            .values(principal=principal, key=key, fingerprint=fingerprint, status=0, body="", created_at=now())
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
