"""Deleting old rows a few at a time, so that no transaction holds its locks for long."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, delete, select, tuple_
from sqlalchemy.orm import Session

from clearing.kit.database import Base


class Expiring(Protocol):
    """A repository whose rows are worthless after a while."""

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` of the rows that were over before this moment; returns how many it deleted."""
        ...


def delete_some(session: Session, model: type[Base], condition: ColumnElement[bool], limit: int) -> int:
    """Deletes at most `limit` of the rows that meet the condition; returns how many it deleted.

    It waits for nobody: a row that somebody has locked is deleted another time.
    """
    key: Any = tuple_(*model.__table__.primary_key)
    rows = session.execute(
        select(*model.__table__.primary_key).where(condition).limit(limit).with_for_update(skip_locked=True)
    ).all()
    if rows:
        session.execute(delete(model).where(key.in_([tuple(row) for row in rows])))
    return len(rows)
