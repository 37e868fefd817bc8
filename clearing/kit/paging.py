"""Lists of rows: filters that may be left out, and pages with the newest row first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, CompoundSelect, Select, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

S = TypeVar("S", bound=Select[*tuple[Any, ...]])
Column = InstrumentedAttribute[Any]
Page = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
"""A query with an order and a limit of its own, or several of them."""


def newest_first(query: S, key: Column, after: Any, limit: int) -> S:
    """One page of the query's rows, in descending order of `key`, a column that grows with time (ids do).

    `after` is the key of the last row of the previous page; None asks for the first page.
    """
    page = query.order_by(key.desc()).limit(limit)
    return page if after is None else page.where(key < after)


def where_given(query: S, *filters: tuple[Column, Any]) -> S:
    """The query, narrowed by `column == value` for each filter whose value is not None."""
    return query.where(*equal_given(*filters))


def equal_given(*filters: tuple[Column, Any]) -> list[ColumnElement[bool]]:
    """The condition `column == value` for each filter whose value is not None."""
    return [column == value for column, value in filters if value is not None]


def merged(pages: Sequence[Page]) -> Page:
    """The rows of all these pages. The rows of the merged page are among them."""
    if len(pages) == 1:
        return pages[0]
    return union_all(*(select(page.subquery()) for page in pages))
