"""Puts rows together to sales, and accounts for each: to issue, worth nothing, held back, without customer, returned."""

from __future__ import annotations

import gc
import json
import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from tongdui._errors import TillError
from tongdui.orders import UINT64_MAX

from ._mapping import TillMapping
from ._points import EXACT, ZERO, PointsRule, exact_sum
from ._returns import Line, Original, Remainder, Return, Reversal, gives_back, lines_of, match_return
from ._rows import Row, RowProblem, RowReader
from ._spool import SALES, Run, SaleRecord, Spool, Spooled, Summary, micros, moment, pack, unpack
from ._words import CALLED_OFF, is_measured

AHEAD = timedelta(minutes=5)
"""How much a till's clock may be ahead of ours. A sale later than that is in the future."""
MOMENT = timedelta(minutes=1)
"""How far from its sale a row without customer may be, if other sales stand between them in the file."""
LONGEST_REFERENCE = 136
"""The most characters of a reference: the gateway takes 140, and reversals have a number at the end (`~1`)."""
MOST_ROWS = 20_000
"""The most rows of one sale. More of them share a number by mistake, and would not fit in memory."""
_RUN_ROWS = 1_000
"""The most rows that the spool keeps together."""
_COLLECT_AFTER = 50_000
"""How many new objects there may be before Python looks for garbage while a file is read."""
_ALWAYS = (-(2**62), 2**62)
"""A window of time (in microseconds since 1970) that has no ends."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale to one customer.

    Attributes:
        number: The number that the till gave it.
        till: The till, or "" where tills have no names.
        day: The business day. Till, day and number are the sale's identity.
        customer: The customer, or "".
        time: When its first row was, in UTC.
        rows: Its rows, in the file's order.
        amount: What was paid, in the currency's main unit.
        points: What it is worth.
        reference: The reference of its issuance.
    """

    number: str
    till: str
    day: date
    customer: str
    time: datetime
    rows: tuple[Row, ...]
    amount: Decimal
    points: int
    reference: str

    @property
    def lines(self) -> tuple[int, ...]:
        """The line numbers of its rows in the file."""
        return tuple(row.line for row in self.rows)

    @property
    def content(self) -> tuple[Line, ...]:
        """What was sold, added up by article."""
        return lines_of(self.rows)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A sale for which nothing is issued, because part of it is uncertain.

    Attributes:
        number: Its number.
        till: The till, or "".
        lines: The line numbers of its good rows.
        reason: What is uncertain, in words.
    """

    number: str
    till: str
    lines: tuple[int, ...]
    reason: str


class TillSheet:
    """What a till's file contains. Points of `sales` are to be issued; the other collections say why theirs are not.

    The collections are read from a temporary database when they are iterated over, as often as you like, so a sheet
    takes no more memory for a year than for a day. Close it when you are done, or use it in a `with` block.

    Attributes:
        file: The name of the file.
        rows_read: How many rows the file has.
        skipped: How many of them the mapping leaves out.
        points: The points to issue.
        rule: What amounts and quantities are worth.
    """

    def __init__(self, file: str, spool: Spool, rows_read: int, skipped: int, points: int, rule: PointsRule) -> None:
        self.file = file
        self.rows_read = rows_read
        self.skipped = skipped
        self.points = points
        self.rule = rule
        self._spool = spool

    def __enter__(self) -> TillSheet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the temporary database back. The collections cannot be read afterwards."""
        self._spool.close()

    @cached_property
    def sales(self) -> Spooled[Sale]:
        """The sales whose points are to be issued."""
        return self._of_fate("issued", _sale)

    @cached_property
    def worthless(self) -> Spooled[Sale]:
        """Sales that are worth no point."""
        return self._of_fate("worthless", _sale)

    @cached_property
    def no_customer(self) -> Spooled[Sale]:
        """Sales without a customer."""
        return self._of_fate("no customer", _sale)

    @cached_property
    def returns(self) -> Spooled[Return]:
        """Goods that came back, in order of time: each takes what the ones before have left."""
        return self._of_fate("returned", _return, order="s.time, s.line")

    @cached_property
    def held_back(self) -> Spooled[HeldBack]:
        """Sales of which something is uncertain."""
        return self._of_fate("held back", _held_back)

    @cached_property
    def problems(self) -> Spooled[RowProblem]:
        """Malformed rows."""
        return Spooled(self._spool, "SELECT problem FROM problems ORDER BY id", (), _problem)

    @property
    def needs_attention(self) -> bool:
        """Whether a row is malformed or a sale is held back."""
        return bool(self.problems or self.held_back)

    def sales_of(self, customer: str) -> Spooled[Sale]:
        """The sales of one customer, the latest first, with those that are worth no point.

        Args:
            customer: The customer.

        Returns:
            A collection that is read when it is iterated over.
        """
        where = "WHERE s.customer = ? AND s.fate IN ('issued', 'worthless') ORDER BY s.time DESC, s.line DESC"
        return Spooled(self._spool, f"{SALES} {where}", (customer,), _sale)

    @cached_property
    def _rows_by_fate(self) -> dict[str, int]:
        return dict(self._spool.query("SELECT fate, sum(size) FROM sales GROUP BY fate"))

    def rows_by_fate(self) -> dict[str, int]:
        """How many rows ended up where. The numbers add up to `rows_read`."""
        fates = ("issued", "worthless", "no customer", "returned", "held back")
        counts = {fate: self._rows_by_fate.get(fate, 0) for fate in fates}
        return {**counts, "malformed": len(self.problems), "skipped": self.skipped}

    def document(self) -> dict[str, Any]:
        """The sheet in plain types, to be written as JSON: the numbers, and everything that is not simply issued.

        Returns:
            The document. Amounts are texts.
        """
        return {
            "file": self.file,
            "rows_read": self.rows_read,
            "rows": self.rows_by_fate(),
            "sales": {
                "issued": len(self.sales),
                "worthless": len(self.worthless),
                "no customer": len(self.no_customer),
                "returned": len(self.returns),
                "held back": len(self.held_back),
            },
            "points": self.points,
            "problems": [_problem_document(problem) for problem in self.problems],
            "held_back": [
                {"number": held.number, "till": held.till, "lines": list(held.lines), "reason": held.reason}
                for held in self.held_back
            ],
            "returns": [_return_document(back) for back in self.returns],
        }

    def _of_fate(self, fate: str, decode: Any, order: str = "s.line") -> Spooled[Any]:
        return Spooled(self._spool, f"{SALES} WHERE s.fate = ? ORDER BY {order}", (fate,), decode)


