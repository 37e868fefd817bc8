"""Daily statements: what the position was, what changed it, and what it is."""

from __future__ import annotations

from datetime import date

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, name_of, optional_name_of, segment
from tongdui._pagination import Query, listing
from tongdui._resource import Resource
from tongdui._statement import Statement

_PATH = "/v1/statements"
_CSV = "text/csv"


class _Statements(Resource):
    @operation
    def get(self, statement: str) -> Flow[Statement]:
        """Fetch one statement by its id. Raises NotFoundError."""
        return (yield from self._gateway.get(Statement, f"{_PATH}/{segment(statement)}"))

    @listing
    def list(
        self,
        *,
        first_day: date | None = None,
        end_day: date | None = None,
        merchant: str | Identified | None = None,
        page_size: int | None = None,
    ) -> Query[Statement]:
        """List your statements (the network's own roles: everyone's), newest first.

        Args:
            first_day: Only of this day or later.
            end_day: Only of days before this one.
            merchant: Only this merchant's.
            page_size: Statements to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        return Query(_PATH, Statement, {**_range(first_day, end_day, merchant), "limit": page_size})

    @operation
    def csv(self, statement: str | Identified) -> Flow[str]:
        """Fetch one statement as a table.

        Args:
            statement: The statement, or its id.

        Returns:
            CSV with a header row. Columns that end in `_micros` are millionths of the settlement currency.

        Raises:
            NotFoundError: There is none with this id, or you may not see it.
        """
        path = f"{_PATH}/{segment(name_of(statement))}"
        return (yield from self._gateway.send("GET", path, media_type=_CSV)).text

    @operation
    def csv_of_days(
        self, first_day: date | None = None, end_day: date | None = None, *, merchant: str | Identified | None = None
    ) -> Flow[str]:
        """Fetch the statements of several days as one table, newest day first.

        Args:
            first_day: The first day.
            end_day: The first day that is left out.
            merchant: Only this merchant's.

        Returns:
            CSV with one header row.
        """
        params: dict[str, str | int] = {
            name: value for name, value in _range(first_day, end_day, merchant).items() if value is not None
        }
        parts: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = {**params, "limit": 200, **({"cursor": cursor} if cursor else {})}
            response = yield from self._gateway.send("GET", _PATH, params=page, media_type=_CSV)
            header, _, rows = response.text.partition("\r\n")
            parts += [rows] if parts else [f"{header}\r\n", rows]
            cursor = response.headers.get("Next-Cursor")
        return "".join(parts)


def _range(first_day: date | None, end_day: date | None, merchant: str | Identified | None) -> dict[str, str | None]:
    return {
        "day[gte]": first_day.isoformat() if first_day else None,
        "day[lt]": end_day.isoformat() if end_day else None,
        "merchant": optional_name_of(merchant),
    }


class Statements(Blocking, _Statements):
    """Statements: a merchant's position, day by day."""


class AsyncStatements(Awaiting, _Statements):
    """Statements: a merchant's position, day by day. Its methods are awaited."""
