"""Puts rows together to sales, and accounts for each: to issue, worth nothing, held back, without customer, returned."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tongdui.orders import UINT64_MAX

from ._mapping import TillMapping
from ._points import EXACT, ZERO, PointsRule, exact_sum
from ._rows import Row, RowProblem, RowReader

LONGEST_SALE = timedelta(hours=24)
"""Rows with the same sale number that are further apart are two sales: the till has started counting again."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale to one customer. `amount` is in the currency's main unit; `time` is that of the first row, in UTC."""

    number: str
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


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A sale for which nothing is issued, because part of it is uncertain. `lines` are its good rows."""

    number: str
    lines: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """Points of an earlier sale in this file, which a return takes back."""

    sale: str
    reference: str
    points: int
    lines: tuple[int, ...]
    """The rows of the return that the points belong to."""


@dataclass(frozen=True, slots=True)
class Return:
    """Goods that came back. Their points are taken back by reversing the original sale's.

    `reversals` says which points to reverse; `unmatched` are the rows whose original sale is not in this file.
    """

    number: str
    customer: str
    time: datetime
    rows: tuple[Row, ...]
    amount: Decimal
    reversals: tuple[Reversal, ...] = ()
    unmatched: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class TillSheet:
    """What a till export contains. Points of `sales` are to be issued; the other lists say why theirs are not."""

    file: str
    rows_read: int
    sales: tuple[Sale, ...]
    worthless: tuple[Sale, ...]
    """Sales that are worth no point."""
    no_customer: tuple[Sale, ...]
    returns: tuple[Return, ...]
    held_back: tuple[HeldBack, ...]
    problems: tuple[RowProblem, ...]

    @property
    def points(self) -> int:
        """The points to issue."""
        return sum(sale.points for sale in self.sales)

    def rows_by_fate(self) -> dict[str, int]:
        """How many rows ended up where. The numbers add up to `rows_read`."""
        return {
            "issued": sum(len(sale.rows) for sale in self.sales),
            "worthless": sum(len(sale.rows) for sale in self.worthless),
            "no customer": sum(len(sale.rows) for sale in self.no_customer),
            "returned": sum(len(returned.rows) for returned in self.returns),
            "held back": sum(len(sale.lines) for sale in self.held_back),
            "malformed": len(self.problems),
        }


def read_till(path: str | Path, mapping: TillMapping | str | Path = "station") -> TillSheet:
    """Read a till export. Nothing is sent anywhere.

    Args:
        path: The export.
        mapping: What the export looks like: a `TillMapping`, a mapping file, or the name of a shipped one.

    Returns:
        Every row, accounted for.

    Raises:
        TillError: The file or the mapping cannot be read at all.
    """
    mapping = mapping if isinstance(mapping, TillMapping) else TillMapping.load(mapping)
    rows: list[Row] = []
    problems: list[RowProblem] = []
    for found in RowReader(Path(path), mapping):
        if isinstance(found, Row):
            rows.append(found)
        else:
            problems.append(found)
    return _Sorter(mapping, Path(path).name).sort(rows, problems)


@dataclass(slots=True)
class _Sorter:
    """Sorts sales into the lists of a sheet."""

    mapping: TillMapping
    file: str
    sales: list[Sale] = field(default_factory=list)
    worthless: list[Sale] = field(default_factory=list)
    no_customer: list[Sale] = field(default_factory=list)
    returned: list[Sale] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)

    def sort(self, rows: Sequence[Row], problems: Sequence[RowProblem]) -> TillSheet:
        broken = dict(_broken_sales(rows, problems))
        by_number: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_number[row.sale].append(row)
        for number, of_sale in by_number.items():
            self._place(number, tuple(of_sale), broken.get(number))
        return TillSheet(
            file=self.file,
            rows_read=len(rows) + len(problems),
            sales=tuple(self.sales),
            worthless=tuple(self.worthless),
            no_customer=tuple(self.no_customer),
            returns=tuple(match_returns(self.returned, [*self.sales, *self.worthless], self.mapping.rule)),
            held_back=tuple(self.held_back),
            problems=tuple(problems),
        )

    def _place(self, number: str, rows: tuple[Row, ...], broken: str | None) -> None:
        sale = self._sale(number, rows)
        marked = bool(self.mapping.return_prefix) and number.startswith(self.mapping.return_prefix)
        reason = broken or _contradiction(rows) or _unclear(sale, marked)
        if reason is not None:
            self.held_back.append(HeldBack(number, sale.lines, reason))
        elif marked or all(row.is_negative for row in rows):
            self.returned.append(sale)
        elif not sale.customer:
            self.no_customer.append(sale)
        else:
            (self.sales if sale.points else self.worthless).append(sale)

    def _sale(self, number: str, rows: tuple[Row, ...]) -> Sale:
        first = min(row.time for row in rows)
        day = first.astimezone(self.mapping.zone).date().isoformat()
        return Sale(
            number=number,
            customer=next((row.customer for row in rows if row.customer), ""),
            time=first,
            rows=rows,
            amount=exact_sum(row.amount for row in rows),
            points=self.mapping.rule.points(amounts_of(rows)),
            reference=self.mapping.reference.format(sale=number, day=day),
        )


def amounts_of(rows: Iterable[Row]) -> dict[str, Decimal]:
    """Add up amounts by category, exactly."""
    totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        totals[row.category] = EXACT.add(totals[row.category], row.amount)
    return dict(totals)


def _broken_sales(rows: Sequence[Row], problems: Iterable[RowProblem]) -> Iterator[tuple[str, str]]:
    """Sales that a malformed row belongs to, with the reason to hold them back.

    A row belongs to the sale whose number it has. Where that cannot be read, a row between two rows of one sale belongs
    to that sale.
    """
    lines = [row.line for row in rows]
    for problem in problems:
        sale, next_row = problem.sale, bisect(lines, problem.line)
        if not sale and 0 < next_row < len(rows) and rows[next_row - 1].sale == rows[next_row].sale:
            sale = rows[next_row].sale
        if sale:
            yield sale, f"line {problem.line} of it is malformed ({problem.field} {problem.reason})"


def _contradiction(rows: Sequence[Row]) -> str | None:
    """Why rows with the same number cannot be one sale, or None."""
    customers = sorted({row.customer for row in rows if row.customer})
    if len(customers) > 1:
        return f"its rows name different customers: {', '.join(customers)}"
    if max(row.time for row in rows) - min(row.time for row in rows) > LONGEST_SALE:
        return "its rows are more than a day apart: was the sale number used twice?"
    return None


def _unclear(sale: Sale, marked: bool) -> str | None:
    """Why a sale is neither a clear sale nor a clear return, or None."""
    if len({row.is_negative for row in sale.rows}) > 1:
        if marked:
            return "it is marked as a return, but has rows that sell and rows that take back"
        if sale.points < 0 or sale.amount < 0:
            return "it takes back more than it sells"
    if sale.points > UINT64_MAX:
        return f"it is worth {sale.points} points, more than the chain can hold"
    return None


def match_returns(returned: Iterable[Sale], sales: Sequence[Sale], rule: PointsRule) -> Iterator[Return]:
    """Match returns with the sales whose points they take back.

    A returned row matches the customer's latest earlier sale of the same article, if at least that quantity and that
    much money is left of it.

    Args:
        returned: The sales that take goods back.
        sales: The sales that they may take back.
        rule: What amounts are worth.

    Yields:
        The returns, in order of time.
    """
    remainders = _Remainders(sales, rule)
    for back in sorted(returned, key=lambda sale: (sale.time, sale.lines)):
        matched: dict[str, list[Row]] = defaultdict(list)
        unmatched = []
        for row in back.rows:
            sale = remainders.take(back, row)
            if sale is None:
                unmatched.append(row)
            else:
                matched[sale.number].append(row)
        reversals = tuple(remainders.reversal(number, rows) for number, rows in matched.items())
        yield Return(back.number, back.customer, back.time, back.rows, -abs(back.amount), reversals, tuple(unmatched))


class _Remainders:
    """What remains of each sale after the returns seen so far."""

    def __init__(self, sales: Sequence[Sale], rule: PointsRule) -> None:
        self._rule = rule
        self._sales = {sale.number: sale for sale in sales}
        self._bought: dict[tuple[str, str], list[Sale]] = defaultdict(list)
        self._quantity: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        self._amount: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        self._amounts: dict[str, Mapping[str, Decimal]] = {}
        for sale in sorted(sales, key=lambda sale: sale.time, reverse=True):
            self._amounts[sale.number] = amounts_of(sale.rows)
            for row in sale.rows:
                key = (sale.number, row.article)
                self._quantity[key] = EXACT.add(self._quantity[key], row.quantity)
                self._amount[key] = EXACT.add(self._amount[key], row.amount)
            for article in dict.fromkeys(row.article for row in sale.rows):
                self._bought[sale.customer, article].append(sale)

    def take(self, back: Sale, row: Row) -> Sale | None:
        """Find the sale that a returned row matches, and subtract the row from it."""
        for sale in self._bought.get((back.customer, row.article), ()) if back.customer else ():
            key = (sale.number, row.article)
            enough = self._quantity[key] >= abs(row.quantity) and self._amount[key] >= abs(row.amount)
            if enough and sale.time <= row.time:
                self._quantity[key] = EXACT.subtract(self._quantity[key], abs(row.quantity))
                self._amount[key] = EXACT.subtract(self._amount[key], abs(row.amount))
                return sale
        return None

    def reversal(self, number: str, rows: Sequence[Row]) -> Reversal:
        """Work out the points that rows take back: the sale's points so far, less those of what the customer keeps."""
        before = self._amounts[number]
        after = dict(before)
        for row in rows:
            after[row.category] = EXACT.subtract(after[row.category], abs(row.amount))
        self._amounts[number] = after
        points = self._rule.points(before) - self._rule.points(after)
        lines = tuple(row.line for row in rows)
        return Reversal(number, self._sales[number].reference, points, lines)