def read_till(
    path: str | Path, mapping: TillMapping | str | Path = "station", *, now: datetime | None = None
) -> TillSheet:
    """Read a till's file. Nothing is sent anywhere.

    Args:
        path: The file.
        mapping: What the file looks like: a `TillMapping`, a mapping file, or the name of a shipped one.
        now: The time by which a sale is in the future; otherwise the system's.

    Returns:
        Every row, accounted for.

    Raises:
        TillError: The file or the mapping cannot be read at all.
    """
    mapping = mapping if isinstance(mapping, TillMapping) else TillMapping.load(mapping)
    reader = RowReader(Path(path), mapping)
    spool = Spool()
    try:
        with _collecting_rarely():
            _Intake(spool, mapping).read(reader)
            sorter = _Sorter(spool, mapping, reader.rows_read, (now or datetime.now(UTC)) + AHEAD)
            sorter.sort()
            _Match(spool, mapping.rule).match()
    except sqlite3.Error as error:
        spool.close()
        room = "about as much room as the file takes, and as much again"
        raise TillError(
            f"{path}: its rows do not fit on the disk ({error}). Set SQLITE_TMPDIR to a directory with {room}"
        ) from error
    except BaseException:
        spool.close()
        raise
    return TillSheet(Path(path).name, spool, reader.rows_read, reader.skipped, sorter.points, mapping.rule)


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Look for garbage in cycles less often: rows are a million small objects without cycles, and the search takes a
    quarter of the time."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _COLLECT_AFTER) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


# ---------------------------------------------------------------- rows into the spool


_identity = attrgetter("till", "sale")
_line_of = attrgetter("line")


