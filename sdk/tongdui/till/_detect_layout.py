"""Finds how the rows of a till's file are laid out: its delimiter or sheet, the line that names the columns, and its footers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import compress
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from tongdui._canonical import canonical
from tongdui._errors import TillError

from ._cells import printable
from ._detect_encoding import Encoding, detect_encoding, is_workbook
from ._detect_numbers import shape_of
from ._mapping import FileFormat
from ._source import Lines, Source, open_source, trailing
from ._words import COLUMN_NAMES, FOOTERS, column_word, word

_DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*$', re.IGNORECASE)
_CHUNK = 1 << 16
_HEADER_WITHIN = 30
"""The line that names the columns is one of the first so many."""
_ALL_OF = 20_000
"""Rows that are looked at one by one; of the rest at most as many again, evenly spread."""
_LAST = 40
_FEW = 200
"""The most values of a column that are all counted."""

_ROLES = {column_word(name): ours for ours, names in COLUMN_NAMES.items() for name in names}
_FOOTER_WORDS = {word(footer) for footer in FOOTERS}


class Cells(NamedTuple):
    """One row: its line in the file, and its cells as text, without surrounding white space."""

    line: int
    cells: Sequence[str]


@dataclass(slots=True)
class Layout:
    """How a file is laid out, and rows of it.

    Attributes:
        file: How to open it.
        header: The line that names the columns.
        names: The columns' names, in canonical form.
        encoding: The encoding of a text file; None for a workbook.
        names_delimiter: Whether a first line such as `sep=;` names the delimiter.
        sheets: The sheets of a workbook that have rows.
        rows: Whole rows below the header, in the file's order: all, or the first and a part of the rest.
        last: The last rows of the file, whole or not.
        lines: How many lines or rows of a sheet the file has.
        is_whole: Whether `rows` has all rows.
    """

    file: FileFormat
    header: int
    names: tuple[str, ...]
    encoding: Encoding | None = None
    names_delimiter: bool = False
    sheets: tuple[str, ...] = ()
    rows: list[Cells] = field(default_factory=list)
    last: list[Cells] = field(default_factory=list)
    lines: int = 0
    is_whole: bool = True
    few: dict[str, Counter[str]] = field(default_factory=dict)
    """How many rows of the whole file have each value, for columns with few values."""

    def column(self, name: str) -> list[str]:
        """The values of a column, in the file's order; empty where a row is too short."""
        index = self.names.index(name)
        return [cells[index] if index < len(cells) else "" for _, cells in self.rows]

    def counts(self, name: str) -> Counter[str]:
        """How many rows have each value of a column, in canonical form: all rows, or of many values those in `rows`."""
        sampled = Counter(map(canonical, self.column(name)))
        if self.is_whole or name not in self.few:
            return sampled
        found: Counter[str] = Counter()
        for value, rows in self.few[name].items():
            found[canonical(value)] += rows
        if "" not in sampled:  # it is empty in footers only
            del found[""]
        return found


class _Header(NamedTuple):
    """A line that may name the columns, and how well it does: roles that it names, and following rows of its width."""

    roles: int
    support: int
    line: int
    names: tuple[str, ...]


def detect_layout(path: Path) -> Layout:
    """Find how a file is laid out and read a sample of its rows.

    Args:
        path: The file.

    Returns:
        The layout, with the rows.

    Raises:
        TillError: The file cannot be read, or no line of it names columns.
    """
    layout = _of_workbook(path) if is_workbook(path) else _of_text(path)
    _Sample(layout, open_source(path, layout.file)).take()
    return layout


def _of_text(path: Path) -> Layout:
    encoding = detect_encoding(path)
    files = [FileFormat(encoding=encoding.codec or "utf-8", delimiter=delimiter) for delimiter in _DELIMITERS]
    named = _SEPARATOR_LINE.match(_first_line(path, encoding))
    if named is not None:
        files = [replace(files[0], delimiter=named[1])]
    layout = _best(path, files)
    layout.encoding, layout.names_delimiter = encoding, named is not None
    return layout


def _first_line(path: Path, encoding: Encoding) -> str:
    with path.open(encoding=encoding.reads_as, errors="replace") as file:
        return file.readline(_CHUNK)


def _of_workbook(path: Path) -> Layout:
    files = [FileFormat(sheet=title) for title in _sheets(path)]
    filled = [file for file in files if any(_first_rows(path, file))]
    layout = _best(path, filled or files)
    layout.sheets = tuple(file.sheet or "" for file in filled)
    return layout


def _sheets(path: Path) -> list[str]:
    try:
        openpyxl = import_module("openpyxl")
    except ImportError as error:
        raise TillError(f"{path}: reading .xlsx files needs openpyxl: pip install 'tongdui[cli]'") from error
    try:
        with path.open("rb") as file:  # openpyxl does not open a path that ends in anything but .xlsx
            return [sheet.title for sheet in openpyxl.load_workbook(file, read_only=True).worksheets]
    except (OSError, BadZipFile, KeyError, ValueError, ParseError) as error:
        raise TillError(f"{path}: this is no workbook that can be read ({error})") from error


def _first_rows(path: Path, file: FileFormat) -> list[list[str]]:
    """The cells of the first lines of a file, or of a sheet of it."""
    first = next(iter(open_source(path, file).lines()), None)
    return [[cell.strip() for cell in row] for row in first.rows[: 2 * _HEADER_WITHIN]] if first else []


