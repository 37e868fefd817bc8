"""Lists in pages, newest first, each with an opaque cursor that leads to the next one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from clearing.kit.errors import ClearingError, InvalidRequest
from gateway.http.schemas import Page, View

R = TypeVar("R")
V = TypeVar("V", bound=View)

Limit = Annotated[int, Query(ge=1, le=200, description="elements a page")]
Cursor = Annotated[str | None, Query(pattern=r"^[0-9A-Za-z_]{1,64}$", description="`next_cursor` of the page before")]

DEFAULT_LIMIT = 50
_PAIR = re.compile(r"(\d{1,18})_(\d{1,9})")


def page_of(rows: Sequence[R], limit: int, view: Callable[[R], V], cursor: Callable[[R], str]) -> Page[V]:
    """A page of `rows`. If there is another page, `rows` holds one row more than `limit`."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(data=[view(row) for row in shown], next_cursor=cursor(shown[-1]) if more else None)


def number(cursor: str | None) -> int | None:
    """The number of a cursor."""
    if cursor is None:
        return None
    if not (cursor.isdecimal() and len(cursor) < 19):
        raise _unknown_cursor()
    return int(cursor)


def pair(cursor: str | None) -> tuple[int, int] | None:
    """The two numbers of a cursor."""
    if cursor is None:
        return None
    found = _PAIR.fullmatch(cursor)
    if found is None:
        raise _unknown_cursor()
    return int(found[1]), int(found[2])


def pair_cursor(first: int, second: int) -> str:
    """The cursor of two numbers."""
    return f"{first}_{second}"


def _unknown_cursor() -> ClearingError:
    return InvalidRequest("query parameter cursor: is not a `next_cursor` of this list")
