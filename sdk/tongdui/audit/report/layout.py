"""What a page is made of: sections of paragraphs, facts, findings, charts and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .charts import Chart
from .words import Words, grouped, money, percent

Cell = str | Markup
MOST_ROWS = 60
"""A longer table is cut on the page; the CSV file has all of it."""

_PLAIN_NUMBERS = frozenset(
    {"program", "merchant", "agreement", "block", "superseded_by", "source_program", "target_program"}
)
_MOMENTS = frozenset({"time", "valid_from", "valid_until"})
_SENTENCES = frozenset({"what", "why", "says", "file"})
_NAMED_VALUES = frozenset({"status", "kind", "change", "role", "by", "of", "what"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head, and how its cells look: `n` number, `t` short text, `h` hash, or nothing."""

    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class TableView:
    """A table. Of the rows that it leaves out, `file` has all."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    left_out: int = 0
    file: str = ""
    is_titled: bool = True
    """Whether the title stands above it, which it need not where a chart has the same."""


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding in words."""

    title: str
    facts: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a section with a heading of its own, or without."""

    title: str = ""
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, Cell], ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[TableView, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered part of the page."""

    id: str
    title: str
    paragraphs: tuple[str, ...] = ()
    findings: tuple[FindingView, ...] = ()
    facts: tuple[tuple[str, Cell], ...] = ()
    parts: tuple[Part, ...] = ()
    new_page: bool = False
    """Whether it begins a sheet of paper."""
    number: str = ""


def table(
    words: Words, title: str, columns: Sequence[str], rows: Iterable[Any], file: str = "", is_titled: bool = True
) -> TableView:
    """A table of rows of the report.

    Args:
        words: The language.
        title: What it shows.
        columns: The rows' attributes, in order.
        rows: The rows.
        file: The table's name among the CSV files, if it may be cut here.
        is_titled: Whether people who see need its title.
    """
    rows = list(rows)
    shown = rows[:MOST_ROWS] if file else rows
    return TableView(
        title,
        tuple(Column(words.column(name), _kind(name, [getattr(row, name) for row in shown])) for name in columns),
        tuple(
            map(
                Row, zip(*(_cells(words, name, [getattr(row, name) for row in shown]) for name in columns), strict=True)
            )
        ),
        len(rows) - len(shown),
        f"csv/{file}.csv",
        is_titled,
    )


def grid(title: str, head: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> TableView:
    """A table of whole numbers under a chart with the same title: a label and a number for each column."""
    heads = (Column(head, "t"), *(Column(name, "n") for name in columns))
    cells = (Row((label, *map(grouped, numbers))) for label, numbers in rows)
    return TableView(title, heads, tuple(cells), is_titled=False)


def _cells(words: Words, name: str, values: Sequence[Any]) -> list[Cell]:
    """A column's cells. Its amounts have the same number of decimals, so that they stand below each other."""
    cells = [cell(words, name, value) for value in values]
    if not name.endswith("_micros"):
        return cells
    decimals = max((len(one.partition(".")[2]) for one in cells), default=0)
    return [one.ljust(len(one) - len(one.partition(".")[2]) + decimals, "0") if "." in one else one for one in cells]


def cell(words: Words, name: str, value: Any) -> Cell:
    """A value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return words("yes") if value else words("no")
    if isinstance(value, int):
        return _number(name, value)
    if name in _NAMED_VALUES:
        return words.value(value)
    if name in _MOMENTS:
        return str(value[:16]).replace("T", " ")
    return code(value) if value.startswith("0x") else str(value)


def code(text: str) -> Markup:
    """A hash or an address."""
    return Markup("<code>{}</code>").format(text)


def _number(name: str, value: int) -> str:
    if name in _PLAIN_NUMBERS:
        return str(value)
    if name.endswith("_micros"):
        return money(value)
    return percent(value) if name.endswith("_bps") else grouped(value)


def _kind(name: str, values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        return "t" if name in _PLAIN_NUMBERS else "n"
    if any(isinstance(value, str) and value.startswith("0x") for value in known):
        return "h"
    return "" if name in _SENTENCES or name.endswith("name") else "t"
