"""Opens a till's file, CSV or .xlsx, and reads its lines as lists of texts. A line is a row: nothing makes one of two."""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import ParseError

from tongdui._errors import TillError

from ._cells import printable
from ._mapping import FileFormat

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_PAGE = re.compile(rb"\s*<(!doctype|html|table|\?xml)", re.IGNORECASE)
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_CHUNK_CHARACTERS = 1 << 18
_CHUNK_ROWS = 2_000
_MOST_BY_CHANCE = 4
"""So few characters of another encoding may look like UTF-8 by chance."""
_NEEDS_OPENPYXL = "reading .xlsx files needs openpyxl: pip install 'tongdui[cli]'"
_EXACT_BELOW = 10**15
"""A spreadsheet keeps 15 digits of a number."""


class Lines(NamedTuple):
    """Lines of a file that follow each other.

    Attributes:
        first: The number of the first one.
        rows: The cells of each; none for an empty line.
        broken: Why lines are not rows, by their place in `rows`. Their cells are what they seem to be.
    """

    first: int
    rows: list[list[str]]
    broken: dict[int, str]


class Source(ABC):
    """A till's file.

    Attributes:
        path: Where it is.
        encoding: Its encoding, for errors; empty if it has none.
        is_ragged: Whether rows may lack empty cells at their end.
        serial_epoch: The day 0 of serial days. Known once lines have been read.
    """

    is_ragged = False
    serial_epoch = date(1899, 12, 30)

    def __init__(self, path: Path, encoding: str = "") -> None:
        self.path = path
        self.encoding = encoding

    @abstractmethod
    def lines(self) -> Iterator[Lines]:
        """Read all lines, many at once. Raises TillError when the file cannot be read."""


def open_source(path: Path, file: FileFormat) -> Source:
    """Open a till's file.

    Args:
        path: The file.
        file: How it is written. A byte order mark and the kind of the file are recognised.

    Returns:
        The file, from which nothing but its beginning has been read.

    Raises:
        TillError: The file cannot be opened, or is of a kind that cannot be read.
    """
    try:
        with path.open("rb") as opened:
            start = opened.read(64)
    except OSError as error:
        raise TillError(f"{path}: {error.strerror or error}") from error
    if not start:
        raise TillError(f"{path}: the file is empty; a line of it must name the columns")
    if start.startswith(_ZIP):
        return WorkbookSource(path, file.sheet)
    if start.startswith(_OLE):
        raise TillError(f"{path}: this is a workbook of an old Excel, or one with a password: save it as .xlsx or CSV")
    if _PAGE.match(start):
        raise TillError(
            f"{path}: this is a web page and no table: open it in a spreadsheet and save it as .xlsx or CSV"
        )
    marked = next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)
    return CsvSource(path, marked or file.encoding, file.delimiter)


