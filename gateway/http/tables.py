"""Views that a spreadsheet can read: a client that asks for `text/csv` gets the same content as rows and columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, cast

from fastapi import Response

from gateway.http.expansion import element_types
from gateway.http.schemas import Page, View
from tongdui._csv import Cell, csv_line

MEDIA_TYPE = "text/csv"
_CONTENT_TYPE = "text/csv; charset=utf-8; header=present"


class TabularView(View):
    """A view that is also a table."""

    columns: ClassVar[Sequence[str]]
    """Names of the columns, with their units."""

    @abstractmethod
    def rows(self) -> Iterable[Sequence[Cell]]:
        """The view's rows."""


def columns_of(view_type: Any) -> Sequence[str] | None:
    """The columns of a route's response, if it is a table or a page of tables."""
    element = element_types(view_type)[0]
    is_table = isinstance(element, type) and issubclass(element, TabularView)
    return element.columns if is_table else None


def documented(columns: Sequence[str]) -> dict[str, Any]:
    """The response's other form, for the API's description."""
    example = ",".join(columns) + "\r\n"
    return {MEDIA_TYPE: {"schema": {"type": "string"}, "example": example}}


def is_wanted(accept: str) -> bool:
    """Whether an Accept header prefers CSV to JSON."""
    return _quality(accept, MEDIA_TYPE) > _quality(accept, "application/json")


def table_response(view: View, columns: Sequence[str]) -> Response:
    """The view as CSV. The cursor of a page's next one is in the header `Next-Cursor`."""
    tables: Sequence[TabularView] = view.data if isinstance(view, Page) else [cast("TabularView", view)]
    lines = [csv_line(columns), *(csv_line(row) for table in tables for row in table.rows())]
    headers = {"Vary": "Accept"}
    if isinstance(view, Page) and view.next_cursor is not None:
        headers["Next-Cursor"] = view.next_cursor
    return Response("".join(lines), headers=headers, media_type=_CONTENT_TYPE)


def _quality(accept: str, media_type: str) -> float:
    """How much the header wants a media type, 0 to 1, by the most specific range that fits."""
    found: dict[str, float] = {}
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            found[media_range] = float(weight)
        except ValueError:
            continue
    major = media_type.partition("/")[0]
    return next((found[r] for r in (media_type, f"{major}/*", "*/*") if r in found), 0.0)
