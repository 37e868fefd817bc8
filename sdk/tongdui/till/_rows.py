"""Reads the rows of a till export strictly: a bad row never spoils its neighbours, and nothing is left out silently."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import compress, repeat
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from tongdui._canonical import canonical
from tongdui._errors import TillError

from ._cells import BadCellError, Cells, NumberReader, TextReader, other_encoding, printable
from ._mapping import TillMapping
from ._points import EXACT, ZERO
from ._source import Lines, Source, open_source, trailing
from ._status import AskedColumn, StatusColumn, asked_column, is_counted, is_payment_name
from ._times import FileOrder, TimeReader, TwoTimes
from ._words import column_word, is_measured

_HEADER_WITHIN = 30
"""How many lines at the beginning of a file may hold its header."""
_MOST_NAMED = 8
"""How many values of a column an error names."""
_QUANTITY_DECIMALS = 15
_PRICE_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A malformed row: where it is, which field is wrong, why, and what it contains.

    `field` is the file's own name for the column, or `row`. `sale`, `till` and `day` say which sale it belongs to, as far as
    they can be read: empty, or None for the day, if not. `goes_on` says that it has goods but no number, so that it may
    belong to the sale before it.
    """

    file: str
    line: int
    field: str
    reason: str
    value: str = ""
    sale: str = ""
    till: str = ""
    day: date | None = None
    goes_on: bool = False

    def __str__(self) -> str:
        shown = f" {self.value!r}" if self.value else ""
        return f"{self.file}:{self.line}: {self.field}{shown}: {self.reason}"


class Row(NamedTuple):
    """One line of a sale. All texts are canonical; `time` is in UTC; `amount` is exact, in the currency's main unit.

    `till`, `unit` and `original` (the number of the sale that a return takes back) are empty if the file does not say.
    """

    line: int
    till: str
    sale: str
    time: datetime
    customer: str
    article: str
    category: str
    quantity: Decimal
    amount: Decimal
    unit: str
    original: str

    @property
    def is_negative(self) -> bool:
        """Whether goods were given back."""
        return self.quantity < 0


class Batch(NamedTuple):
    """Some rows of a file, good and bad."""

    rows: list[Row]
    problems: list[RowProblem]


class RowReader:
    """Reads the rows of one file. A row is one line: fields have no line breaks.

    Attributes:
        rows_read: The rows so far, good, bad and skipped. Blank lines and footers are no rows.
        skipped: Those that do not count by [rows].
    """

    def __init__(self, path: Path, mapping: TillMapping) -> None:
        self.path = path
        self.mapping = mapping
        self.rows_read = 0
        self.skipped = 0
        self._decisions: Sequence[StatusColumn | AskedColumn | _Choice] = ()

    def __iter__(self) -> Iterator[Row | RowProblem]:
        """Read every row that counts, good or bad. Raises TillError when the file or its header cannot be read."""
        for rows, problems in self.batches():
            yield from rows
            yield from problems

    def batches(self) -> Iterator[Batch]:
        """Read every row that counts, many at once.

        Yields:
            Rows in the order of the file, except those whose time is only known from the rows that follow.

        Raises:
            TillError: The file or its header cannot be read.
        """
        source = open_source(self.path, self.mapping.file)
        parser: _Parser | None = None
        for lines in source.lines():
            if parser is None:
                header = _with_trailing(find_header(lines, source, self.mapping), lines)
                parser = _Parser(self, source, header)
                self._decisions = (*parser.statuses, *parser.choices)
                if self.mapping.file.header is None:
                    parser.check_title(lines)
                yield parser.read(_after(lines, header.line))
            else:
                yield parser.read(lines)
        if parser is None:
            raise TillError(f"{self.path}: the file is empty; a line of it must name the columns")
        yield parser.rest()

    def questions(self) -> list[str]:
        """What the mapping must say about columns that it does not name, as far as the file has been read."""
        asked = (column.undecided() for column in self._decisions if isinstance(column, AskedColumn))
        return [question for question in asked if question]

    def check(self) -> None:
        """Check, once all rows have been read, that the mapping decides about every column that looks like a status.

        Raises:
            TillError: It does not, so that rows may have been counted that do not count.
        """
        if undecided := [reason for column in self._decisions if (reason := column.undecided())]:
            raise TillError(f"{self.path}: " + "; ".join(undecided))


