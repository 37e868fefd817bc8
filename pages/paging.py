"""Lists page by page. Filters and the place in the list stand in the address, so a page can be kept, sent and reloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

CURSOR = "cursor"


@dataclass(frozen=True, slots=True)
class Pager:
    """Addresses of the list's first and next page; None where that is not needed."""

    first: str | None
    next: str | None


def cursor_of(request: Request) -> str | None:
    """Which page of the list this request asks for; None for the first."""
    return request.query_params.get(CURSOR) or None


def pager_of(request: Request, next_cursor: str | None) -> Pager:
    """The pager below a list, of which this request shows one page."""
    first = address_with(request, {CURSOR: None}) if cursor_of(request) else None
    following = address_with(request, {CURSOR: next_cursor}) if next_cursor else None
    return Pager(first, following)


def address_with(request: Request, changes: Mapping[str, str | None], path: str | None = None) -> str:
    """The address of this page (or of another path) with some parameters of the query changed; None takes one away."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes and value]
    query = urlencode([*kept, *((name, value) for name, value in changes.items() if value is not None)])
    return f"{path or request.url.path}{'?' if query else ''}{query}"


def address_of(request: Request) -> str:
    """The address of this page, with its query."""
    return address_with(request, {})
