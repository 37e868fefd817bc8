"""INSERT ... ON CONFLICT: both databases have it, but SQLAlchemy offers it only in their dialects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from clearing.kit.database import Base, dialect_of


def insert_for(session: Session) -> Callable[[type[Base]], Any]:
    """The `insert` of this session's database, which has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return postgresql.insert if dialect_of(session) == "postgresql" else sqlite.insert
