"""Finding rows by many keys with a statement whose text does not depend on their number: it is compiled and cached once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Dialect,
    FromClause,
    String,
    TextClause,
    TypeDecorator,
    bindparam,
    func,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import NullType, TypeEngine

from clearing.kit.database import dialect_of

Column = InstrumentedAttribute[Any]
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


class ArrayText(TypeDecorator[str]):
    """An array of PostgreSQL's, given as the text that `array_text` makes. The driver would look at each value by itself."""

    impl = String
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The array's type, for the cast in the statement."""
        return dialect.type_descriptor(ARRAY(self.item))

    def bind_processor(self, dialect: Dialect) -> None:  # noqa: ARG002
        """The text goes to the database as it is."""
        return


def array_text(values: Sequence[Any]) -> str:
    """Text, integers or truth values as PostgreSQL writes an array of them."""
    if values and isinstance(values[0], str):
        joined = "".join(values)
        if '"' in joined or "\\" in joined:
            values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
        return '{"' + '","'.join(values) + '"}'
    return "{" + ",".join(map(str, values)) + "}"


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
        values = ([key[index] for key in keys] for index in range(len(columns)))
        arrays = [literal(array_text(some), ArrayText(c.type)) for c, some in zip(columns, values, strict=True)]
        return func.unnest(*arrays).table_valued(*(column.key for column in columns)).render_derived()
    rows = func.json_each(literal(json.dumps(keys))).table_valued("value")
    return select(
        *(func.json_extract(rows.c.value, f"$[{index}]").label(column.key) for index, column in enumerate(columns))
    ).subquery()


def _in_list(session: Session, columns: tuple[Column, ...], keys: list[tuple[Any, ...]]) -> ColumnElement[bool]:
    if any(column.parent.is_aliased_class for column in columns):
        query = select(*table_of(session, columns, keys).c)
        return tuple_(*columns).in_(query) if len(columns) > 1 else columns[0].in_(query)
    dialect = dialect_of(session)
    condition = _condition(dialect, tuple(column.property.columns[0] for column in columns))
    if dialect == "postgresql":
        values = [array_text([key[index] for key in keys]) for index in range(len(columns))]
    else:
        values = [json.dumps(keys)]
    given = (bindparam(f"keys_{place}", value, NullType(), unique=True) for place, value in enumerate(values))
    return condition.bindparams(*given)  # type: ignore[return-value]


@cache
def _condition(dialect: str, columns: tuple[ColumnElement[Any], ...]) -> TextClause:
    """The condition as text. To put the same together from SQLAlchemy's elements takes longer than most statements with it."""
    names = ", ".join(f'{column.table.name}."{column.name}"' for column in columns)  # quoted: one is called index
    if dialect == "postgresql":
        types = [column.type.compile(_POSTGRESQL).partition(" COLLATE ")[0] for column in columns]
        if len(columns) == 1:  # one walk through an index, if there is one, whatever the database believes of the table
            return text(f"{names} = ANY(CAST(:keys_0 AS {types[0]}[]))")
        arrays = ", ".join(f"CAST(:keys_{place} AS {type_}[])" for place, type_ in enumerate(types))
        rows = f"SELECT * FROM unnest({arrays})"  # noqa: S608 (the names are our own)
    else:
        parts = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(columns)))
        rows = f"SELECT {parts} FROM json_each(:keys_0)"  # noqa: S608
    return text(f"({names}) IN ({rows})")