@dataclass(frozen=True, slots=True)
class Header:
    """The line of a file that names its columns.

    Attributes:
        line: Its number.
        names: The file's names.
        index: The place of each column, by our names.
    """

    line: int
    names: tuple[str, ...]
    index: dict[str, int]


def find_header(lines: Lines, source: Source, mapping: TillMapping) -> Header:
    """Find the line that names the columns.

    Args:
        lines: The first lines of the file.
        source: The file.
        mapping: What it looks like.

    Returns:
        The header.

    Raises:
        TillError: There is none, or it is not clear which column is which.
    """
    places = range(min(_HEADER_WITHIN, len(lines.rows)))
    if mapping.file.header is not None:
        places = range(mapping.file.header - 1, min(mapping.file.header, len(lines.rows)))
    tried = [_Columns(lines.first + place, lines.rows[place], lines.broken.get(place), mapping) for place in places]
    for columns in tried:
        if columns.is_header:
            return columns.header()
    if not tried:
        raise TillError(f"{source.path}: there is no line {mapping.file.header}, which [file] header names")
    best = max(tried, key=lambda columns: columns.found)
    raise TillError(f"{source.path}:{best.line}: {best.problem()}. {_hint(best, tried, source)}")


def _hint(best: _Columns, tried: Iterable[_Columns], source: Source) -> str:
    """What may be set so that the header is found."""
    text = "".join(cell for columns in tried for cell in columns.cells)
    if "\0" in text:
        return 'The file looks like UTF-16: set [file] encoding = "utf-16-le" in the mapping'
    if "\ufffd" in text and source.encoding:
        encoding = other_encoding(source.encoding)
        return f'The file is not in {source.encoding}: set [file] encoding = "{encoding}" in the mapping'
    if len(best.names) == 1 and (found := [delimiter for delimiter in ";\t|" if delimiter in best.names[0]]):
        return f"Its fields are separated otherwise: set [file] delimiter = {json.dumps(found[0])} in the mapping"
    return "`tongdui till inspect` proposes a mapping for the file"


class _Columns:
    """A line that may be the header."""

    def __init__(self, line: int, cells: Sequence[str], broken: str | None, mapping: TillMapping) -> None:
        self.line = line
        self.cells = cells
        self.names = tuple(name if name.isprintable() else printable(name) for name in map(canonical, cells))
        self._broken = broken
        self._mapping = mapping
        self._places = {
            ours: _places(self.names, theirs) for ours, theirs in (*mapping.columns.items(), *mapping.optional.items())
        }

    @property
    def found(self) -> int:
        """How many columns the line names."""
        return sum(bool(places) for places in self._places.values())

    @property
    def is_header(self) -> bool:
        """Whether the line names each column once."""
        return not self._broken and self.problem() is None

    def problem(self) -> str | None:
        """Why the line is no header, or None."""
        if self._broken:
            return f"the header {self._broken}"
        shown = ", ".join(self.names)
        for ours, places in self._places.items():
            if len(places) > 1:
                several = ", ".join(repr(self.names[place]) for place in places)
                return f"more than one column may be {ours}: {several}. Name the right one in [columns] of the mapping"
            if not places and ours in self._mapping.columns:
                names = " or ".join(repr(name) for name in self._mapping.columns[ours])
                return f"there is no column {names} (found: {shown})"
        if shared := _shared(self._places):
            return f"{' and '.join(shared)} cannot both be column {self.names[self._places[shared[0]][0]]!r}"
        wanted = [*self._mapping.rows.only, *self._mapping.rows.skip]
        if missing := [name for name in wanted if len(_places(self.names, [name])) != 1]:
            return f"there is not one column {missing[0]!r}, which [rows] names (found: {shown})"
        return None

    def header(self) -> Header:
        """The header that the line is."""
        index = {ours: places[0] for ours, places in self._places.items() if places}
        return Header(self.line, self.names, index)


