"""Named locks that last until the transaction ends."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from zlib import crc32

from sqlalchemy import text
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of

_NAMESPACE = 0x7D01
"""First half of every advisory lock's key, so that ours never collide with another application's."""


def lock_until_commit(session: Session, name: str) -> None:
    """Lets only one transaction at a time past this point. SQLite needs no lock: it has a single writer."""
    if dialect_of(session) == "postgresql":
        key = crc32(name.encode()) - 2**31
        session.execute(text("SELECT pg_advisory_xact_lock(:namespace, :key)"), {"namespace": _NAMESPACE, "key": key})


def lock_keys(session: Session, keys: Sequence[str]) -> None:
    """Waits for everybody else's transaction that has locked one of these keys. There may be any number of different keys."""
    if dialect_of(session) == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) k"), _hashed(keys))


def try_lock_keys(session: Session, keys: Sequence[str]) -> list[bool]:
    """The same without waiting: for each key, whether it is locked for this transaction now."""
    if dialect_of(session) != "postgresql":
        return [True] * len(keys)
    numbers = "unnest(CAST(:keys AS bigint[])) WITH ORDINALITY AS given (number, place)"
    locking = text(f"SELECT pg_try_advisory_xact_lock(number) FROM {numbers} ORDER BY place")  # noqa: S608 (ours)
    return list(session.scalars(locking, _hashed(keys)))


def _hashed(keys: Sequence[str]) -> dict[str, list[int]]:
    """The keys as the database takes them: 64 bits. Two that share a number wait for each other, and nothing worse."""
    digests = (sha256(f"tongdui:{key}".encode()).digest() for key in keys)
    return {"keys": [int.from_bytes(digest[:8], "big", signed=True) for digest in digests]}


def wait_at_most(session: Session, seconds: float | None) -> None:
    """From now on the session's transaction waits so long for a lock; then PostgreSQL raises an error that `is_lock_timeout`. None:
    as long as usual. SQLite has one writer, and no locks to wait for."""
    if dialect_of(session) == "postgresql":
        timeout = "DEFAULT" if seconds is None else str(int(seconds * 1_000))
        session.connection().exec_driver_sql(f"SET LOCAL lock_timeout = {timeout}")