class _Intake:
    """Puts rows into the spool, in runs of one sale number that stand together in the file."""

    def __init__(self, spool: Spool, mapping: TillMapping) -> None:
        self._spool = spool
        self._mapping = mapping
        self._run: list[Row] = []
        self._run_id = 0
        self._previous: Row | None = None
        self._unplaced = 0
        """The first of the malformed rows, since the last good one, whose sale cannot be read."""

    def read(self, reader: RowReader) -> None:
        for rows, problems in reader.batches():
            for stretch, problem in _stretches(rows, problems):
                self._add_rows(stretch)
                if problem is not None:
                    self._add_problem(problem)
        self._close_run()
        reader.check()
        self._spool.finish_rows()

    def _add_rows(self, rows: Sequence[Row]) -> None:
        if rows and self._unplaced:
            self._place_problems(rows[0])
        for identity, group in groupby(rows, key=_identity):
            if not self._run or _identity(self._run[0]) != identity or len(self._run) >= _RUN_ROWS:
                self._close_run()
            self._run.extend(group)

    def _close_run(self) -> None:
        for run in _without_gaps(self._run, self._mapping.longest_sale):
            self._run_id += 1
            self._previous = run[-1]
            summary = summary_of(run, self._mapping.rule)
            self._spool.add_run(Run(self._run_id, self._previous.till, self._previous.sale, summary), run)
        self._run = []

    def _add_problem(self, problem: RowProblem) -> None:
        self._close_run()
        self._run_id += 1  # Rows before and after a malformed one do not stand together.
        window = _ALWAYS if problem.day is None else self._window(problem.day)
        day = problem.day and problem.day.isoformat()
        document = [*(getattr(problem, name) for name in PROBLEM_FIELDS[:-1]), day]
        added = self._spool.add_problem(problem.till, problem.sale, window, document)
        before = self._previous
        if problem.goes_on and before and problem.till in {"", before.till}:
            at = micros(before.time)
            self._spool.place_problems(added, before.till, before.sale, (at, at))
        elif not problem.sale and not self._unplaced:
            self._unplaced = added

    def _place_problems(self, following: Row) -> None:
        """Malformed rows between two rows of one sale belong to that sale, even if their own number cannot be read."""
        before = self._previous
        if before and (before.till, before.sale) == (following.till, following.sale):
            window = sorted((micros(before.time), micros(following.time)))
            self._spool.place_problems(self._unplaced, following.till, following.sale, (window[0], window[1]))
        self._unplaced = 0

    def _window(self, day: date) -> tuple[int, int]:
        """The times of a business day."""
        begins, ends = (
            datetime.combine(day + timedelta(days=n), time(), self._mapping.zone) + self._mapping.day_starts
            for n in (0, 1)
        )
        return micros(begins), micros(ends)


def _stretches(rows: list[Row], problems: list[RowProblem]) -> Iterator[tuple[list[Row], RowProblem | None]]:
    """Rows in the file's order, divided where a malformed one stands between them."""
    if problems:
        rows = sorted(rows, key=_line_of)
    begin = 0
    for problem in sorted(problems, key=_line_of):
        end = bisect_left(rows, problem.line, key=_line_of)
        yield rows[begin:end], problem
        begin = end
    yield rows[begin:], None


def _without_gaps(rows: list[Row], longest: timedelta) -> Iterator[list[Row]]:
    """Rows of one number, divided where one is too far from the next to be one sale, or where they are too many."""
    times = {row.time for row in rows}
    if len(times) == 1 or (times and max(times) - min(times) <= longest and len(rows) <= _RUN_ROWS):
        yield rows
        return
    begin = 0
    for place in range(1, len(rows)):
        if abs(rows[place].time - rows[place - 1].time) > longest or place - begin == _RUN_ROWS:
            yield rows[begin:place]
            begin = place
    if rows:
        yield rows[begin:]


PROBLEM_FIELDS = ("file", "line", "field", "reason", "value", "sale", "till", "day")


# ---------------------------------------------------------------- rows to sales


