"""A list as a CSV file, written while it is fetched: a long one needs no memory. Spreadsheets open it, and run nothing in it."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence

from starlette.responses import StreamingResponse

_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes Chinese for something else."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | None


class CsvResponse(StreamingResponse):
    """A file of this name: a head, and the rows as they come. Numbers are plain: no separators, a dot for decimals."""

    def __init__(self, name: str, head: Sequence[str], rows: AsyncIterator[Sequence[Cell]]) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        super().__init__(_lines(head, rows), media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(head: Sequence[str], rows: AsyncIterator[Sequence[Cell]]) -> AsyncIterator[bytes]:
    yield (_BYTE_ORDER_MARK + _line(head)).encode()
    async for row in rows:
        yield _line(row).encode()


def _line(cells: Sequence[Cell]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return text.getvalue()


def _harmless(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula begins with a quote, which it does not show."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