def _places(names: Sequence[str], wanted: Iterable[str]) -> list[int]:
    """Where one of the wanted names stands: exactly as it is, or else but for case, punctuation and brackets."""
    exact = {canonical(name) for name in wanted}
    if found := [place for place, name in enumerate(names) if name in exact]:
        return found
    folded = {column_word(name) for name in exact}
    return [place for place, name in enumerate(names) if name and column_word(name) in folded]


def _shared(places: Mapping[str, list[int]]) -> list[str]:
    """Columns of ours that would be one column of the file."""
    owners: dict[int, list[str]] = {}
    for ours, found in places.items():
        owners.setdefault(found[0] if found else -1, []).append(ours)
    return next((several for place, several in owners.items() if place >= 0 and len(several) > 1), [])


def _after(lines: Lines, header: int) -> Lines:
    """The lines after the header."""
    read = header - lines.first + 1
    broken = {place - read: reason for place, reason in lines.broken.items() if place >= read}
    return Lines(header + 1, lines.rows[read:], broken)


def _with_trailing(header: Header, lines: Lines) -> Header:
    """The header with the empty columns that all rows have behind those that it names, because they end in a separator.

    Where a number may have been cut in two, as in 1,262.26 without quotation marks, the rows are left as they are.
    """
    rows = _after(lines, header.line).rows
    extra = trailing(rows, len(header.names))
    if not extra:
        return header
    numbers = {header.index[ours] for ours in ("quantity", "amount", "unit_price") if ours in header.index}
    behind = [place + 1 for place in numbers if place + 1 not in numbers and place + 1 < len(header.names)]
    if any(_PIECE.fullmatch(row[place].strip()) for row in rows if len(row) > 1 for place in behind):
        return header
    return replace(header, names=(*header.names, *[""] * extra))


_PIECE = re.compile(r"\d{1,3}(?:[.,]\d+)?")
"""What may be the second half of a number."""
_MOST_PAID = 1 << 17
_line = attrgetter("line")
_new_row: Callable[[Iterable[Any]], Row] = partial(tuple.__new__, Row)
"""A row of its fields in order; `Row(...)` would take as long as all else."""


class _Choice:
    """Which rows count by the value of one column: only some values, or all but some. With both lists a value must be in one."""

    def __init__(self, name: str, place: int, only: Iterable[str] | None, skip: Iterable[str]) -> None:
        self.name = name
        self.place = place
        self._only = None if only is None else frozenset(map(_folded, only))
        self._skip = frozenset(map(_folded, skip))
        self.kept: Cells[str, bool] = Cells(self._is_kept)

    def undecided(self) -> str | None:
        """Why the mapping must say more about the column, or None."""
        known = {*self._skip, _folded(self.name)}  # its own name stands in a header that every page repeats
        unlisted = {cell for cell, kept in self.kept.items() if not kept and _folded(cell) not in known}
        if self._only is not None and self._skip:
            left_out, why = unlisted, "which is in neither list"
        else:
            left_out, why = {cell for cell in unlisted if is_counted(cell)}, "which looks as if it counts"
        if not left_out:
            return None
        shown = ", ".join(repr(printable(cell)) for cell in sorted(left_out)[:_MOST_NAMED])
        return f"column {self.name!r} has {shown}, {why}: name it in [rows.only] or in [rows.skip]"

    def _is_kept(self, cell: str) -> bool:
        value = _folded(cell)
        return (self._only is None or value in self._only) and value not in self._skip


def _folded(text: str) -> str:
    return canonical(text).casefold()


