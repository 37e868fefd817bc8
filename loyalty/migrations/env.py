"""Alembic's entry point: works on the connection that `Database.migrate` gives it, or on LOYALTY_DATABASE_URL."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy
from alembic import context

import loyalty.models  # noqa: F401 (all tables)
from loyalty.kit.database import Base, Database, Moment
from loyalty.kit.settings import load_settings


def _rendered(kind: str, value: Any, _context: Any) -> str | Literal[False]:
    """A new migration names our column type, and says of an enumeration that it is text."""
    if kind != "type":
        return False
    if isinstance(value, Moment):
        return "Moment()"
    return f"sa.String(length={value.length})" if isinstance(value, sqlalchemy.Enum) else False


def _migrate(connection: sqlalchemy.Connection) -> None:
    context.configure(
        connection, target_metadata=Base.metadata, compare_type=True, render_as_batch=True, render_item=_rendered
    )
    with context.begin_transaction():
        context.run_migrations()


_given = context.config.attributes.get("connection")
if _given is not None:
    _migrate(_given)
else:
    with Database(load_settings().database_url).engine.begin() as _own:
        _migrate(_own)