@dataclass(slots=True)
class _Cluster:
    """Runs of one number, none of them further from the next than a sale takes: one sale, or part of a confusion."""

    till: str
    number: str
    runs: list[Run]
    first: int
    last: int
    size: int
    reason: str = ""
    """Why it is held back, if anything is uncertain."""

    @classmethod
    def of(cls, run: Run) -> _Cluster:
        return cls(run.till, run.number, [run], run.summary.first, run.summary.last, run.summary.size)

    def add(self, run: Run) -> None:
        self.runs.append(run)
        self.last = max(self.last, run.summary.last)
        self.size += run.summary.size

    def passages(self, spool: Spool) -> list[list[Row]]:
        """Its rows, by where they stand together in the file."""
        passages: list[list[Row]] = []
        last_id = -1
        for run in sorted(self.runs):
            if run.id != last_id + 1:
                passages.append([])
            passages[-1] += spool.rows_of(run)
            last_id = run.id
        return passages


def summary_of(rows: Sequence[Row], rule: PointsRule) -> Summary:
    """Add up rows of one sale number, a column at a time, which is quicker than row by row."""
    lines, _, _, times, customers, articles, categories, quantities, amounts, _, originals = zip(*rows, strict=True)
    moments, names = set(times), set(customers)
    signed = any(map(Decimal.is_signed, amounts)) or any(map(Decimal.is_signed, quantities)) or not all(quantities)
    backs = {gives_back(row) for row in rows} if signed else {False}
    totals = _amounts_of(categories, amounts)
    return Summary(
        first=micros(min(moments)),
        last=micros(max(moments)),
        line=lines[0],
        size=len(rows),
        customer=next(filter(None, customers), ""),
        amount=str(exact_sum(totals.values())),
        points=str(rule.points(totals, _quantities_of(rows) if rule.per_quantity else {})),
        sells=False in backs,
        gives_back=True in backs,
        is_plain=not signed and len(names) == 1 and len(set(articles)) == len(rows) and not any(originals),
    )


def _amounts_of(categories: Sequence[str], amounts: Sequence[Decimal]) -> dict[str, Decimal]:
    """Add up amounts by category, exactly."""
    if len(set(categories)) == 1:
        return {categories[0]: exact_sum(amounts)}
    totals: dict[str, Decimal] = {}
    for category, amount in zip(categories, amounts, strict=True):
        totals[category] = EXACT.add(totals.get(category, ZERO), amount)
    return totals


def _quantities_of(rows: Sequence[Row]) -> dict[str, Decimal]:
    """Add up quantities of goods by category, exactly. A discount takes none, whatever quantity the till gives it."""
    goods = [line for line in lines_of(rows) if line.is_goods]
    return _amounts_of([line.category for line in goods], [line.quantity for line in goods]) if goods else {}


