"""Finding rows by many keys with a statement whose text does not depend on their number: it is compiled and cached once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, FromClause, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.kit.database import dialect_of

Column = InstrumentedAttribute[Any]


def in_list(session: Session, column: Column, values: Collection[Any]) -> ColumnElement[bool]:
    """True where the column (text or an integer) has one of these values."""
    return _in_list(session, (column,), [(value,) for value in values])


def pairs_in_list(
    session: Session, first: Column, second: Column, pairs: Iterable[tuple[Any, Any]]
) -> ColumnElement[bool]:
    """True where the two columns (text or integers) together have one of these pairs."""
    return _in_list(session, (first, second), list(pairs))


def keys_in_list(session: Session, columns: Sequence[Column], keys: Iterable[tuple[Any, ...]]) -> ColumnElement[bool]:
    """True where the columns (text or integers) together have one of these keys."""
    return _in_list(session, tuple(columns), list(keys))


def table_of(session: Session, columns: Sequence[Column], keys: Sequence[tuple[Any, ...]]) -> FromClause:
    """The keys as rows to select from, with the names and types of these columns (text or integers)."""
    if dialect_of(session) == "postgresql":
        arrays = [literal([key[index] for key in keys], ARRAY(column.type)) for index, column in enumerate(columns)]
        return func.unnest(*arrays).table_valued(*(column.key for column in columns)).render_derived()
    rows = func.json_each(literal(json.dumps(keys))).table_valued("value")
    return select(
        *(func.json_extract(rows.c.value, f"$[{index}]").label(column.key) for index, column in enumerate(columns))
    ).subquery()


def _in_list(session: Session, columns: tuple[Column, ...], keys: list[tuple[Any, ...]]) -> ColumnElement[bool]:
    query = select(*table_of(session, columns, keys).c)
    return tuple_(*columns).in_(query) if len(columns) > 1 else columns[0].in_(query)
