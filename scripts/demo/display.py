"""Shows the story: chapters, tables, progress and figures. Plain text if the output is no terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Bar:
    """A progress bar."""

    progress: Progress
    task: TaskID
    title: str

    def step(self, what: str = "") -> None:
        """Counts one more as done."""
        self.progress.update(self.task, advance=1, description=self._described(what))

    def at(self, what: str, done: int, total: int) -> None:
        """Shows how much of a part is done."""
        self.progress.update(self.task, completed=done, total=total, description=self._described(what))

    def _described(self, what: str) -> str:
        return f"{self.title}: {what}"[:44] if what else self.title


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number."""

    name: str
    value: float
    unit: str
    what: str


def _console() -> Console:
    console = Console()
    if not console.is_terminal or console.width > WIDTH:
        console = Console(width=WIDTH)
    return console


@dataclass(slots=True)
class Display:
    """Prints the story and keeps its figures."""

    console: Console = field(default_factory=_console)
    figures: list[Figure] = field(default_factory=list)
    _chapters: int = 0

    def chapter(self, title: str) -> None:
        """Begins a chapter."""
        self._chapters += 1
        self.console.print()
        self.console.rule(f"[bold cyan]{self._chapters}  {title}", align="left", style="cyan")

    def say(self, text: str) -> None:
        """Prints a sentence."""
        self.console.print(text, highlight=False)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "", footer: Sequence[object] = ()
    ) -> None:
        """Prints a table. A column whose name begins with `>` is aligned to the right."""
        table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, show_footer=bool(footer))
        table.padding = (0, 1, 0, 0)
        for name, last in zip(columns, footer or [""] * len(columns), strict=True):
            right = name.startswith(">")
            table.add_column(name.lstrip(">"), str(last), justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(shown(cell) for cell in row))
        self.console.print(table, highlight=False)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Bar]:
        """Shows a bar for something that takes a while, and removes it afterwards."""
        columns = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as shown:
            yield Bar(shown, shown.add_task(title, total=total), title)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Shows a spinner for something of unknown length."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(what):
            yield

    def end(self, verdict: str, failures: Sequence[str] = ()) -> None:
        """Prints the verdict and what failed."""
        self.console.print()
        self.console.print(f"[bold {'red' if failures else 'green'}]{verdict}[/]", highlight=False)
        for failure in failures:
            self.console.print(f"  {failure}", style="red", markup=False, highlight=False)

    def figure(self, name: str, value: float, unit: str, what: str) -> None:
        """Keeps a figure for the end."""
        self.figures.append(Figure(name, value, unit, what))

    def show_figures(self) -> None:
        """Prints all figures."""
        self.table(["figure", ">value", "unit"], [(f.what, _short(f.value), f.unit) for f in self.figures])

    def write_figures(self, path: Path) -> None:
        """Appends the figures to a file, one JSON object a line."""
        at = datetime.now(UTC).replace(microsecond=0).isoformat()
        with path.open("a", encoding="utf-8") as file:
            for f in self.figures:
                line = {"figure": f.name, "value": f.value, "unit": f.unit, "what": f.what, "source": "demo", "at": at}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def shown(cell: object) -> str:
    """Formats a cell: numbers with separated thousands, a truth value as a mark."""
    if isinstance(cell, bool):
        return "[green]✓[/]" if cell else "[red bold]✗ wrong[/]"
    return f"{cell:,}" if isinstance(cell, int) else escape(str(cell))


def short_hash(text: str) -> str:
    """Shortens a hash so that it can still be told from others."""
    return f"{text[:10]}…{text[-4:]}"


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.2f}"
