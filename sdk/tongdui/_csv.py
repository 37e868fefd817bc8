"""Lines of CSV files (RFC 4180) that a spreadsheet opens without carrying anything out."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal

Cell = str | int | Decimal | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet would carry out. Some take full-width signs for the usual ones."""


def csv_line(cells: Sequence[Cell]) -> str:
    """Write one line of a CSV file.

    Args:
        cells: Its cells. Numbers are written plainly; None leaves the cell empty.

    Returns:
        The line with its end (CR LF).
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return text.getvalue()


def harmless(cell: Cell) -> Cell:
    """Put a quote, which a spreadsheet does not show, before a text that it would take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
