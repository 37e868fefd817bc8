"""Many rows by one statement: a COPY or arrays on PostgreSQL, and a plain statement on SQLite, where a row costs no round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection, DatabaseError, IntegrityError, OperationalError, sql
from sqlalchemy import JSON, Table, bindparam, exc, func, insert, update
from sqlalchemy.orm import Session

from loyalty.kit.database import Base, is_postgresql, json_text
from loyalty.kit.named import array_of


def insert_all(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that all name the same columns; column defaults do not apply. Raises what any insert raises."""
    table = model.__table__
    assert isinstance(table, Table), "a model is of a table"
    if rows and is_postgresql(session):
        _copy(session, table, rows)
    elif rows:
        session.execute(insert(table), rows)  # into the model it would be a statement for each pattern of None


def change_all(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Changes rows that all name the same columns, among them `id`, which says which row it is."""
    table = model.__table__
    assert isinstance(table, Table), "a model is of a table"
    if rows and is_postgresql(session):
        arrays = [array_of(table.columns[name], [row[name] for row in rows]) for name in rows[0]]
        new = func.unnest(*arrays).table_valued(*rows[0]).render_derived(name="new")
        values = {name: new.columns[name] for name in rows[0] if name != "id"}
        session.execute(update(table).where(table.columns["id"] == new.columns["id"]).values(values))
    elif rows:
        values = {name: bindparam(f"new_{name}") for name in rows[0] if name != "id"}
        statement = update(table).where(table.columns["id"] == bindparam("new_id")).values(values)
        session.execute(statement, [{f"new_{name}": value for name, value in row.items()} for row in rows])


def _copy(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    in_json = {column.name for column in table.columns if isinstance(column.type, JSON)}
    names = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
    connection: Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    try:
        with connection.cursor().copy(statement) as copy:
            for row in rows:  # the driver does not know from a value that it is JSON
                copy.write_row([json_text(value) if name in in_json else value for name, value in row.items()])
    except DatabaseError as error:
        raise _told(error)(f"COPY {table.name}", None, error) from error


def _told(error: DatabaseError) -> type[exc.DatabaseError]:
    """What SQLAlchemy calls an error of the driver."""
    if isinstance(error, IntegrityError):
        return exc.IntegrityError
    return exc.OperationalError if isinstance(error, OperationalError) else exc.DatabaseError
