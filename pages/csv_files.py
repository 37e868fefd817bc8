"""A list as a CSV file, written while it is fetched: a long one needs no memory. Spreadsheets open it, and run nothing in it."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Self, TypeVar

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
T = TypeVar("T")


class CsvResponse(StreamingResponse):
    """A file of this name, written while its pieces come."""

    def __init__(self, name: str, pieces: AsyncIterator[str]) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        broken_off = _("This file is not complete: the list broke off here. Download it again.")
        super().__init__(_told(pieces, broken_off), media_type="text/csv; charset=utf-8", headers=headers)

    @classmethod
    async def begun(cls, name: str, head: Sequence[str], rows: AsyncIterator[Row]) -> Self:
        """A head, and the rows as they come. Numbers are plain: no separators, a dot for decimals. The first row is fetched
        already: what cannot be had at all is an error before anything was answered."""
        first = await anext(rows, None)
        return cls(name, _pieces(head, rows if first is None else _with_first(first, rows)))

    @classmethod
    async def written(cls, name: str, pieces: AsyncIterator[str]) -> Self:
        """A file that somebody else writes, as it comes. Its first piece is fetched already, too."""
        first = await anext(pieces)
        return cls(name, _with_first(first, pieces))


async def _with_first(first: T, others: AsyncIterator[T]) -> AsyncIterator[T]:
    yield first
    async for one in others:
        yield one


async def _pieces(head: Sequence[str], rows: AsyncIterator[Row]) -> AsyncIterator[str]:
    waiting = [_BYTE_ORDER_MARK, _line(head)]
    try:
        async for row in rows:
            waiting.append(_line(row))
            if len(waiting) >= _AT_ONCE:
                yield "".join(waiting)
                waiting = []
    except Exception:
        yield "".join(waiting)
        raise
    yield "".join(waiting)


async def _told(pieces: AsyncIterator[str], broken_off: str) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece.encode()
    except Exception:
        # The headers are gone, so no page can say it. The connection breaks off too, so a browser keeps no such file;
        # whatever lies between and passes the end off as the end, passes on this line.
        logger.exception("a file broke off")
        yield _line([broken_off]).encode()
        raise


def _line(cells: Row) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return text.getvalue()


def _harmless(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula begins with a quote, which it does not show."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
