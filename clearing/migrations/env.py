"""Alembic's entry point: works on the connection that it is given (`Database.upgrade`), or on TONGDUI_DATABASE_URL."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, Enum

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.config import settings
from clearing.kit.database import Base, Big, Database, Instant


def render_type(kind: str, value: Any, _context: Any) -> str | Literal[False]:
    """How a new migration writes our own column types: by name, and enumerations as the text that they are."""
    if kind == "type" and isinstance(value, Big | Instant):
        return f"{type(value).__name__}()"
    if kind == "type" and isinstance(value, Enum):
        return f"sa.String(length={value.length})"
    return False


def run(connection: Connection) -> None:
    """Runs the migrations on a connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        render_as_batch=True,
        render_item=render_type,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with Database(settings().database_url).engine.connect() as own:
        run(own)
        own.commit()