_Found = dict[str, list[Any]]
"""What the cells of some rows say, a list for each of our columns. `unit?` is a check of that column."""


class _Parser:
    """Turns the lines after a header into rows, a column at a time, because that is several times as fast."""

    def __init__(self, reader: RowReader, source: Source, header: Header) -> None:
        self._reader = reader
        self._mapping = mapping = reader.mapping
        self._header = header
        self._width = len(header.names)
        self._is_ragged = source.is_ragged
        self._footers = tuple(canonical(text) for text in mapping.file.footer)
        self.choices = _choices(mapping, header)
        self.statuses = _statuses(mapping, header)
        self._payments = _payments(mapping, header)
        self._paid: dict[tuple[Any, ...], tuple[str, ...]] = {}
        """How rows were paid, to find the copies that a till writes for each payment."""
        self._order: FileOrder[Row] = FileOrder()
        texts = TextReader(mapping, source.encoding)
        times = TimeReader(mapping, source.serial_epoch)
        self._cells = {ours: cells for ours, cells in _readers(mapping, texts, times).items() if ours in header.index}
        self._categories: Cells[str, str] = Cells(texts.category)
        self._units: Cells[tuple[str, str | None], bool] = Cells(texts.unit)

    def read(self, lines: Lines) -> Batch:
        """Read some lines."""
        problems: list[RowProblem] = []
        numbers, rows = self._counting(*self._whole(lines, problems))
        found, bad = self._read(rows)
        while bad:
            numbers, rows = self._without_bad(numbers, rows, found, problems)
            found, bad = self._read(rows)
        self._reader.rows_read += len(rows) + len(problems)
        good = self._rows(numbers, rows, found, problems)
        for cells in (*self._cells.values(), self._categories, self._units):
            cells.trim()
        return Batch(good, sorted(problems, key=_line))

    def check_title(self, lines: Lines) -> None:
        """Check that no row stands before the header, where it would be taken for a title. Raises TillError if one does."""
        for place, row in enumerate(lines.rows[: self._header.line - lines.first]):
            if len(row) == self._width and not self._read([row])[1]:
                line = lines.first + place
                raise TillError(
                    f"{self._reader.path}:{line}: this is a row, but the header is in line {self._header.line}: "
                    "put the header first, or name its line in the mapping, [file] header"
                )

    def rest(self) -> Batch:
        """What is left at the end of the file: rows whose time was unsure until then."""
        problems: list[RowProblem] = []
        return Batch(list(self._decided(self._order.rest(), problems)), problems)

    # ---------------------------------------------------------------- which lines are rows

    def _whole(self, lines: Lines, problems: list[RowProblem]) -> tuple[Sequence[int], list[list[str]]]:
        """The lines that have as many fields as the header, with their numbers."""
        numbers, rows = range(lines.first, lines.first + len(lines.rows)), lines.rows
        if self._is_ragged:
            rows = [row + [""] * (self._width - len(row)) for row in rows]
        if not lines.broken and {*map(len, rows)} <= {self._width}:
            return numbers, rows
        whole = [place not in lines.broken and len(row) == self._width for place, row in enumerate(rows)]
        for place, row in enumerate(rows):
            if not whole[place] and not self._is_no_row(row):
                reason = lines.broken.get(place) or f"has {len(row)} fields, the header names {self._width}"
                if place not in lines.broken and len(row) > self._width and not any(row[self._width :]):
                    reason += " (does each row end with a separator? Then put one behind the header too)"
                problems.append(self._problem(numbers[place], row, "row", BadCellError(reason)))
        return list(compress(numbers, whole)), list(compress(rows, whole))

    def _counting(self, numbers: Sequence[int], rows: list[list[str]]) -> tuple[Sequence[int], list[list[str]]]:
        """The rows that count by [rows]."""
        for choice in self.choices:
            kept = [choice.kept[row[choice.place]] is True for row in rows]
            if not all(kept):
                for row, keep in zip(rows, kept, strict=True):
                    if not keep and any(map(str.strip, row)):
                        self._skip()
                numbers, rows = list(compress(numbers, kept)), list(compress(rows, kept))
        return numbers, rows

    def _skip(self) -> None:
        self._reader.rows_read += 1
        self._reader.skipped += 1

    def _is_no_row(self, row: list[str]) -> bool:
        """Whether a line that cannot be read is blank, or a footer."""
        filled = next((cell for cell in row if cell.strip()), None)
        return filled is None or self._is_footer(row, canonical(filled))

    def _is_footer(self, row: list[str], first: str) -> bool:
        """Whether a row begins as a footer does and names no sale: a till may be called `Total` too."""
        if not first.startswith(self._footers) or self._good(row, "time") is not None:
            return False
        place = self._header.index["sale"]
        return place >= len(row) or canonical(row[place]) in {"", first}

    def _without_bad(
        self, numbers: Sequence[int], rows: list[list[str]], found: _Found, problems: list[RowProblem]
    ) -> tuple[list[int], list[list[str]]]:
        """The rows that have no bad cell; the others become problems."""
        keep = []
        for number, row, values in zip(numbers, rows, zip(*found.values(), strict=True), strict=True):
            bad = next(
                ((ours, value) for ours, value in zip(found, values, strict=True) if type(value) is BadCellError), None
            )
            keep.append(bad is None)
            if bad is not None and not self._is_no_row(row):
                problems.append(self._problem(number, row, bad[0].rstrip("?"), bad[1]))
        return list(compress(numbers, keep)), list(compress(rows, keep))

    # ---------------------------------------------------------------- cells

    def _read(self, rows: list[list[str]]) -> tuple[_Found, bool]:
        """What the cells of some rows say, and whether any of it is bad."""
        if not rows:
            return {}, False
        columns = list(zip(*rows, strict=True))
        before = self._bad_cells()
        found: _Found = {
            ours: list(map(cells.__getitem__, self._keys(columns, ours))) for ours, cells in self._cells.items()
        }
        if self._bad_cells() != before:
            return found, True
        found["category"] = list(map(self._categories.__getitem__, found["article"]))
        if "amount" not in found:
            found["amount"] = list(map(EXACT.multiply, found["quantity"], found["unit_price"]))
        if self._mapping.units and "unit" in found:
            found["unit?"] = list(map(self._units.__getitem__, zip(found["category"], _units(found), strict=True)))
        if self._bad_cells() != before or self._has_bad_rows(columns, found):
            return found, True
        for status in self.statuses:
            status.see(columns[status.place])
        return found, False

    def _has_bad_rows(self, columns: Sequence[Any], found: _Found) -> bool:
        """Whether rows whose cells are good by themselves are bad as a whole."""
        if not all(found["quantity"]):
            cells = columns[self._header.index["quantity"]]
            found["quantity"] = list(map(_sold, found["quantity"], found["amount"], cells))
            if any(type(quantity) is BadCellError for quantity in found["quantity"]):
                return True
        if not self._payments:
            return False
        paid = zip(*(columns[place] for place in self._payments), strict=True)
        found["row"] = list(self._once(found, paid))
        return not all(once is True for once in found["row"])

    def _once(self, found: _Found, payments: Iterable[tuple[str, ...]]) -> Iterator[bool | BadCellError]:
        """Whether each row is no copy of a row of pieces, for another payment. Copies of measured goods are found later."""
        tills = found.get("till") or repeat("")
        names = ("sale", "time", "article", "quantity", "amount")
        units = found.get("unit") or repeat("")
        rows = zip(tills, *(found[ours] for ours in names), strict=False)
        for row, unit, category, paid in zip(rows, units, found["category"], payments, strict=False):
            by_quantity = category in self._mapping.rule.per_quantity
            if self._paid.setdefault(row, paid) == paid or row[4] % 1 or by_quantity or is_measured(unit):
                yield True
            else:
                column = self._header.names[self._payments[0]]
                yield BadCellError(
                    f"repeats a row of its sale with another {column!r}: was it written for each payment? If it was not, "
                    "list the column in [rows] ignore"
                )
        if len(self._paid) > _MOST_PAID:
            self._paid.clear()

    def _bad_cells(self) -> int:
        return sum(cells.bad for cells in self._cells.values()) + self._units.bad

    def _keys(self, columns: Sequence[Any], ours: str) -> Iterable[Any]:
        """The cells of a column; pairs of them where date and time stand in two columns."""
        cells: Iterable[Any] = columns[self._header.index[ours]]
        if ours == "time" and "date" in self._header.index:
            return zip(columns[self._header.index["date"]], cells, strict=True)
        return cells

    def _good(self, row: list[str], ours: str) -> Any:
        """What one cell of a row says, or None if it is bad or missing."""
        needed = (ours, "date") if ours == "time" else (ours,)
        if ours not in self._cells or max(self._header.index.get(column, 0) for column in needed) >= len(row):
            return None
        value = self._cells[ours][next(iter(self._keys([(cell,) for cell in row], ours)))]
        return None if isinstance(value, BadCellError) and value.local is None else value

    def _problem(self, number: int, row: list[str], ours: str, bad: BadCellError) -> RowProblem:
        place = self._header.index.get(bad.column or ours)
        day = self._day(self._good(row, "time"))
        is_shifted = place is None and day is None  # a piece of a line: its cells need not be in their columns
        return RowProblem(
            file=self._reader.path.name,
            line=number,
            field=ours if place is None else self._header.names[place],
            reason=bad.reason,
            value=printable(bad.value),
            sale="" if is_shifted else self._good(row, "sale") or "",
            till="" if is_shifted else self._good(row, "till") or "",
            day=day,
            goes_on=self._goes_on(row),
        )

    def _goes_on(self, row: list[str]) -> bool:
        """Whether a row without a number has goods, as the further rows of a sale have where its number stands once."""
        place = self._header.index["sale"]
        if place >= len(row) or row[place].strip():
            return False
        price = "amount" if "amount" in self._cells else "unit_price"
        return all(self._good(row, ours) is not None for ours in ("article", "quantity", price))

    def _day(self, time: datetime | TwoTimes | BadCellError | None) -> date | None:
        if isinstance(time, datetime):
            return self._mapping.day_of(time)
        return None if time is None or time.local is None else self._mapping.day_of_local(time.local)

    # ---------------------------------------------------------------- rows

    def _rows(
        self, numbers: Sequence[int], rows: list[list[str]], found: _Found, problems: list[RowProblem]
    ) -> list[Row]:
        """Rows of what their cells say."""
        if not rows:
            return []
        tills = found.get("till") or [""] * len(rows)
        fields = [
            numbers,
            tills,
            *(found[ours] for ours in ("sale", "time", "customer", "article", "category", "quantity", "amount")),
            found.get("unit") or repeat(""),
            found.get("original") or repeat(""),
        ]
        made = list(map(_new_row, zip(*fields, strict=False)))
        times: list[datetime | TwoTimes] = found["time"]
        if self._order.is_undecided(tills) or any(type(time) is TwoTimes for time in times):
            return list(self._in_order(made, times, problems))
        self._order.pass_by(tills, found["time"])
        return made

    def _in_order(
        self, rows: Iterable[Row], times: Iterable[datetime | TwoTimes], problems: list[RowProblem]
    ) -> Iterator[Row]:
        """The rows whose time is sure, and those that become so by what follows."""
        for row, time in zip(rows, times, strict=True):
            if isinstance(time, TwoTimes):
                self._order.wait(row.till, row, time)
            else:
                yield from self._decided(self._order.decide(row.till, time), problems)
                self._order.pass_by([row.till], [time])
                yield row

    def _decided(
        self, rows: Iterable[tuple[Row, TwoTimes, datetime | None]], problems: list[RowProblem]
    ) -> Iterator[Row]:
        for row, times, time in rows:
            if time is not None:
                yield row._replace(time=time)
                continue
            place = self._header.index["time"]
            problems.append(
                RowProblem(
                    file=self._reader.path.name,
                    line=row.line,
                    field=self._header.names[place],
                    reason=f"exists twice in {self._mapping.zone.key}, because the clocks were put back, and the order of the "
                    "file does not tell which is meant: write times with their offset from UTC",
                    value=str(times.local),
                    sale=row.sale,
                    till=row.till,
                    day=self._mapping.day_of_local(times.local),
                )
            )