class _Sorter:
    """Makes sales of rows, and decides on the fate of each."""

    def __init__(self, spool: Spool, mapping: TillMapping, rows_read: int, latest: datetime) -> None:
        self._spool = spool
        self._mapping = mapping
        self._rule = mapping.rule
        self._rows_read = rows_read
        self._latest = micros(latest)
        self._longest = mapping.longest_sale // timedelta(microseconds=1)
        self._has_problems = bool(spool.count("SELECT 1 FROM problems WHERE number <> '' LIMIT 1"))
        self._day_in_reference = "{day" in (mapping.reference or "{day}")
        self.points = 0

    def sort(self) -> None:
        for _, runs in groupby(self._spool.runs(), key=lambda run: (run.till, run.number)):
            self._place_all(self._clusters(runs))
        self._spool.finish_sales()

    def _clusters(self, runs: Iterator[Run]) -> Iterator[_Cluster]:
        """Divide the runs of one number, in order of time, wherever they are further apart than a sale takes."""
        cluster: _Cluster | None = None
        for run in runs:
            following = _Cluster.of(run)
            if cluster is None:
                cluster = following
            elif following.first - cluster.last > self._longest:
                yield cluster
                cluster = following
            elif cluster.size + following.size > MOST_ROWS:
                reason = f"more than {MOST_ROWS} rows have its number: does the mapping name the right column?"
                cluster.reason = following.reason = reason
                yield cluster
                cluster = following
            else:
                cluster.add(run)
        if cluster is not None:
            yield cluster

    def _place_all(self, clusters: Iterator[_Cluster]) -> None:
        """Place the sales of one number. Where it is used again and cannot tell sales apart, all of them are held back."""
        before: _Cluster | None = None
        for cluster in clusters:
            if before is not None:
                reason = self._used_again(before, cluster)
                before.reason = before.reason or reason
                cluster.reason = cluster.reason or reason
                self._place(before)
            before = cluster
        if before is not None:
            self._place(before)

    def _used_again(self, before: _Cluster, cluster: _Cluster) -> str:
        at = moment(cluster.first).astimezone(self._mapping.zone)
        if self._mapping.day_of(moment(before.first)) == self._mapping.day_of(at):
            return f"its number is used again at {at:%H:%M}, or is it one sale? (setting longest_sale in [till])"
        if not self._day_in_reference:
            return f"its number is used again on {at:%Y-%m-%d}, and the mapping's reference has no {{day}} in it"
        return ""

    def _place(self, cluster: _Cluster) -> None:
        # The rows of a sale that stand together are in the spool already, and most need not be looked at again.
        together = len(cluster.runs) == 1
        passages = [] if together and cluster.runs[0].summary.is_plain else cluster.passages(self._spool)
        rows = sorted((row for passage in passages for row in passage), key=_line_of)
        summary = cluster.runs[0].summary if together else summary_of(rows, self._rule)
        day = self._mapping.day_of(moment(summary.first))
        reference = self._mapping.reference_of(cluster.till, day, cluster.number)
        marked = bool(self._mapping.return_prefix) and cluster.number.startswith(self._mapping.return_prefix)
        named = [] if summary.gives_back else [row for row in rows if row.original not in {"", cluster.number}]
        marked = marked or bool(named and len(named) == len(rows))
        reason = (
            cluster.reason
            or self._malformed(cluster)
            or ("" if summary.is_plain else _contradiction(rows, passages) or self._repetition(rows, passages))
            or self._in_the_future(summary)
            or _unclear(cluster.number, summary, reference, marked)
        )
        fate = _fate(summary, marked)
        if fate != "returned":
            reason = reason or _given_for_money(rows) or _returned_for_money(named)
        fate = "held back" if reason else fate
        if fate == "issued":
            self.points += int(summary.points)
        self._spool.add_sale(
            (
                fate,
                cluster.till,
                cluster.number,
                day.isoformat(),
                summary.customer,
                summary.first,
                summary.line,
                summary.size,
                summary.amount,
                summary.points,
                reference,
                reason,
                cluster.runs[0].id if together else None,
                None if together else pack(rows),
            )
        )

    def _in_the_future(self, summary: Summary) -> str:
        if summary.last <= self._latest:
            return ""
        at = moment(summary.last).astimezone(self._mapping.zone)
        return f"it is in the future, at {at:%Y-%m-%d %H:%M:%S}: is the clock of the till right?"

    def _malformed(self, cluster: _Cluster) -> str:
        """Why a malformed row makes the sale uncertain, or ""."""
        if not self._has_problems:
            return ""
        window = cluster.first - self._longest, cluster.last + self._longest
        for document in self._spool.problems_of(cluster.till, cluster.number, window):
            problem = _problem_of(document)
            return f"line {problem.line} of it is malformed ({problem.field} {problem.reason})"
        return ""

    def _repetition(self, rows: Sequence[Row], passages: Sequence[Sequence[Row]]) -> str:
        """Why rows of the sale may be one row written twice, or ""."""
        if len({row.article for row in rows}) == len(rows):
            return ""
        if repeated := _repeated_passage(passages):
            return f"line {repeated[1].line} repeats line {repeated[0].line}: was the file appended to itself?"
        if repeated := self._repeated_measure(rows):
            return (
                f"lines {repeated[0].line} and {repeated[1].line} are the same: was one row written for each payment?"
            )
        if len(rows) == self._rows_read and _is_doubled([(row.article, row.quantity, row.amount) for row in rows]):
            return "the second half of its rows repeats the first: was the file appended to itself?"
        return ""

    def _repeated_measure(self, rows: Sequence[Row]) -> tuple[Row, Row] | None:
        """Two rows with the same measure of the same article. One that was cancelled, and then written again, is one."""
        standing: dict[tuple[object, ...], list[Row]] = {}
        for row in filter(self._is_measured, rows):
            # Where litres earn, the litres of a filling stand on the row of each payment, which has a part of the amount.
            by_quantity = row.category in self._rule.per_quantity and is_measured(row.unit or "L")
            amount = None if by_quantity and row.quantity * row.amount > 0 else abs(row.amount)
            same = standing.setdefault((row.article, abs(row.quantity), amount), [])
            if same and (same[-1].quantity < 0) != (row.quantity < 0):
                same.pop()
            else:
                same.append(row)
        return next(((same[0], same[1]) for same in standing.values() if len(same) > 1), None)

    def _is_measured(self, row: Row) -> bool:
        return row.quantity % 1 != 0 or is_measured(row.unit) or row.category in self._rule.per_quantity


