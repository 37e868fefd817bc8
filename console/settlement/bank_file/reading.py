"""Reads a file: an ISO 20022 statement if it is XML, a table otherwise."""

from __future__ import annotations

from console.settlement.bank_file import camt, table
from console.settlement.bank_file.lines import BankFile, BankFileError
from console.settlement.bank_file.table import Columns
from pages.translations import gettext as _


def is_statement(content: bytes) -> bool:
    """Whether it is XML, so that it needs no columns."""
    return _start_of(content).startswith(b"<")


def _start_of(content: bytes) -> bytes:
    return content.lstrip(b" \t\r\n\xef\xbb\xbf\xff\xfe\x00")


def read_file(content: bytes, columns: Columns, currency: str) -> BankFile:
    """The lines of a file. Raises BankFileError.

    Args:
        content: The file.
        columns: What the columns of a table mean; a statement needs none.
        currency: The network's currency: what is in another one cannot be booked.
    """
    start = _start_of(content)
    if is_statement(content):
        return camt.read(content, currency)
    if start.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        raise BankFileError(_("This is a spreadsheet or an archive: save it as CSV, and hand that in."))
    if start.startswith((b"%PDF", b":20:", b"{1:")):
        raise BankFileError(_("This is no camt.053 and no CSV: ask the bank for one of these."))
    return table.read(content, columns, currency)