class CsvSource(Source):
    """A CSV file."""

    def __init__(self, path: Path, encoding: str, delimiter: str) -> None:
        super().__init__(path, encoding)
        self._delimiter = delimiter

    def lines(self) -> Iterator[Lines]:
        """Read all lines, many at once. Raises TillError when the file cannot be read."""
        try:
            self._check_encoding()
            yield from self._lines()
        except OSError as error:
            raise TillError(f"{self.path}: {error.strerror or error}") from error
        except UnicodeError as error:
            raise TillError(
                f"{self.path}: this is no text in {self.encoding}: set [file] encoding in the mapping"
            ) from error

    def _lines(self) -> Iterator[Lines]:
        with self.path.open(encoding=self.encoding, errors="replace", newline=self._line_end()) as file:
            first = 1
            while lines := file.readlines(_CHUNK_CHARACTERS):
                if first == 1 and (named := _SEPARATOR.fullmatch(lines[0])):
                    self._delimiter, lines[0] = named[1], "\n"
                yield self._split(first, lines)
                first += len(lines)

    def _line_end(self) -> str:
        """What ends a line: a line feed, or on an old Macintosh a carriage return."""
        with self.path.open(encoding=self.encoding, errors="replace", newline="") as file:
            start = file.read(_CHUNK_CHARACTERS)
        return "\r" if "\r" in start and "\n" not in start else "\n"

    def _check_encoding(self) -> None:
        """Check that a file that is to be read in an old encoding is not UTF-8, which most of them would read as other text."""
        if self.encoding.startswith("utf"):
            return
        with self.path.open("rb") as file:
            start = file.read(_CHUNK_CHARACTERS)
        try:
            text = codecs.getincrementaldecoder("utf-8")().decode(start)
        except UnicodeDecodeError:
            return
        if sum(not character.isascii() for character in text) >= _MOST_BY_CHANCE:
            raise TillError(
                f"{self.path}: this is UTF-8, but the mapping says {self.encoding}: remove [file] encoding from the mapping"
            )

    def _split(self, first: int, lines: list[str]) -> Lines:
        try:
            rows = list(self._reader(lines))
        except csv.Error:
            rows = []
        if len(rows) == len(lines):  # as many rows as lines: no row has swallowed a line
            return Lines(first, rows, {})
        split: list[list[str]] = []
        broken: dict[int, str] = {}
        for place, line in enumerate(lines):
            try:
                split.append(next(self._reader([line])))
            except (csv.Error, StopIteration) as error:
                broken[place] = _broken(line, str(error))
                split.append(line.rstrip("\r\n").split(self._delimiter))
        return Lines(first, split, broken)

    def _reader(self, lines: list[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter, strict=True, skipinitialspace=True)


def _broken(line: str, error: str) -> str:
    """Why a line is no row."""
    if line.count('"') % 2:
        return "has a quotation mark that is not closed"
    if "\r" in line.rstrip("\r\n"):
        return "has several lines in it, which end otherwise than the rest: save the file with one kind of line end"
    return f"is not CSV: {error or 'empty'}"


def trailing(rows: Iterable[list[str]], width: int) -> int:
    """How many empty fields all rows have behind those that the header names, because they end in a separator.

    Args:
        rows: The rows below the header.
        width: How many columns the header names.

    Returns:
        The number; 0 where rows differ.
    """
    extra = {len(row) - width for row in rows if len(row) > 1}
    if len(extra) != 1 or any(map(any, (row[width:] for row in rows))):
        return 0
    return max(0, extra.pop())


class WorkbookSource(Source):
    """A sheet of an .xlsx file: its values, not its formulas."""

    is_ragged = True

    def __init__(self, path: Path, sheet: str | None) -> None:
        super().__init__(path)
        self._sheet = sheet

    def lines(self) -> Iterator[Lines]:
        """Read all lines, many at once. Raises TillError when the file cannot be read."""
        try:
            openpyxl = import_module("openpyxl")
        except ImportError as error:
            raise TillError(f"{self.path}: {_NEEDS_OPENPYXL}") from error
        try:
            with self.path.open("rb") as file:  # openpyxl would judge a file by its name
                workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
                self.serial_epoch = workbook.epoch.date()
                yield from self._lines(self._chosen(workbook))
        except (OSError, zipfile.BadZipFile, KeyError, ValueError, ParseError) as error:
            raise TillError(f"{self.path}: this is no workbook that can be read ({error})") from error

    def _chosen(self, workbook: Any) -> Any:
        """The sheet that the mapping names, or the only one that has rows."""
        sheets = {sheet.title: sheet for sheet in workbook.worksheets}
        if self._sheet is not None:
            if self._sheet not in sheets:
                raise TillError(f"{self.path}: there is no sheet {self._sheet!r} (found: {_listed(sheets)})")
            return sheets[self._sheet]
        filled = {title: sheet for title, sheet in sheets.items() if _has_rows(sheet)}
        if len(filled) != 1:
            found = f"several sheets have rows ({_listed(filled)})" if filled else "no sheet has rows"
            raise TillError(f"{self.path}: {found}: name one in the mapping, [file] sheet")
        return next(iter(filled.values()))

    def _lines(self, sheet: Any) -> Iterator[Lines]:
        sheet.reset_dimensions()  # what the file says of its size is often wrong
        rows = ([_text(cell) for cell in row] for row in sheet.iter_rows())
        first = 1
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            filled = [_without_end(row) for row in chunk]
            yield Lines(first, filled, {})
            first += len(chunk)


def _listed(titles: Iterable[str]) -> str:
    return ", ".join(map(printable, titles))


def _has_rows(sheet: Any) -> bool:
    sheet.reset_dimensions()
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _without_end(row: list[str]) -> list[str]:
    """A row without the empty cells at its end, of which a sheet has as many as it likes."""
    while row and not row[-1]:
        row.pop()
    return row


def _text(cell: Any) -> str:
    """What a cell of a sheet shows."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int):
        return _whole(value, cell.number_format)
    return _number(value) if isinstance(value, float) else _time(value)


def _whole(value: int, number_format: str) -> str:
    if abs(value) >= _EXACT_BELOW:
        return f"{value:.14E}"  # its last digits are lost: it must not be taken for a number of anything
    if number_format and not number_format.strip("0"):  # 000000 shows a card 12 as 000012
        return f"{value:0{len(number_format)}d}"
    return str(value)


def _number(value: float) -> str:
    """The decimal number that a spreadsheet shows for a binary one: 15 digits are all that it keeps of a number."""
    text = f"{value:.15g}"
    return text if "e+" in text else f"{Decimal(text):f}"


def _time(value: datetime | date | time | timedelta) -> str:
    """A date or a time in a form that is understood whatever the mapping says. Excel keeps it to the second."""
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, time):
        return _rounded(datetime.combine(date.min, value)).time().isoformat()
    if isinstance(value, datetime):
        return _rounded(value).isoformat()
    return f"{value.isoformat()}T00:00:00"


def _rounded(value: datetime) -> datetime:
    return (value + timedelta(microseconds=500_000)).replace(microsecond=0)