def _repeated_passage(passages: Sequence[Sequence[Row]]) -> tuple[Row, Row] | None:
    """Two equal rows of one moment that do not stand together, because the file has them twice."""
    seen: dict[tuple[object, ...], tuple[int, Row]] = {}
    for place, passage in enumerate(passages if len(passages) > 1 else ()):
        for row in passage:
            before, earlier = seen.setdefault((row.time, row.article, row.quantity, row.amount), (place, row))
            if before != place:
                return earlier, row
    return None


def _is_doubled(rows: Sequence[object]) -> bool:
    """Whether different rows stand there twice. Equal pieces, row after row, are pieces that a customer bought."""
    half = len(rows) // 2
    return len(set(rows[:half])) > 1 and rows[:half] == rows[half:]


def _contradiction(rows: Sequence[Row], passages: Sequence[Sequence[Row]]) -> str:
    """Why rows with the same number cannot be one sale, or ""."""
    named = sorted({row.customer for row in rows} - {""})
    if len(named) > 1:
        return f"its rows name different customers: {', '.join(named)}"
    if named and (apart := _nameless_passage(passages)):
        return f"line {apart.line} names no customer and stands apart from the rows that do: is it one sale?"
    return ""


def _nameless_passage(passages: Sequence[Sequence[Row]]) -> Row | None:
    """The first row of a passage without customer that is not of the moment of a row that stands with one."""
    has_name = [any(row.customer for row in passage) for passage in passages]
    times = sorted(row.time for passage, name in zip(passages, has_name, strict=True) if name for row in passage)
    for passage, name in zip(passages, has_name, strict=True):
        if not name and not any(_is_near(row.time, times) for row in passage):
            return passage[0]
    return None


def _is_near(time: datetime, times: Sequence[datetime]) -> bool:
    """Whether one of these times, in order, is no further away than a moment."""
    place = bisect_left(times, time - MOMENT)
    return place < len(times) and times[place] <= time + MOMENT


def _unclear(number: str, summary: Summary, reference: str, marked: bool) -> str:
    """Why a sale is neither a clear sale nor a clear return, or ""."""
    amount, points = Decimal(summary.amount), int(summary.points)
    if len(reference) > LONGEST_REFERENCE:
        return f"its reference has {len(reference)} characters; there is room for {LONGEST_REFERENCE}"
    if summary.sells and not marked and (said := CALLED_OFF.search(number)):
        return f"its number says that it does not count ({said[0]}): was it called off?"
    if summary.sells and summary.gives_back:
        if marked and amount == 0:
            return "it is marked as a return, but takes back as much as it sells"
        if not marked and amount >= 0 and (points < 0 or (amount == 0 and points)):
            return "it takes back more than it sells"
    if points > UINT64_MAX:
        return f"it is worth {points} points, more than the chain can hold"
    return ""


