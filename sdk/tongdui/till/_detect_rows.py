"""Finds what decides whether a row counts, and whose it is: status columns, returns, marks for no customer, and footers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tongdui._canonical import canonical

from ._detect_columns import Columns
from ._detect_layout import Layout, footer_of
from ._status import StatusColumn, is_called_off
from ._words import COUNTED, NO_CUSTOMER, STATUS_UNSURE, word

_COUNTED = {word(value) for value in COUNTED}
_UNSURE = {word(value) for value in STATUS_UNSURE}
_NO_CUSTOMER = {canonical(mark).casefold() for mark in NO_CUSTOMER}
_ZEROS = re.compile(r"0+")
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
_LETTERS = re.compile(r"[^\W\d_]+[-_/]?")


@dataclass(frozen=True, slots=True)
class Status:
    """A column that says whether a row counts.

    Attributes:
        name: The column.
        counted: Its values that most probably count.
        skipped: Its values that most probably do not.
        unsure: Its other values: a person must say.
        rows: How many rows each value has.
        setting: Which setting of [rows] can be proposed, `only` or `skip`; nothing where a person must choose.
    """

    name: str
    counted: tuple[str, ...]
    skipped: tuple[str, ...]
    unsure: tuple[str, ...]
    rows: Counter[str]
    setting: Literal["only", "skip", ""]


def detect_statuses(layout: Layout, columns: Columns) -> list[Status]:
    """Find the columns that look like a status to the import, so that the mapping must decide about them.

    Args:
        layout: The file's layout, with its rows.
        columns: Which column is which.

    Returns:
        The status columns.
    """
    taken = set(columns.theirs.values())
    found = []
    for place, name in enumerate(layout.names):
        if name and name not in taken and layout.names.count(name) == 1:
            values = layout.counts(name)
            column = StatusColumn(name, place)
            column.see(values)
            if column.undecided():
                found.append(_status(column, values))
    return found


def _status(column: StatusColumn, rows: Counter[str]) -> Status:
    values = sorted(filter(str.isprintable, column.values), key=lambda value: (-rows[value], value))
    counted = tuple(value for value in values if word(value) in _COUNTED)
    # A refund may be the row that takes back, or the sale that was taken back.
    skipped = tuple(value for value in values if is_called_off(value) and word(value) not in _UNSURE)
    unsure = tuple(value for value in values if value not in counted and value not in skipped)
    if len(rows) > len(
        column.values
    ):  # the import has not kept all values either: these are texts, and each may be new
        return Status(column.name, (), (), tuple(values), Counter({value: rows[value] for value in values}), "")
    setting: Literal["only", "skip", ""] = "" if unsure else "only" if counted else "skip"
    return Status(column.name, counted, skipped, unsure, rows, setting)


def detect_no_customer(layout: Layout, columns: Columns) -> list[str]:
    """The marks in the customer column that stand for nobody.

    Args:
        layout: The file's layout, with its rows.
        columns: Which column is which.

    Returns:
        The marks that occur, in canonical form, the most frequent first.
    """
    values = layout.counts(columns.theirs["customer"])
    return [value for value, _ in values.most_common() if value and value.isprintable() and _is_nobody(value)]


def _is_nobody(value: str) -> bool:
    return value.casefold() in _NO_CUSTOMER or _ZEROS.fullmatch(value) is not None or not word(value)


def common_customer(layout: Layout, columns: Columns, none: Sequence[str]) -> str:
    """A customer who is on so many rows that it may be the card for those who have none.

    Args:
        layout: The file's layout, with its rows.
        columns: Which column is which.
        none: The marks that stand for nobody already.

    Returns:
        The customer, or nothing.
    """
    values = layout.counts(columns.theirs["customer"])
    named = {value: rows for value, rows in values.items() if value and value not in none}
    if len(named) < 3 or sum(named.values()) < 50:
        return ""
    most = max(named, key=named.__getitem__)
    return most if named[most] * 4 > sum(named.values()) else ""


def count_scientific(layout: Layout, columns: Columns) -> dict[str, int]:
    """On how many rows a spreadsheet has destroyed a number: `6.22848E+15` where a card was.

    Args:
        layout: The file's layout, with its rows.
        columns: Which column is which.

    Returns:
        Rows by the file's name of the column.
    """
    found = {}
    for ours in ("till", "sale", "customer", "article", "original"):
        name = columns.theirs.get(ours, "")
        rows = sum(_SCIENTIFIC.fullmatch(canonical(value)) is not None for value in layout.column(name)) if name else 0
        if rows:
            found[name] = rows
    return found


def detect_return_prefix(layout: Layout, columns: Columns) -> str:
    """The letters with which the numbers of returns begin, and no other number.

    Args:
        layout: The file's layout, with its rows.
        columns: Which column is which.

    Returns:
        The letters, or nothing where returns have none of their own.
    """
    sold: set[str] = set()
    returned: set[str] = set()
    originals = layout.column(columns.theirs["original"]) if "original" in columns.theirs else [""] * len(layout.rows)
    rows = zip(layout.column(columns.theirs["sale"]), layout.column(columns.theirs["quantity"]), originals, strict=True)
    for sale, quantity, original in rows:
        value = columns.numbers.value_of(quantity)
        if sale and value is not None:
            (returned if value < 0 or original else sold).add(canonical(sale))
    # A number that has both kinds of rows is a sale with a discount.
    prefixes = {found[0] if (found := _LETTERS.match(sale)) else "" for sale in returned - sold}
    prefix = prefixes.pop() if len(prefixes) == 1 else ""
    return "" if not prefix or not sold or any(sale.startswith(prefix) for sale in sold) else prefix


def detect_footers(layout: Layout, columns: Columns) -> list[str]:
    """How the rows begin that are totals or remarks: by their first word, or because they stand at the end without a time.

    Args:
        layout: The file's layout, with its rows.
        columns: Which column is which.

    Returns:
        The beginnings.
    """
    index = {ours: layout.names.index(name) for ours, name in columns.theirs.items()}
    found: dict[str, None] = {}
    for row in (*layout.rows, *layout.last):
        first = canonical(next((cell for cell in row.cells if cell), ""))
        if not _is_sale(row.cells, index) and (footer := footer_of(first)):
            found[footer] = None
    for row in reversed(layout.last):
        first = canonical(next((cell for cell in row.cells if cell), ""))
        if _is_sale(row.cells, index) or sum(map(bool, row.cells)) * 2 > len(layout.names):
            break
        remark = re.split(r"[:：\d]", first, maxsplit=1)[0].strip()
        if len(remark) > 1 and not any(first.startswith(footer) for footer in found):
            found[remark] = None
    return list(found)


def keep_sales(layout: Layout, columns: Columns) -> None:
    """Take the rows away that are no sales, such as footers, so that what they contain tells nothing.

    Args:
        layout: The file's layout, whose rows are reduced.
        columns: Which column is which.
    """
    index = {ours: layout.names.index(name) for ours, name in columns.theirs.items()}
    layout.rows = [row for row in layout.rows if _is_sale(row.cells, index)]


def _is_sale(cells: Sequence[str], index: dict[str, int]) -> bool:
    """Whether a row has what a sale's row needs: a sale number, an article and a quantity."""
    return all(index[ours] < len(cells) and cells[index[ours]] for ours in ("sale", "article", "quantity"))
