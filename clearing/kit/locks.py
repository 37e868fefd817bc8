"""Named locks that last until the transaction ends."""

from __future__ import annotations

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
