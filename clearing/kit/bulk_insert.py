"""Many rows at once: one COPY on PostgreSQL; ordinary inserts on SQLite, which has no round trips to save."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from pydantic_core import to_json
from sqlalchemy import JSON, func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.kit.database import Base, dialect_of


def insert_all(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that all name the same columns; column defaults do not apply. Raises IntegrityError like any insert."""
    if rows:
        names = list(rows[0])
        insert_rows(session, model, names, [tuple(row[name] for name in names) for row in rows])


def insert_rows(session: Session, model: type[Base], names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """The same with the values of the columns `names`."""
    if not rows:
        return
    if dialect_of(session) == "postgresql":
        _copy(session, model, names, rows)
    else:
        session.execute(insert(model), [dict(zip(names, row, strict=True)) for row in rows])


def next_numbers(session: Session, column: InstrumentedAttribute[int], count: int) -> list[int]:
    """The next `count` numbers of a table's own sequence, in order, for rows that `insert_all` will insert."""
    if dialect_of(session) == "postgresql":
        table = column.class_.__tablename__
        numbers = text("SELECT nextval(pg_get_serial_sequence(:table, :column)) FROM generate_series(1, :count)")
        return list(session.scalars(numbers, {"table": table, "column": column.key, "count": count}))
    last = session.scalar(select(func.max(column))) or 0
    return list(range(last + 1, last + 1 + count))


def _copy(session: Session, model: type[Base], names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    statement = f'COPY "{model.__tablename__}" ({columns}) FROM STDIN'
    driver: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in _written(model, names, rows):
                copy.write_row(row)
    except psycopg.errors.IntegrityError as error:
        raise IntegrityError(statement, None, error) from error
    except psycopg.OperationalError as error:
        raise OperationalError(statement, None, error) from error


def _written(model: type[Base], names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    """The rows with JSON as text: psycopg does not know from a value that it is JSON. pydantic's writer takes a third of the time
    of Python's own."""
    in_json = [place for place, name in enumerate(names) if isinstance(model.__table__.columns[name].type, JSON)]
    if not in_json:
        return rows
    return (tuple(to_json(v).decode() if i in in_json else v for i, v in enumerate(row)) for row in rows)
