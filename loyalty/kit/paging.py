"""Lists come in pages: newest first, each page with the id after which the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

RowT = TypeVar("RowT")
ViewT = TypeVar("ViewT")

LARGEST_PAGE = 200


class Page(BaseModel, Generic[ViewT]):
    """Some of a list, newest first. `next_cursor` is None on the last page."""

    data: list[ViewT]
    next_cursor: str | None


def page_of(
    session: Session, query: Select[RowT], key: InstrumentedAttribute[str], cursor: str | None, limit: int
) -> tuple[Sequence[RowT], str | None]:
    """The rows of a page, and the cursor of the next one."""
    if cursor is not None:
        query = query.where(key < cursor)
    rows = session.scalars(query.order_by(key.desc()).limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], str(getattr(rows[limit - 1], key.key))


def shown(found: tuple[Sequence[RowT], str | None], view: Callable[[RowT], ViewT]) -> Page[ViewT]:
    """A page as it is shown."""
    rows, cursor = found
    return Page(data=[view(row) for row in rows], next_cursor=cursor)
