"""A list as a CSV file, written while it is fetched: a long one needs no memory. Spreadsheets open it, and run nothing in it."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Self

from starlette.responses import StreamingResponse

from pages.translations import gettext as _

logger = logging.getLogger(__name__)
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes Chinese for something else."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet would carry out. Some take full-width signs for the usual ones."""
_AT_ONCE = 200
"""Lines in one piece."""
Cell = str | int | Decimal | None
Row = Sequence[Cell]


class CsvResponse(StreamingResponse):
    """A file of this name: a head, and the rows as they come. Numbers are plain: no separators, a dot for decimals."""

    def __init__(self, name: str, head: Sequence[str], rows: AsyncIterator[Row]) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        broken_off = _("This file is not complete: the list broke off here. Download it again.")
        super().__init__(_lines(head, rows, broken_off), media_type="text/csv; charset=utf-8", headers=headers)

    @classmethod
    async def begun(cls, name: str, head: Sequence[str], rows: AsyncIterator[Row]) -> Self:
        """The same, with its first row fetched already: what cannot be had at all is an error before anything was answered."""
        first = await anext(rows, None)

        async def all_rows() -> AsyncIterator[Row]:
            if first is not None:
                yield first
                async for row in rows:
                    yield row

        return cls(name, head, all_rows())


async def _lines(head: Sequence[str], rows: AsyncIterator[Row], broken_off: str) -> AsyncIterator[bytes]:
    waiting = [_BYTE_ORDER_MARK, _line(head)]
    try:
        async for row in rows:
            waiting.append(_line(row))
            if len(waiting) >= _AT_ONCE:
                yield "".join(waiting).encode()
                waiting = []
    except Exception:
        # The headers are gone, so no page can say it. The connection breaks off too, so a browser keeps no such file;
        # whatever lies between and passes the end off as the end, passes on this line.
        logger.exception("a file broke off")
        yield "".join([*waiting, _line([broken_off])]).encode()
        raise
    yield "".join(waiting).encode()


def _line(cells: Row) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return text.getvalue()


def _harmless(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula begins with a quote, which it does not show."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
