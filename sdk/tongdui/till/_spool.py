"""Where the rows and sales of one till file lie while they are worked on: a temporary database, so memory stays constant.

SQLite opens it without a name: it grows on disk as needed, has no name there that could be left behind, and is gone when
the process is, however that ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, TypeVar, overload

from tongdui._errors import TillError

from ._rows import Row

_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BATCH = 1_000
"""Records that are written at a time."""
_CACHE_KIB = 16_384
"""Memory for pages of the database."""

_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, till TEXT, number TEXT, first INTEGER, last INTEGER, line INTEGER, size INTEGER,
    customer TEXT, amount TEXT, points TEXT, sells INTEGER, gives_back INTEGER, is_plain INTEGER
);
CREATE TABLE run_rows (run INTEGER PRIMARY KEY, rows TEXT);
CREATE TABLE problems (id INTEGER PRIMARY KEY, till TEXT, number TEXT, since INTEGER, until INTEGER, problem TEXT);
CREATE TABLE sales (
    id INTEGER PRIMARY KEY, fate TEXT, till TEXT, number TEXT, day TEXT, customer TEXT, time INTEGER, line INTEGER,
    size INTEGER, amount TEXT, points TEXT, reference TEXT, reason TEXT, run INTEGER, rows TEXT
);
CREATE TABLE matches (sale INTEGER PRIMARY KEY, reversals TEXT, unmatched TEXT);
CREATE TABLE taken (sale INTEGER, line TEXT);
CREATE TABLE bought (customer TEXT, article TEXT, time INTEGER, sale INTEGER);
"""
_RUN_INDEX = "CREATE INDEX run_order ON runs (till, number, first, id)"
_PROBLEM_INDEX = "CREATE INDEX problem_number ON problems (number)"
_SALE_INDEXES = (
    "CREATE INDEX sale_fate ON sales (fate, line)",
    "CREATE INDEX sale_customer ON sales (customer, time)",
    "CREATE INDEX sale_number ON sales (number, time)",
    "CREATE INDEX bought_article ON bought (customer, article, time)",
    "CREATE INDEX bought_sale ON bought (sale, article)",
    "CREATE INDEX taken_sale ON taken (sale)",
)
SALES = """
SELECT s.id, s.fate, s.till, s.number, s.day, s.customer, s.time, s.amount, s.points, s.reference, s.reason,
       coalesce(s.rows, r.rows) AS rows, m.reversals, m.unmatched
FROM sales s LEFT JOIN run_rows r ON r.run = s.run LEFT JOIN matches m ON m.sale = s.id
"""
"""Selects sales with their rows; a condition and an order follow. Each result is a `SaleRecord`."""

_new_row: Callable[[Iterable[Any]], Row] = partial(tuple.__new__, Row)
"""A row of its fields in order; `Row(...)` takes twice as long."""
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Summary(NamedTuple):
    """What rows of one sale number add up to.

    Attributes:
        first: The time of the earliest row, in microseconds since 1970.
        last: The time of the latest.
        line: The line of the first row in the file.
        size: How many rows there are.
        customer: The customer that they name, or "".
        amount: What was paid, a decimal as text.
        points: What it is worth, whole points as text: there may be more of them than SQLite's integers hold.
        sells: Whether a row sells something.
        gives_back: Whether a row gives something back.
        is_plain: Whether the rows only sell, each another article, all to the one customer or none: then they cannot
            contradict or repeat each other.
    """

    first: int
    last: int
    line: int
    size: int
    customer: str
    amount: str
    points: str
    sells: bool
    gives_back: bool
    is_plain: bool


class Run(NamedTuple):
    """Rows of one sale number that stand together in the file. Runs with consecutive ids do so as well."""

    id: int
    till: str
    number: str
    summary: Summary


class SaleRecord(NamedTuple):
    """A sale as the spool keeps it."""

    id: int
    fate: str
    till: str
    number: str
    day: str
    customer: str
    time: int
    amount: str
    points: str
    reference: str
    reason: str
    rows: str
    reversals: str | None
    unmatched: str | None