def _or_nothing(read: Callable[[str], Decimal]) -> Callable[[str], Decimal]:
    """A reader of quantities that may be empty."""
    return lambda cell: read(cell) if cell.strip() else ZERO


def _sold(quantity: Decimal, amount: Decimal, cell: str) -> Decimal | BadCellError:
    """The quantity of a row. Only that of a discount may be empty."""
    return quantity if amount < 0 or cell.strip() else BadCellError("is missing")


def _readers(mapping: TillMapping, texts: TextReader, times: TimeReader) -> dict[str, Cells[Any, Any]]:
    """What reads the cells of each column, by our names. The first bad cell of a row in this order is reported."""
    numbers = NumberReader(mapping.numbers)
    return {
        "time": Cells(times.read),
        "till": Cells(texts.number),
        "sale": Cells(texts.number),
        "customer": Cells(texts.customer),
        "article": Cells(texts.article),
        "unit": Cells(texts.text),
        "original": Cells(texts.original),
        "quantity": Cells(_or_nothing(numbers.reader(_QUANTITY_DECIMALS, lambda _: None))),
        "amount": Cells(numbers.reader(mapping.amount_decimals, lambda _: None)),
        "unit_price": Cells(numbers.reader(_PRICE_DECIMALS, lambda number: "is below zero" if number < 0 else None)),
    }


