"""What `tongdui till import` prints: tables of a sheet and of a result, and a bar for each step. Needs rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from ._import import Progress
from ._inspect import Inspection
from ._result import Source, TakenBack, TillResult
from ._returns import Return
from ._rows import Row, RowProblem
from ._sheet import TillSheet

_NUMERIC = {"sales", "rows", "points", "amount", "quantity", "line"}
_UNBROKEN = {"where", "sale", "return", "sale or return"}

Rows = Iterable[Sequence[object]]


class TillReport:
    """Prints tables and progress.

    Args:
        to: Where to print. By default standard output.
        width: Characters of a line. By default what the terminal has.
    """

    def __init__(self, to: TextIO | None = None, width: int | None = None) -> None:
        self._console = Console(file=to, width=width)

    def show(self, sentence: str) -> None:
        """Print a sentence."""
        self._console.print(sentence)

    def show_inspection(self, inspection: Inspection) -> None:
        """Print what was found in a file, and its first rows as the proposed mapping reads them."""
        rows = (_read(row) for row in inspection.rows if isinstance(row, Row))
        header = ("line", "sale", "time (UTC)", "customer", "article", "quantity", "amount")
        self._table(f"{inspection.path.name}: the first rows, as this mapping reads them", header, rows)
        self._problems(row for row in inspection.rows if isinstance(row, RowProblem))
        for finding in inspection.findings:
            self._console.print(Text(f"- {finding}"))

    def show_sheet(self, sheet: TillSheet) -> None:
        """Print what was read: how many rows became what, and everything that needs a look."""
        fates = sheet.rows_by_fate()
        counts = [
            ("worth points", len(sheet.sales), fates["issued"]),
            ("worth no point", len(sheet.worthless), fates["worthless"]),
            ("without customer", len(sheet.no_customer), fates["no customer"]),
            ("returns", len(sheet.returns), fates["returned"]),
            ("held back", len(sheet.held_back), fates["held back"]),
            ("malformed", "", fates["malformed"]),
            ("skipped by the mapping", "", fates["skipped"]),
        ]
        self._table(f"{sheet.file}: {sheet.rows_read} rows", ("", "sales", "rows"), [row for row in counts if row[2]])
        self._problems(sheet.problems)
        held_back = ((sale.number, _ranges(sale.lines), sale.reason) for sale in sheet.held_back)
        self._table("Sales held back", ("sale", "lines", "reason"), held_back)
        nameless = ((sale.number, _ranges(sale.lines), sale.amount) for sale in sheet.no_customer)
        self._table("Sales without customer", ("sale", "lines", "amount"), nameless)
        self._table("Returns", ("return", "customer", "amount", "lines", "takes back"), map(_returned, sheet.returns))

    def show_result(self, result: TillResult) -> None:
        """Print what was issued and taken back, and what was not and why."""
        counts = [
            ("issued", len(result.issued), result.issued.points),
            ("issued by an earlier run", len(result.already), result.already.points),
            ("taken back", len(result.reversed), _points(result.reversed)),
            ("taken back by an earlier run", len(result.reversed_before), result.reversed_before.points),
            ("to take back, with --reverse", len(result.due), _points(result.due)),
            ("owed by members", len(result.owed), _points(result.owed)),
            ("returns without their sale", len(result.unmatched), ""),
            ("changed", len(result.changed), ""),
            ("refused", len(result.refused), ""),
            ("on the way to the chain", len(result.pending), sum(one.movement.points for one in result.pending)),
        ]
        self._table("Imported", ("", "sales", "points"), [row for row in counts if row[1]])
        self._taken_back("Taken back", result.reversed)
        self._taken_back("To take back, with --reverse", result.due)
        self._taken_back(
            "Owed: the member has fewer points than must come back; a later import takes them", result.owed
        )
        unmatched = (
            (found.source.number, found.source.customer or "none", _ranges(found.lines), found.reason)
            for found in result.unmatched
        )
        self._table("Returns without their sale", ("return", "customer", "lines", "why"), unmatched)
        changes = ((*_named(found.source), found.movement.id, found.difference) for found in result.changed)
        self._table("Changed since", ("sale or return", "customer", "movement", "difference"), changes)
        refusals = ((*_named(found.source), found.code, found.detail) for found in result.refused)
        self._table("Refused", ("sale or return", "customer", "code", "why"), refusals)
        pending = ((*_named(found.source), found.movement.id, found.movement.points) for found in result.pending)
        self._table("On the way to the chain", ("sale or return", "customer", "movement", "points"), pending)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show a bar for each step of an import, for the length of a `with` block."""
        columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, console=self._console, transient=True) as bars:
            steps: dict[str, TaskID] = {}

            def report(step: str, done: int, total: int) -> None:
                if step not in steps:
                    steps[step] = bars.add_task(step, total=total)
                bars.update(steps[step], completed=done, total=total)

            yield report

    def _problems(self, problems: Iterable[RowProblem]) -> None:
        rows = (
            (f"{problem.file}:{problem.line}", problem.field, problem.value, problem.reason) for problem in problems
        )
        self._table("Malformed rows", ("where", "field", "value", "reason"), rows)

    def _taken_back(self, title: str, found: Iterable[TakenBack]) -> None:
        rows = ((*_named(one.source), one.original.reference, one.points) for one in found)
        self._table(title, ("sale or return", "customer", "from", "points"), rows)

    def _table(self, title: str, header: Sequence[str], rows: Rows) -> None:
        """Print a table, unless it has no rows."""
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for name in header:
            table.add_column(name, justify="right" if name in _NUMERIC else "left", no_wrap=name in _UNBROKEN)
        for row in rows:
            table.add_row(*(Text(f"{cell:,}" if _is_long(cell) else str(cell)) for cell in row))
        if table.row_count:
            self._console.print(table)


def _is_long(cell: object) -> bool:
    return isinstance(cell, int) and cell >= 10_000


def _read(row: Row) -> tuple[object, ...]:
    sale = f"{row.till}: {row.sale}" if row.till else row.sale
    article = f"{row.article} ({row.category})"
    return row.line, sale, f"{row.time:%Y-%m-%d %H:%M:%S}", row.customer or "none", article, row.quantity, row.amount


def _named(source: Source) -> tuple[str, str]:
    return source.number, source.customer or "none"


def _points(found: Iterable[TakenBack]) -> int:
    return sum(one.points for one in found)


def _returned(returned: Return) -> tuple[object, ...]:
    actions = [f"{reversal.points} points of sale {reversal.sale}" for reversal in returned.reversals]
    if returned.unmatched:
        lines = _ranges([row.line for row in returned.unmatched])
        actions.append(f"its sale is not in this file: lines {lines}")
    return returned.number, returned.customer or "none", returned.amount, _ranges(returned.lines), "; ".join(actions)


def _ranges(lines: Sequence[int]) -> str:
    """Write line numbers with runs drawn together: 3-7, 9."""
    runs: list[list[int]] = []
    for line in sorted(lines):
        if runs and runs[-1][1] == line - 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
