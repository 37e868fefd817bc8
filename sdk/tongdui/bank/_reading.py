"""Reads a file: an ISO 20022 statement if it is XML, a table otherwise."""

from __future__ import annotations

from . import _camt, _table
from ._lines import BankFile, BankFileError
from ._table import Columns


def is_statement(content: bytes) -> bool:
    """Whether it is XML, so that it needs no columns."""
    return _start_of(content).startswith(b"<")


def _start_of(content: bytes) -> bytes:
    return content.lstrip(b" \t\r\n\xef\xbb\xbf\xff\xfe\x00")


def read_file(content: bytes, columns: Columns, currency: str, *, most_lines: int | None = None) -> BankFile:
    """Read the lines of a file: an ISO 20022 statement if it is XML, a table otherwise.

    Args:
        content: The file.
        columns: What the columns of a table mean; a statement needs none.
        currency: The network's currency: what is in another one cannot be booked.
        most_lines: How many lines are not too many.

    Returns:
        The lines, in the order of the file.

    Raises:
        BankFileError: The file is none that can be read; the message says what to do.
    """
    file = _read(content, columns, currency)
    if most_lines is not None and len(file.lines) > most_lines:
        raise BankFileError("The file has more than %(number)s lines: hand in fewer days at once.", number=most_lines)
    return file


def _read(content: bytes, columns: Columns, currency: str) -> BankFile:
    start = _start_of(content)
    if is_statement(content):
        return _camt.read(content, currency)
    if start.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        raise BankFileError("This is a spreadsheet or an archive: save it as CSV, and hand that in.")
    if start.startswith((b"%PDF", b":20:", b"{1:")):
        raise BankFileError("This is no camt.053 and no CSV: ask the bank for one of these.")
    return _table.read(content, columns, currency)
