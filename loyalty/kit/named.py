"""Conditions that name many values. PostgreSQL gets them as arrays: one statement for any number of them, read and planned once.

A parameter for each value costs more in Python than the query in the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, String, Text, any_, cast, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from loyalty.kit.database import is_postgresql


def is_one_of(session: Session, column: InstrumentedAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Whether a column has one of these values."""
    if is_postgresql(session):
        return column == any_(array_of(column, values))
    return column.in_(values)


def are_one_of(
    session: Session, columns: Sequence[InstrumentedAttribute[Any]], rows: Collection[Sequence[Any]]
) -> ColumnElement[bool]:
    """Whether several columns together have the values of one of these rows."""
    if is_postgresql(session):
        arrays = [array_of(column, values) for column, values in zip(columns, zip(*rows, strict=True), strict=True)]
        named = func.unnest(*arrays).table_valued(*(f"value{at}" for at in range(len(columns)))).render_derived()
        return tuple_(*columns).in_(select(named))
    return tuple_(*columns).in_(rows)


def array_of(column: ColumnElement[Any] | InstrumentedAttribute[Any], values: Iterable[Any]) -> ColumnElement[Any]:
    """The values as an array of what a column has."""
    if isinstance(
        column.type, String
    ):  # as the column's own type, a value that is too long would be cut off, and be another one
        kind = ARRAY(Text)
        return cast(literal([str(value) for value in values], kind), kind)
    kind = ARRAY(column.type)
    return cast(literal([*values], kind), kind)
