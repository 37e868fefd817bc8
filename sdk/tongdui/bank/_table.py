"""Tables of banks (CSV): somebody declares which column is which. Lines before the head and after the table are passed over."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date

from ._lines import BankFile, BankFileError, BankLine, Kind, Place, distinct, is_usual, micros_of, problem_of

_DELIMITERS = (",", ";", "\t", "|")
_ORDERS = {"ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1)}
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_PARTS = re.compile(r"(\d{1,4})[-/.年](\d{1,2})[-/.月](\d{1,4})日?")
_LAST_GROUP, _GROUPS = (3, 4), (2, 3, 4)
"""How many digits stand together: 3 nearly everywhere, 4 where one counts in 万, 2 before the last 3 in India."""
_NOISE = re.compile(r"[\s'’\u00a0¥￥€$]|CNY|RMB|EUR|USD", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The names of columns. Money has its sign in one column (`amount`), or one column each for what came in and went out."""

    day: str
    reference: str
    amount: str = ""
    incoming: str = ""
    outgoing: str = ""
    name: str = ""
    text: str = ""
    currency: str = ""
    decimal_sign: str = "."
    day_order: str = "ymd"

    def needed(self) -> list[str]:
        """The columns that the file must have."""
        no_names = {"decimal_sign", "day_order"}
        return [getattr(self, one.name) for one in fields(self) if one.name not in no_names and getattr(self, one.name)]


def read(content: bytes, columns: Columns, currency: str) -> BankFile:
    """The lines of a table. Raises BankFileError."""
    rows, head = _table(_decoded(content), columns)
    positions = {_plain(name): at for at, name in enumerate(rows[head])}
    lines = []
    for number, row in enumerate(rows[head + 1 :], head + 2):
        cells = {name: _cell(row, positions[_plain(name)]) for name in columns.needed()}
        if _is_line(cells, columns):
            lines.append(_line(cells, columns, number, currency))
    if not lines:
        raise BankFileError("There is no line below the head of the table.")
    return BankFile("CSV", "", tuple(lines))


def _decoded(content: bytes) -> str:
    """The text: Unicode if it is, else as Chinese banks write it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030")
    except UnicodeDecodeError as error:
        raise BankFileError(
            "The file is no text: byte %(byte)s is neither UTF-8 nor GB 18030.", byte=error.start + 1
        ) from None


def _table(text: str, columns: Columns) -> tuple[list[list[str]], int]:
    """The rows, and which of them is the head: the first that has every declared column."""
    wanted = {_plain(name) for name in columns.needed()}
    nearest: set[str] = set()
    for delimiter in _DELIMITERS:
        try:
            rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=False))
        except csv.Error as error:
            raise BankFileError("The table is broken: %(error)s.", error=str(error)) from error
        for number, row in enumerate(rows):
            found = wanted & {_plain(name) for name in row}
            if found == wanted:
                return rows, number
            nearest = max(nearest, found, key=len)
    missing = ", ".join(name for name in columns.needed() if _plain(name) not in nearest)
    raise BankFileError("No line has all declared columns; missing: %(missing)s.", missing=missing)


def _is_line(cells: Mapping[str, str], columns: Columns) -> bool:
    """Whether a row is one of money: what banks write below a table has no day or no amount."""
    money = [cells[name] for name in (columns.amount, columns.incoming, columns.outgoing) if name]
    return any(money) and any(sign.isdigit() for sign in cells[columns.day])


def _line(cells: Mapping[str, str], columns: Columns, place: Place, currency: str) -> BankLine:
    kind, micros = _money(cells, columns, place)
    code = cells[columns.currency].upper() if columns.currency else currency
    code = {"RMB": "CNY", "人民币": "CNY", "人民币元": "CNY", "": currency}.get(code, code)
    references = distinct([cells[columns.reference]])
    return BankLine(
        place=place,
        day=_day(cells[columns.day], columns.day_order, place),
        kind=kind,
        micros=micros,
        currency=code,
        references=references,
        name=cells[columns.name] if columns.name else "",
        text=cells[columns.text] if columns.text else "",
        problem=problem_of(micros, code, references, currency),
    )


def _money(cells: Mapping[str, str], columns: Columns, place: Place) -> tuple[Kind, int]:
    if columns.amount:
        micros = _signed(cells[columns.amount], columns.decimal_sign, place)
        return ("deposit" if micros >= 0 else "withdrawal"), abs(micros)
    incoming, outgoing = (
        _signed(cells[name] or "0", columns.decimal_sign, place) if name else 0
        for name in (columns.incoming, columns.outgoing)
    )
    if incoming and outgoing:
        raise BankFileError("%(place)s: money came in and went out in one line.", place=place)
    # A bank that writes what goes out below zero means the same as one that does not.
    return ("withdrawal", abs(outgoing)) if outgoing else ("deposit", abs(incoming))


def _signed(text: str, decimal_sign: str, place: Place) -> int:
    """An amount with its sign: before it, behind it, or as brackets around it."""
    plain = _NOISE.sub("", unicodedata.normalize("NFKC", text)).replace("\N{MINUS SIGN}", "-")
    is_negative = plain.startswith(("-", "(")) or plain.endswith(("-", "DR", "D"))
    plain = plain.strip("+-()").removesuffix("DR").removesuffix("CR").removesuffix("D").removesuffix("C")
    micros = micros_of(_ungrouped(plain, decimal_sign, place).replace(decimal_sign, "."), place)
    return -micros if is_negative else micros


def _ungrouped(plain: str, decimal_sign: str, place: Place) -> str:
    """An amount without the signs that group its digits. 1.000,00 is not 1,000.00: what may mean the other is refused."""
    grouping = "." if decimal_sign == "," else ","
    whole, _sign, decimals = plain.partition(decimal_sign)
    first, *groups = whole.split(grouping)
    is_grouped = not groups or (
        bool(first) and len(groups[-1]) in _LAST_GROUP and all(len(group) in _GROUPS for group in groups)
    )
    if grouping in decimals or not is_grouped:
        raise BankFileError(
            "%(place)s: %(text)s is no amount with the decimal sign %(sign)s: say which sign the bank writes.",
            place=place,
            text=repr(plain),
            sign=decimal_sign,
        )
    return plain.replace(grouping, "")


def _day(text: str, order: str, place: Place) -> date:
    said = unicodedata.normalize("NFKC", text).strip()
    found = _COMPACT.match(said)
    parts = found.groups() if found else ()
    places: Sequence[int] = (0, 1, 2)
    if not found and (split := _PARTS.match(said)):
        parts = split.groups()
        places = (0, 1, 2) if len(parts[0]) == 4 else _ORDERS["dmy" if order == "ymd" else order]
    try:
        year, month, day = (int(parts[at]) for at in places)
        on = date(year + 2000 if year < 100 else year, month, day)
    except (IndexError, ValueError):
        on = None
    if on is None or not is_usual(on):
        raise BankFileError("%(place)s: %(text)s is no day.", place=place, text=repr(text))
    return on


def _cell(row: Sequence[str], at: int) -> str:
    """A cell without what keeps spreadsheets from taking a number for one: tabs, quotes, ="..."."""
    return row[at].strip().removeprefix("=").strip("\"'\t ") if at < len(row) else ""


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).strip("\"'\t ").casefold().split())
