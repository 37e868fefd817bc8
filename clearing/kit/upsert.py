"""INSERT ... ON CONFLICT: both databases have it, but SQLAlchemy offers it only in their dialects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, TextClause, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from clearing.kit.database import Base, dialect_of
from clearing.kit.in_list import array_text


def insert_for(session: Session) -> Callable[[type[Base]], Any]:
    """The `insert` of this session's database, which has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return postgresql.insert if dialect_of(session) == "postgresql" else sqlite.insert


def add_all(
    session: Session, model: type[Base], changes: Sequence[Mapping[str, Any]], *, least: tuple[str, ...] = ()
) -> None:
    """Adds each change's numbers to the row with its primary key, or stores it where there is none. In the columns `least` the
    smaller number stays instead. All changes name the same columns.

    The rows are locked in the order of `changes`: to avoid deadlocks, sort them by their keys.
    """
    if changes:
        names = tuple(changes[0])
        add_rows(session, model, names, [tuple(change[name] for name in names) for change in changes], least=least)


def add_rows(
    session: Session,
    model: type[Base],
    names: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    least: tuple[str, ...] = (),
) -> None:
    """The same with the values of the columns `names`."""
    if not rows:
        return
    session.flush()
    if dialect_of(session) == "postgresql":
        statement = _in_place(model, names, least, session.get_bind().dialect)
        columns = zip(names, zip(*rows, strict=True), strict=True)
        session.execute(statement, {name: array_text(values) for name, values in columns})
    else:
        _read_and_write(session, model, [dict(zip(names, row, strict=True)) for row in rows], least)
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, model):
            session.expire(loaded)


@lru_cache
def _in_place(model: type[Base], names: tuple[str, ...], least: tuple[str, ...], dialect: Dialect) -> TextClause:
    """One statement for all of them."""
    table, columns = model.__tablename__, model.__table__.columns
    arrays = (f"CAST(:{name} AS {columns[name].type.compile(dialect)}[])" for name in names)
    keys = [column.name for column in model.__table__.primary_key]
    results = (
        f"{name} = LEAST({table}.{name}, excluded.{name})"
        if name in least
        else f"{name} = {table}.{name} + excluded.{name}"
        for name in names
        if name not in keys
    )
    return text(
        # The names are our own.
        f"INSERT INTO {table} ({', '.join(names)}) SELECT * FROM unnest({', '.join(arrays)})"  # noqa: S608
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(results)}"
    )


def _read_and_write(
    session: Session, model: type[Base], changes: Sequence[Mapping[str, Any]], least: tuple[str, ...]
) -> None:
    """SQLite keeps our big numbers as text, so Python adds them; there is one writer at a time anyway."""
    table = model.__table__
    keys = [column.name for column in table.primary_key]
    wanted = [tuple(change[key] for key in keys) for change in changes]
    stored: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        some = tuple_(*(table.c[key] for key in keys)).in_(wanted[start : start + _KEYS_AT_ONCE])
        for row in session.execute(select(table).where(some)).mappings():
            stored[tuple(row[key] for key in keys)] = dict(row)
    rows = []
    for key, change in zip(wanted, changes, strict=True):
        before = stored.get(key, {})
        sums = {name: _combined(before, change, name, least) for name in change if name not in keys}
        rows.append({**change, **sums})
    statement = insert_for(session)(model)
    values = {name: statement.excluded[name] for name in changes[0] if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


_KEYS_AT_ONCE = 500


def _combined(before: Mapping[str, Any], change: Mapping[str, Any], name: str, least: tuple[str, ...]) -> Any:
    if name not in before:
        return change[name]
    return min(before[name], change[name]) if name in least else before[name] + change[name]
