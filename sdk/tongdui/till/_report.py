"""What `tongdui till import` prints: tables of a sheet and of a result, and a bar for each step. Needs rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from ._issue import Progress, TillResult
from ._sheet import TillSheet

_NUMERIC = {"sales", "rows", "points", "amount"}
_UNBROKEN = {"where", "sale", "return"}


class TillReport:
    """Prints to standard output."""

    def __init__(self) -> None:
        self._console = Console()

    def show(self, sentence: str) -> None:
        """Print a sentence."""
        self._console.print(sentence)

    def show_sheet(self, sheet: TillSheet) -> None:
        """Print what was read: how many rows became what, and everything that needs a look."""
        fates = sheet.rows_by_fate()
        counts = [
            ("to issue", len(sheet.sales), fates["issued"]),
            ("worth no point", len(sheet.worthless), fates["worthless"]),
            ("no customer: skipped", len(sheet.no_customer), fates["no customer"]),
            ("returns: to be reversed", len(sheet.returns), fates["returned"]),
            ("held back", len(sheet.held_back), fates["held back"]),
            ("malformed", "", fates["malformed"]),
        ]
        self._table(f"{sheet.file}: {sheet.rows_read} rows", ("", "sales", "rows"), counts)
        problems = [
            (f"{problem.file}:{problem.line}", problem.field, problem.value, problem.reason)
            for problem in sheet.problems
        ]
        self._table("Malformed rows", ("where", "field", "value", "reason"), problems)
        held_back = [(sale.number, _ranges(sale.lines), sale.reason) for sale in sheet.held_back]
        self._table("Sales held back", ("sale", "lines", "reason"), held_back)
        skipped = [(sale.number, _ranges(sale.lines), sale.amount) for sale in sheet.no_customer]
        self._table("Sales without customer", ("sale", "lines", "amount"), skipped)
        self._table("Returns", ("return", "customer", "amount", "lines", "to reverse"), _returns(sheet))

    def show_result(self, result: TillResult) -> None:
        """Print what was issued, and what was not and why."""
        counts = [
            ("issued", len(result.issued), sum(issued.movement.points for issued in result.issued)),
            ("on the way to the chain", len(result.pending), sum(issued.movement.points for issued in result.pending)),
            ("issued by an earlier run", len(result.already), sum(issued.movement.points for issued in result.already)),
            ("changed since it was issued", len(result.changed), ""),
            ("refused", len(result.refused), ""),
        ]
        self._table("Issued", ("", "sales", "points"), [row for row in counts if row[1]])
        changes = [(changed.sale.number, changed.movement.id, changed.difference) for changed in result.changed]
        self._table("Changed since they were issued", ("sale", "issuance", "difference"), changes)
        refusals = [
            (refused.sale.number, refused.sale.customer, refused.code, refused.detail) for refused in result.refused
        ]
        self._table("Refused", ("sale", "customer", "code", "why"), refusals)

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

    def _table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
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


def _returns(sheet: TillSheet) -> Iterator[tuple[object, ...]]:
    for returned in sheet.returns:
        actions = [f"{reversal.points} points of sale {reversal.sale}" for reversal in returned.reversals]
        if returned.unmatched:
            lines = _ranges([row.line for row in returned.unmatched])
            actions.append(f"original not in this file: lines {lines}")
        lines = _ranges([row.line for row in returned.rows])
        yield returned.number, returned.customer or "none", returned.amount, lines, "; ".join(actions)


def _ranges(lines: Sequence[int]) -> str:
    """Write line numbers with runs drawn together: 3-7, 9."""
    runs: list[list[int]] = []
    for line in sorted(lines):
        if runs and runs[-1][1] == line - 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
