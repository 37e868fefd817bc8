"""Lists in pages, newest first, each with an opaque cursor that leads to the next one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from clearing.kit.errors import ClearingError, InvalidRequest
from clearing.kit.fields import Form
from gateway.http.schemas import Page, View

R = TypeVar("R")
V = TypeVar("V", bound=View)

Limit = Annotated[int, Query(ge=1, le=200, description="elements a page")]
_NOT_A_CURSOR = "is not a `next_cursor` of this list; leave it out to begin with the first page"
Cursor = Annotated[
    Annotated[str, Form("^[0-9A-Za-z_]{1,64}$", _NOT_A_CURSOR)] | None,
    Query(description="`next_cursor` of the page before"),
]

DEFAULT_LIMIT = 50
_ID = re.compile(r"[a-z]{3}_[0-9a-z]{26}")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_TOO_LARGE = 2**31
"""No day or program has such a number."""
_NUMBERS = re.compile(r"\d{1,18}(_\d{1,18})*")


def page_of(rows: Sequence[R], limit: int, view: Callable[[R], V], cursor: Callable[[R], str]) -> Page[V]:
    """A page of `rows`. If there is another page, `rows` holds one row more than `limit`."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(data=[view(row) for row in shown], next_cursor=cursor(shown[-1]) if more else None)


def id_after(cursor: str | None, prefix: str) -> str | None:
    """The id of a cursor. `prefix` is that of the list's ids: another list's cursor leads nowhere here."""
    if cursor is not None and not (_ID.fullmatch(cursor) and cursor.startswith(f"{prefix}_")):
        raise unknown_cursor()
    return cursor


def number(cursor: str | None) -> int | None:
    """The number of a cursor."""
    found = numbers(cursor, 1)
    return found[0] if found else None


def pair(cursor: str | None) -> tuple[int, int] | None:
    """The two numbers of a cursor."""
    found = numbers(cursor, 2)
    return (found[0], found[1]) if found else None


def numbers(cursor: str | None, count: int) -> tuple[int, ...] | None:
    """The numbers of a cursor that has so many of them."""
    if cursor is None:
        return None
    parts = cursor.split("_")
    if not _NUMBERS.fullmatch(cursor) or len(parts) != count:
        raise unknown_cursor()
    return tuple(map(int, parts))


def account_after(cursor: str | None) -> tuple[int, int, str] | None:
    """The day, the program's number and the address of a cursor."""
    if cursor is None:
        return None
    before, _, address = cursor.rpartition("_")
    found = numbers(before, 2)
    if found is None or max(found) >= _TOO_LARGE or not _ADDRESS.fullmatch(address):
        raise unknown_cursor()
    return found[0], found[1], address


def pair_cursor(first: int, second: int) -> str:
    """The cursor of two numbers."""
    return numbers_cursor((first, second))


def numbers_cursor(of: Iterable[int | str]) -> str:
    """The cursor of some numbers, and perhaps an address."""
    return "_".join(map(str, of))


def unknown_cursor() -> ClearingError:
    """The refusal of what is no cursor of a list."""
    return InvalidRequest.of_parameter("cursor", _NOT_A_CURSOR)
