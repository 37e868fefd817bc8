"""SQL of idempotency keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.bulk_insert import insert_all
from clearing.kit.clock import clock_of
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.in_list import pairs_in_list
from clearing.kit.locks import lock_keys, try_lock_keys, wait_at_most
from clearing.kit.upsert import insert_for

PrincipalKey = tuple[str, str]
"""(principal, key)."""


class IdempotencyRepository:
    """Idempotency records in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, principal: str, key: str, fingerprint: bytes, *, patience: float) -> IdempotencyRecord | None:
        """Claims the key in this transaction. Returns its new, empty record, or None if it was used before.

        While another transaction holds the key, this waits for it to end, but no longer than `patience` seconds; then
        PostgreSQL raises LockNotAvailable. SQLite has one writer at a time, so nobody ever waits here.
        """
        wait_at_most(self._session, patience)
        lock_keys(self._session, [_lock(principal, key)])
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
        wait_at_most(self._session, None)
        return record

    def try_lock(self, keys: Sequence[PrincipalKey]) -> list[bool]:
        """Whether nobody else is using each of these keys now; then nobody can before this transaction ends."""
        return try_lock_keys(self._session, [_lock(*key) for key in keys])

    def used(self, keys: Collection[PrincipalKey]) -> dict[PrincipalKey, IdempotencyRecord]:
        """The records of those of these keys that were used before."""
        record = IdempotencyRecord
        query = select(record).where(pairs_in_list(self._session, record.principal, record.key, keys))
        return {(found.principal, found.key): found for found in self._session.scalars(query)}

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Stores the answers of keys that this transaction has locked. Raises IntegrityError where one was used before."""
        insert_all(self._session, IdempotencyRecord, rows)

    def get(self, principal: str, key: str) -> IdempotencyRecord | None:
        """The record of a key."""
        return self._session.get(IdempotencyRecord, (principal, key), populate_existing=True)

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` answers given before this moment, so that their keys may be used again; how many."""
        return delete_some(self._session, IdempotencyRecord, IdempotencyRecord.created_at < before, limit)


def _lock(principal: str, key: str) -> str:
    return f"idempotency:{principal}:{key}"
