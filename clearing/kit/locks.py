"""Locks that last until the transaction ends."""

from __future__ import annotations

from zlib import crc32

from sqlalchemy import text
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of

_SPACE = 0x7D01
"""First half of our advisory locks' keys, so that they meet nobody else's."""


def lock_until_commit(session: Session, name: str) -> None:
    """Lets one transaction at a time pass here. SQLite has a single writer anyway."""
    if dialect_of(session) == "postgresql":
        key = crc32(name.encode()) - 2**31
        session.execute(text("SELECT pg_advisory_xact_lock(:space, :key)"), {"space": _SPACE, "key": key})