class Spool:
    """The temporary database of one file. Rows go in as they are read; sales come out in order."""

    def __init__(self) -> None:
        # Without a name it is SQLite's own temporary file, which the system removes even if the process is killed.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        for setting in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.executescript(_TABLES)
        self._runs: list[tuple[Any, ...]] = []
        self._run_rows: list[tuple[int, str]] = []
        self._sales: list[tuple[Any, ...]] = []
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Give the database back. What is read from it afterwards is an error."""
        self._db.close()

    # ---------------------------------------------------------------- going in

    def add_run(self, run: Run, rows: Sequence[Row]) -> None:
        """Keep rows of one sale number that stand together in the file."""
        self._runs.append((run.id, run.till, run.number, *run.summary))
        self._run_rows.append((run.id, pack(rows)))
        if len(self._runs) == _BATCH:
            self._flush()

    def add_problem(self, till: str, number: str, window: tuple[int, int], document: Sequence[Any]) -> int:
        """Keep a malformed row, with the identity and the time of the sale that it may belong to. Returns its id."""
        sql = "INSERT INTO problems (till, number, since, until, problem) VALUES (?, ?, ?, ?, ?)"
        return int(self._db.execute(sql, (till, number, *window, _encode(document))).lastrowid or 0)

    def place_problems(self, first_id: int, till: str, number: str, window: tuple[int, int]) -> None:
        """Give the malformed rows from `first_id` on, whose sale cannot be read, to the sale that stands around them."""
        sql = "UPDATE problems SET till = ?, number = ?, since = ?, until = ? WHERE id >= ? AND number = ''"
        self._db.execute(sql, (till, number, *window, first_id))

    def finish_rows(self) -> None:
        """Sort what went in, on disk."""
        self._flush()
        self._db.execute(_RUN_INDEX)
        self._db.execute(_PROBLEM_INDEX)

    def add_sale(self, values: Sequence[Any]) -> None:
        """Keep a sale: the columns of `sales` without the id."""
        self._sales.append(tuple(values))
        if len(self._sales) == _BATCH:
            self._flush()

    def finish_sales(self) -> None:
        """Make sales quick to find."""
        self._flush()
        for index in _SALE_INDEXES:
            self._db.execute(index)

    def _flush(self) -> None:
        self._db.executemany(f"INSERT INTO runs VALUES (?{', ?' * 12})", self._runs)  # noqa: S608 - a constant
        self._db.executemany("INSERT INTO run_rows VALUES (?, ?)", self._run_rows)
        self._db.executemany(f"INSERT INTO sales VALUES (NULL{', ?' * 14})", self._sales)  # noqa: S608 - a constant
        self._runs.clear()
        self._run_rows.clear()
        self._sales.clear()

    # ---------------------------------------------------------------- coming out

    def runs(self) -> Iterator[Run]:
        """All runs, in order of till, number and time."""
        for run_id, till, number, *summary in self.query("SELECT * FROM runs ORDER BY till, number, first, id"):
            yield Run(run_id, till, number, Summary(*summary))

    def rows_of(self, run: Run) -> tuple[Row, ...]:
        """The rows of a run."""
        ((rows,),) = self.query("SELECT rows FROM run_rows WHERE run = ?", (run.id,))
        return unpack(rows, run.till, run.number)

    def problems_of(self, till: str, number: str, window: tuple[int, int]) -> Iterator[list[Any]]:
        """The malformed rows that may belong to a sale of this number at this time."""
        sql = "SELECT problem FROM problems WHERE number = ? AND till IN ('', ?) AND since <= ? AND until >= ? ORDER BY id"
        since, until = window
        for (document,) in self.query(sql, (number, till, until, since)):
            yield json.loads(document)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a query, and yield its results one by one."""
        try:
            yield from self._db.execute(sql, parameters)
        except sqlite3.ProgrammingError as error:
            raise TillError("the till's sheet is closed; read what you need of it inside its `with` block") from error

    def count(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """How many results a query has."""
        return int(next(self.query(f"SELECT count(*) FROM ({sql})", parameters))[0])  # noqa: S608 - our own queries

    def change(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of these parameters."""
        self._db.executemany(sql, parameters)


class Spooled(Sequence[_T]):
    """Results of a query: a sequence that is read from the spool each time it is iterated over."""

    def __init__(
        self, spool: Spool, sql: str, parameters: Sequence[Any], decode: Callable[[tuple[Any, ...]], _T]
    ) -> None:
        self._spool = spool
        self._sql = sql
        self._parameters = tuple(parameters)
        self._decode = decode
        self._length: int | None = None

    def __len__(self) -> int:
        if self._length is None:
            self._length = self._spool.count(self._sql, self._parameters)
        return self._length

    def __iter__(self) -> Iterator[_T]:
        return map(self._decode, self._spool.query(self._sql, self._parameters))

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_T]: ...
    def __getitem__(self, index: int | slice) -> _T | Sequence[_T]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            window = (max(0, stop - start), start) if step > 0 else (max(0, start - stop), stop + 1)
            found = list(self._page(*window))
            return found[::step] if step > 0 else found[::-1][::-step]
        place = index + len(self) if index < 0 else index
        for found_one in self._page(1, place) if place >= 0 else ():
            return found_one
        raise IndexError(f"there is no item {index} among {len(self)}")

    def _page(self, limit: int, offset: int) -> Iterator[_T]:
        sql = f"{self._sql} LIMIT ? OFFSET ?"
        return map(self._decode, self._spool.query(sql, (*self._parameters, limit, offset)))


# ---------------------------------------------------------------- rows and times as text and numbers


def micros(time: datetime) -> int:
    """A time as whole microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The time that `micros` made a number of, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def pack(rows: Sequence[Row]) -> str:
    """Write rows of one sale as text, a column at a time, which is quicker than row by row."""
    lines, _, _, times, customers, articles, categories, quantities, amounts, units, originals = zip(*rows, strict=True)
    stamps = {time: micros(time) for time in set(times)}
    numbers = [stamps[time] for time in times], list(map(str, quantities)), list(map(str, amounts))
    return _encode((lines, *numbers, customers, articles, categories, units, originals))


def unpack(text: str, till: str, number: str) -> tuple[Row, ...]:
    """Read rows of one sale from text."""
    lines, stamps, quantities, amounts, customers, articles, categories, units, originals = json.loads(text)
    times = {stamp: moment(stamp) for stamp in set(stamps)}
    decimals = map(Decimal, quantities), map(Decimal, amounts)
    when = map(times.__getitem__, stamps)
    fields = (repeat(till), repeat(number), when, customers, articles, categories, *decimals, units, originals)
    return tuple(map(_new_row, zip(lines, *fields, strict=False)))
