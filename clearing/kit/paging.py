"""Lists of rows: filters that may be left out, and pages with the newest row first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, CompoundSelect, Select, select, tuple_, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

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


@dataclass(frozen=True, slots=True)
class Period:
    """A time from a moment on and before another one; None leaves the side open."""

    start: datetime | None = None
    end: datetime | None = None


def newest_between(session: Session, query: S, key: Column, id: Column, period: Period, after: str | None) -> S | None:  # noqa: A002
    """The query's rows of a period, the newest first. None: there is no row with the id `after`, so no next page either.

    Rows are in descending order of their `created_at`, and of `key` where that is the same; an index with both ends in them.
    `after` is the id of the last row of the previous page.
    """
    created_at: Column = key.class_.created_at
    end = period.end
    if period.start is not None:
        query = query.where(created_at >= period.start)
    if after is not None:
        last = session.execute(select(created_at, key).where(id == after)).one_or_none()
        if last is None:
            return None
        if end is None or last[0] < end:  # the nearer bound alone, so that an index is used for it
            end = None
            query = query.where(tuple_(created_at, key) < tuple_(*last))
    if end is not None:
        query = query.where(created_at < end)
    return query.order_by(created_at.desc(), key.desc())


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