def _given_for_money(rows: Sequence[Row]) -> str:
    """Why a sale that takes money for what it takes back is unclear, or "". In a return, such a row cancels a coupon."""
    odd = next((row for row in rows if row.quantity <= 0 < row.amount), None)
    if odd is None:
        return ""
    if not odd.quantity:
        return f"line {odd.line} takes money for {odd.article}, but its quantity is zero"
    return f"line {odd.line} takes back {-odd.quantity} {odd.article}, and money for it"


def _returned_for_money(named: Sequence[Row]) -> str:
    """Why a sale is unclear of which some rows name the sale that they take back, and none gives money back, or ""."""
    return "" if not named else f"line {named[0].line} names the sale {named[0].original} that it takes back, and sells"


def _fate(summary: Summary, marked: bool) -> str:
    """What becomes of a clear sale. One that gives money back is a return, even if it cancels a coupon."""
    if marked or not summary.sells or Decimal(summary.amount) < 0:
        return "returned"
    if not summary.customer:
        return "no customer"
    return "worthless" if summary.points == "0" else "issued"


# ---------------------------------------------------------------- returns with the file's own sales


class _Match:
    """Matches the returns of a file with its own sales, one return at a time."""

    def __init__(self, spool: Spool, rule: PointsRule) -> None:
        self._spool = spool
        self._rule = rule
        self._remainders: dict[int, Remainder] = {}
        """The remainders that the return at hand has looked at, by the sale's id."""

    def match(self) -> None:
        """Match all returns in order of time."""
        if not self._spool.count("SELECT 1 FROM sales WHERE fate = 'returned' LIMIT 1"):
            return
        self._list_articles()
        for values in self._spool.query(f"{SALES} WHERE s.fate = 'returned' ORDER BY s.time, s.line"):
            self._remainders.clear()
            matched = match_return(_return(values), self._find)
            self._keep(SaleRecord(*values).id, matched)

    def _list_articles(self) -> None:
        """List what the customers who return something have bought."""
        customers = "SELECT customer FROM sales WHERE fate = 'returned' AND customer <> ''"
        where = f"WHERE s.fate IN ('issued', 'worthless') AND s.customer IN ({customers})"
        for values in self._spool.query(f"{SALES} {where}"):
            record = SaleRecord(*values)
            articles = {row.article for row in _sale(values).rows}
            self._spool.change(
                "INSERT INTO bought VALUES (?, ?, ?, ?)",
                [(record.customer, article, record.time, record.id) for article in articles],
            )

    def _find(self, back: Return, row: Row) -> Iterator[Remainder]:
        until = micros(row.time)
        if row.original:
            sql = "SELECT id FROM sales WHERE number = ? AND time <= ? ORDER BY till <> ?, time DESC, line DESC"
            yield from self._remainders_of(sql, (row.original, until, back.till))
            return
        sql = "SELECT id FROM sales WHERE number = ? AND time <= ? AND till = ? AND day = ?"
        yield from self._remainders_of(sql, (back.number, until, back.till, back.day.isoformat()))
        sql = "SELECT sale FROM bought WHERE customer = ? AND article = ? AND time <= ? ORDER BY time DESC, sale DESC"
        yield from self._remainders_of(sql, (back.customer, row.article, until))

    def _remainders_of(self, sql: str, parameters: Sequence[Any]) -> Iterator[Remainder]:
        for (sale_id,) in self._spool.query(sql, parameters):
            if sale_id not in self._remainders:
                record = SaleRecord(*next(self._spool.query(f"{SALES} WHERE s.id = ?", (sale_id,))))
                if record.fate not in _ORIGINALS:
                    continue
                self._remainders[sale_id] = Remainder(self._original(record), self._rule)
            yield self._remainders[sale_id]

    def _original(self, record: SaleRecord) -> Original:
        sale = _sale(record)
        taken = self._spool.query("SELECT line FROM taken WHERE sale = ?", (record.id,))
        return Original(
            reference=sale.reference,
            number=sale.number,
            till=sale.till,
            day=sale.day,
            customer=sale.customer,
            time=sale.time,
            lines=sale.content,
            points=sale.points if record.fate == "issued" else 0,
            taken=tuple(_line(json.loads(line)) for (line,) in taken),
        )

    def _keep(self, return_id: int, back: Return) -> None:
        """Keep what was matched, and what is no longer left of the sales."""
        reversals = [(r.sale, r.reference, str(r.points), r.lines, _plain(r.taken)) for r in back.reversals]
        unmatched = [row.line for row in back.unmatched]
        self._spool.change(
            "INSERT INTO matches VALUES (?, ?, ?)", [(return_id, json.dumps(reversals), json.dumps(unmatched))]
        )
        ids = {remainder.original.reference: sale_id for sale_id, remainder in self._remainders.items()}
        for reversal in back.reversals:
            sale_id = ids[reversal.reference]
            taken = [(sale_id, json.dumps(line)) for line in _plain(reversal.taken)]
            self._spool.change("INSERT INTO taken VALUES (?, ?)", taken)
            exhausted = [line.article for line in reversal.taken if not self._remainders[sale_id].has_any(line.article)]
            self._spool.change("DELETE FROM bought WHERE sale = ? AND article = ?", [(sale_id, a) for a in exhausted])


