"""Pages of rows that come from many places of an index: of each program, of each agreement, ... The newest of all, or the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Row, Select, func, literal, select, true
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of
from clearing.kit.paging import Column, Page, merged

Conditions = Sequence[ColumnElement[bool]]
PageOf = Callable[[Conditions, int], Select[*tuple[Any, ...]]]
"""The first rows under some conditions, at most so many: a query that selects just the columns by which it orders; descending for
the newest."""
Ordered = Callable[[Any], list[Any]]
_AT_ONCE = 400
"""SQLite joins no more than 500 queries by UNION ALL."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Places of one index: for each key, the rows whose `columns` have its values."""

    columns: tuple[Column, ...]
    keys: Sequence[tuple[Any, ...]]
    conditions: Conditions = ()
    """What the index demands besides."""


def newest_of(session: Session, walks: Sequence[Walk], page_of: PageOf, limit: int) -> Page | None:
    """The newest rows of all places, which have no row in common; None where there is no place.

    It looks at one row of each place, and then at a page of those places only that have the newest: there are as many as rows on
    the page, at most.
    """
    return _of_all(session, walks, page_of, limit, _descending)


def oldest_of(session: Session, walks: Sequence[Walk], page_of: PageOf, limit: int) -> Page | None:
    """The same from the other end, for a `page_of` that orders ascending."""
    return _of_all(session, walks, page_of, limit, _ascending)


def first_of(session: Session, walks: Sequence[Walk], page_of: PageOf, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """The first rows of places that come in the order of the list, for a `page_of` that orders ascending.

    SQLite, with no network between, is asked for one place after the other until there are enough rows: it would look at a page of
    every place.
    """
    if dialect_of(session) == "sqlite":
        places = ([*_equal(walk, key), *walk.conditions] for walk in walks for key in walk.keys)
        return list(islice((row for place in places for row in session.execute(page_of(place, limit))), limit))
    page = _of_all(session, walks, page_of, limit, _ascending)
    if page is None:
        return []
    rows = page.subquery("places")
    return session.execute(select(rows).order_by(*rows.c).limit(limit)).all()


def _of_all(session: Session, walks: Sequence[Walk], page_of: PageOf, limit: int, ordered: Ordered) -> Page | None:
    pages: list[Any] = []
    for walk in walks:
        if dialect_of(session) == "postgresql" and len(walk.keys) > 1:
            pages.append(_of_many(walk, page_of, limit, ordered))
        else:
            pages += [page_of([*_equal(walk, key), *walk.conditions], limit) for key in walk.keys]
    while len(pages) > _AT_ONCE:
        pages = [merged(pages[start : start + _AT_ONCE]) for start in range(0, len(pages), _AT_ONCE)]
    return merged(pages) if pages else None


def _of_many(walk: Walk, page_of: PageOf, limit: int, ordered: Ordered) -> Page:
    arrays = [literal(list(values), ARRAY(column.type)) for column, values in _by_column(walk)]
    places = func.unnest(*arrays).table_valued(*(column.key for column in walk.columns)).render_derived()
    top = _at(walk, page_of, places, 1)
    newest = select(*places.c).join_from(places, top, true()).order_by(*ordered(top)).limit(limit).subquery()
    rows = _at(walk, page_of, newest, limit)
    return select(*rows.c).join_from(newest, rows, true()).order_by(*ordered(rows)).limit(limit)


def _at(walk: Walk, page_of: PageOf, places: Any, limit: int) -> Any:
    return page_of([*_equal(walk, places.c), *walk.conditions], limit).lateral()


def _equal(walk: Walk, values: Sequence[Any]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in zip(walk.columns, values, strict=True)]


def _by_column(walk: Walk) -> list[tuple[Column, tuple[Any, ...]]]:
    return list(zip(walk.columns, zip(*walk.keys, strict=True), strict=True))


def _descending(rows: Any) -> list[Any]:
    return [column.desc() for column in rows.c]


def _ascending(rows: Any) -> list[Any]:
    return list(rows.c)
