"""Many rows at once: one COPY on PostgreSQL; ordinary inserts on SQLite, which has no round trips to save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from clearing.kit.database import Base, dialect_of


def insert_all(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that all name the same columns; column defaults do not apply. Raises IntegrityError like any insert."""
    if not rows:
        return
    if dialect_of(session) == "postgresql":
        _copy(session, model, rows)
    else:
        session.execute(insert(model), rows)


def _copy(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    statement = f'COPY "{model.__tablename__}" ({columns}) FROM STDIN'
    driver: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
    except psycopg.errors.IntegrityError as error:
        raise IntegrityError(statement, None, error) from error
    except psycopg.OperationalError as error:
        raise OperationalError(statement, None, error) from error