def _units(found: _Found) -> list[str | None]:
    """The units of rows; None for a discount, or one that is charged again, which need none."""
    units: list[str | None] = found["unit"]
    if "" not in units:
        return units
    rows = zip(units, found["quantity"], found["amount"], strict=True)
    return [unit if unit or (quantity and amount >= 0) else None for unit, quantity, amount in rows]


def _payments(mapping: TillMapping, header: Header) -> list[int]:
    """The columns that say how a row was paid, but for those that mean nothing."""
    decided = {place for column in mapping.rows.ignore for place in _places(header.names, [column])}
    undecided = set(range(len(header.names))) - decided - set(header.index.values())
    return [place for place in sorted(undecided) if is_payment_name(header.names[place])]


def _choices(mapping: TillMapping, header: Header) -> list[_Choice]:
    """How [rows] chooses among the rows of a file."""
    only, skip = mapping.rows.only, mapping.rows.skip
    return [
        _Choice(name, _places(header.names, [name])[0], only.get(name), skip.get(name, ()))
        for name in dict.fromkeys((*only, *skip))
    ]


def _statuses(mapping: TillMapping, header: Header) -> list[StatusColumn | AskedColumn]:
    """The columns that may be a status, a till or a discount about which the mapping does not decide."""
    decided = {
        place for column in (*mapping.rows.only, *mapping.rows.ignore) for place in _places(header.names, [column])
    }
    skipped = {place for column in mapping.rows.skip for place in _places(header.names, [column])} - decided
    others = set(range(len(header.names))) - decided - set(header.index.values())
    amount = header.names[header.index.get("amount", 0)]
    asked = [
        column
        for place in sorted(others)
        if (column := asked_column(header.names[place], place, has_till="till" in header.index, amount=amount))
    ]
    statuses = [
        StatusColumn(header.names[place], place, skipped=place in skipped) for place in sorted(others | skipped)
    ]
    return [*statuses, *asked]