def _best(path: Path, files: Iterable[FileFormat]) -> Layout:
    """The way to read the file in which a line names the most columns."""
    read = [(file, _first_rows(path, file)) for file in files]
    found = [(header, file) for file, rows in read if (header := _header(rows)) is not None]
    if not found:
        raise _no_header(path, [cell for _, rows in read[:1] for row in rows for cell in row if cell])
    header, file = max(found, key=lambda one: (one[0].roles, one[0].support, len(one[0].names)))
    rows = next(rows for one, rows in read if one is file)[header.line :]
    return Layout(file, header.line, (*header.names, *[""] * trailing(rows, len(header.names))))


class _Sample:
    """Takes the first rows of a file, and of the rest as many again at most, evenly spread; and counts values of all of them."""

    def __init__(self, layout: Layout, source: Source) -> None:
        self._layout = layout
        self._source = source
        self._spread: list[Cells] = []
        self._step = 1
        self._header: list[str] = []

    def take(self) -> None:
        """Read the whole file."""
        layout, last = self._layout, list[Cells]()
        layout.few = {name: Counter() for name in layout.names if name and layout.names.count(name) == 1}
        for lines in self._source.lines():
            layout.lines = lines.first + len(lines.rows) - 1
            last = [
                *last,
                *(Cells(layout.lines - back, row) for back, row in enumerate(lines.rows[: -_LAST - 1 : -1])),
            ][-_LAST:]
            if lines.first <= layout.header <= layout.lines:
                self._header = lines.rows[layout.header - lines.first]
            numbers, rows = self._whole(lines)
            self._count(rows)
            self._add(numbers, rows)
        layout.is_whole = self._step == 1
        layout.rows += self._spread
        last.sort(key=lambda row: row.line)
        layout.last = [
            _trimmed(*cells) for cells in last if cells.line > layout.header and any(map(str.strip, cells.cells))
        ]

    def _whole(self, lines: Lines) -> tuple[Sequence[int], list[list[str]]]:
        """The rows below the header that have as many cells as it, with their lines."""
        numbers, rows, width = range(lines.first, lines.first + len(lines.rows)), lines.rows, len(self._layout.names)
        if self._source.is_ragged:
            rows = [row + [""] * (width - len(row)) for row in rows]
        again = self._header in rows  # the header stands on each page
        if lines.first > self._layout.header and not again and not lines.broken and {*map(len, rows)} <= {width}:
            return numbers, rows
        header = self._layout.header - lines.first
        whole = [
            place > header and place not in lines.broken and len(row) == width and row != self._header
            for place, row in enumerate(rows)
        ]
        return list(compress(numbers, whole)), list(compress(rows, whole))

    def _add(self, numbers: Sequence[int], rows: Sequence[list[str]]) -> None:
        room = _ALL_OF - len(self._layout.rows)
        first = zip(numbers[:room], rows[:room], strict=True)
        self._layout.rows += [_trimmed(line, row) for line, row in first if any(map(str.strip, row))]
        rest = zip(numbers[room :: self._step], rows[room :: self._step], strict=True)
        self._spread += [_trimmed(line, row) for line, row in rest if any(map(str.strip, row))]
        # How long the rest is nobody knows, so whenever there are too many, every second one goes.
        while len(self._spread) > _ALL_OF:
            self._step *= 2
            del self._spread[::2]

    def _count(self, rows: Sequence[Sequence[str]]) -> None:
        few = self._layout.few
        for name in list(few):
            few[name].update(map(itemgetter(self._layout.names.index(name)), rows))
            if len(few[name]) > _FEW:
                del few[name]


def _trimmed(line: int, row: Sequence[str]) -> Cells:
    return Cells(line, [cell.strip() for cell in row])


# ---------------------------------------------------------------- the header


def _header(rows: Sequence[Sequence[str]]) -> _Header | None:
    """The line that names the most of our columns, or else the first of texts only that is followed by numbers."""
    named = [found for number in range(min(len(rows), _HEADER_WITHIN)) if (found := _named(rows, number)).roles > 1]
    if named:
        return max(named, key=lambda found: (found.roles, found.support, -found.line))
    for number in range(min(len(rows), _HEADER_WITHIN)):
        found = _named(rows, number)
        if found.support and _is_titles(rows[number]) and _has_number(rows[number + 1 :], len(found.names)):
            return found
    return None


def _named(rows: Sequence[Sequence[str]], number: int) -> _Header:
    names = tuple(canonical(cell) for cell in rows[number])
    roles = {_ROLES[key] for name in names if (key := column_word(name)) in _ROLES}
    support = sum(len(row) == len(names) for row in rows[number + 1 :]) if len(names) > 1 else 0
    return _Header(len(roles), support, number + 1, names)


def _is_titles(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return len(filled) >= 4 and len(set(filled)) == len(filled) and not any(shape_of(cell) for cell in filled)


def _has_number(rows: Iterable[Sequence[str]], width: int) -> bool:
    same = [row for row in rows if len(row) == width]
    return any(shape_of(cell) for row in same[:5] for cell in row)


def _no_header(path: Path, cells: Sequence[str]) -> TillError:
    shown = ", ".join(printable(cell) for cell in cells[:8]) or "nothing"
    return TillError(
        f"{path}: none of the first {_HEADER_WITHIN} lines names the columns (the file begins with {shown}); "
        "export the sales with a header"
    )


# ---------------------------------------------------------------- footers


def footer_of(text: str) -> str:
    """The beginning of a cell that is a footer's word, as it is written there, or nothing.

    Args:
        text: The first filled cell of a row.

    Returns:
        The shortest beginning that is one of the footers' words, such as `合 计` of `合 计:`.
    """
    for length in range(1, min(len(text), 24) + 1):
        # "Total" begins "Total: 5", and "Totally pure water" with other words; Chinese words need no space between them.
        ends = not text.isascii() or not text[length : length + 1].isalpha()
        if ends and word(text[:length]) in _FOOTER_WORDS:
            return text[:length]
    return ""