_ORIGINALS = ("issued", "worthless", "no customer")
"""The fates of sales that a return may take back."""


# ---------------------------------------------------------------- records to what a sheet shows


def _sale(values: Sequence[Any]) -> Sale:
    record = SaleRecord(*values)
    return Sale(
        number=record.number,
        till=record.till,
        day=date.fromisoformat(record.day),
        customer=record.customer,
        time=moment(record.time),
        rows=unpack(record.rows, record.till, record.number),
        amount=Decimal(record.amount),
        points=int(record.points),
        reference=record.reference,
    )


def _return(values: Sequence[Any]) -> Return:
    record = SaleRecord(*values)
    rows = unpack(record.rows, record.till, record.number)
    # A return that has not been matched yet has no match: then all of it is unmatched.
    unmatched = {row.line for row in rows} if record.unmatched is None else set(json.loads(record.unmatched))
    return Return(
        number=record.number,
        till=record.till,
        day=date.fromisoformat(record.day),
        customer=record.customer,
        time=moment(record.time),
        rows=rows,
        amount=-abs(Decimal(record.amount)),
        reference=record.reference,
        reversals=tuple(
            Reversal(sale, reference, int(points), tuple(lines), tuple(map(_line, taken)))
            for sale, reference, points, lines, taken in json.loads(record.reversals or "[]")
        ),
        unmatched=tuple(row for row in rows if row.line in unmatched),
    )


def _held_back(values: Sequence[Any]) -> HeldBack:
    record = SaleRecord(*values)
    rows = unpack(record.rows, record.till, record.number)
    return HeldBack(record.number, record.till, tuple(row.line for row in rows), record.reason)


def _problem(values: Sequence[Any]) -> RowProblem:
    return _problem_of(json.loads(values[0]))


def _problem_of(document: Sequence[Any]) -> RowProblem:
    found = dict(zip(PROBLEM_FIELDS, document, strict=True))
    day = date.fromisoformat(found["day"]) if found["day"] else None
    return RowProblem(**{**found, "day": day})


def _problem_document(problem: RowProblem) -> dict[str, Any]:
    found = {name: getattr(problem, name) for name in PROBLEM_FIELDS}
    return {**found, "day": problem.day and problem.day.isoformat()}


def _return_document(back: Return) -> dict[str, Any]:
    return {
        "number": back.number,
        "till": back.till,
        "day": back.day.isoformat(),
        "customer": back.customer,
        "time": back.time.isoformat().replace("+00:00", "Z"),
        "amount": str(back.amount),
        "lines": list(back.lines),
        "reference": back.reference,
        "reversals": [
            {"sale": r.sale, "reference": r.reference, "points": r.points, "lines": list(r.lines)}
            for r in back.reversals
        ],
        "unmatched": [row.line for row in back.unmatched],
    }


def _line(values: Sequence[str]) -> Line:
    article, category, quantity, amount = values
    return Line(article, category, Decimal(quantity), Decimal(amount))


def _plain(lines: Sequence[Line]) -> list[tuple[str, str, str, str]]:
    return [(line.article, line.category, str(line.quantity), str(line.amount)) for line in lines]
