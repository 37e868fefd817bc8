"""Says what reading a file with the proposed mapping shows: malformed rows, numbers that are used again, rows that repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from ._cells import printable
from ._detect_layout import Layout
from ._inspect_findings import count
from ._mapping import TillMapping
from ._rows import Row, RowProblem
from ._words import is_measured

_KINDS = 10
"""The kinds of malformed rows that are told of."""
_MOST_TILLS = 50


def findings_of_rows(rows: Sequence[Row | RowProblem], layout: Layout, mapping: TillMapping) -> Iterator[str]:
    """What the rows show, a sentence each.

    Args:
        rows: The first rows of the file as the mapping reads them.
        layout: The file's layout.
        mapping: The proposed mapping.

    Yields:
        The sentences.
    """
    good = [row for row in rows if isinstance(row, Row)]
    yield f"The proposed mapping reads {len(good):,} of the first {count(len(rows), 'row')}."
    yield from _problems([row for row in rows if isinstance(row, RowProblem)])
    yield from _numbers(good, layout, mapping)
    yield from _repeated(good, layout)


def _problems(problems: Sequence[RowProblem]) -> Iterator[str]:
    """The kinds of malformed rows, each with how often and where it occurs first."""
    first: dict[tuple[str, str], RowProblem] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for problem in problems:
        counts[problem.field, problem.reason] += 1
        first.setdefault((problem.field, problem.reason), problem)
    for kind, rows in counts.most_common(_KINDS):
        problem = first[kind]
        value = f" {problem.value!r}" if problem.value else ""
        yield f"{count(rows, 'row')} cannot be read, first line {problem.line}: {printable(problem.field)}{value} {problem.reason}."


# ---------------------------------------------------------------- numbers of sales


def _numbers(rows: Sequence[Row], layout: Layout, mapping: TillMapping) -> Iterator[str]:
    """Whether numbers are used again: on other days, which the reference allows for, or on the same day."""
    days, again = _used_again(((row.till, row.sale) for row in rows), rows, mapping)
    if days is not None:
        yield (
            f"Sale numbers are used again: {days.sale!r} is one of another day in line {days.line}. "
            "So the day stays in the reference, as it does by default."
        )
    if again is None:
        return
    yield (
        f"Sale number {again.sale!r} is used again on the same day, in line {again.line}. The import holds such sales back, "
        "because it cannot know whether they are one."
    )
    if column := _till_column(rows, layout, mapping):
        yield f"{column!r} tells sales with the same number apart. If it says which till wrote a row, write till = {column!r}."


def _used_again(
    keys: Iterable[tuple[str, str]], rows: Sequence[Row], mapping: TillMapping
) -> tuple[Row | None, Row | None]:
    """The first row with a number that another day has used, and the first with one that its own day has used for another sale."""
    by_number: dict[tuple[str, str], list[Row]] = {}
    for key, row in zip(keys, rows, strict=True):
        by_number.setdefault(key, []).append(row)
    days = again = None
    for found in by_number.values():
        for earlier, later in pairwise(sorted(found, key=_time)):
            if later.time - earlier.time > mapping.longest_sale:
                if mapping.day_of(earlier.time) != mapping.day_of(later.time):
                    days = days or later
                else:
                    again = again or later
    return days, again


def _time(row: Row) -> datetime:
    return row.time


def _till_column(rows: Sequence[Row], layout: Layout, mapping: TillMapping) -> str:
    """The column with few values that tells all sales with the same number on the same day apart."""
    if "till" in mapping.columns:
        return ""
    cells = {row.line: row.cells for row in layout.rows}
    known = [row for row in rows if row.line in cells]
    taken = {name for names in mapping.columns.values() for name in names}
    for place, name in enumerate(layout.names):
        if name in taken or not 1 < len(layout.few.get(name, ())) <= _MOST_TILLS:
            continue
        keys = ((cells[row.line][place], row.sale) for row in known)
        if _used_again(keys, known, mapping)[1] is None:
            return name
    return ""


# ---------------------------------------------------------------- rows that repeat


def _repeated(rows: Sequence[Row], layout: Layout) -> Iterator[str]:
    """Rows of measured goods that one sale has twice: most probably a till that writes a row for each payment."""
    seen: dict[tuple[object, ...], Row] = {}
    pairs: list[tuple[Row, Row]] = []
    for row in rows:
        if row.quantity % 1 or is_measured(row.unit):
            earlier = seen.setdefault(row[1:], row)
            if earlier is not row:
                pairs.append((earlier, row))
    if not pairs:
        return
    cells = {row.line: row.cells for row in layout.rows}
    differing = _differing(
        [(cells[one.line], cells[two.line]) for one, two in pairs if {one.line, two.line} <= cells.keys()]
    )
    names = ", ".join(repr(layout.names[place]) for place in sorted(differing))
    yield (
        f"{count(len(pairs), 'row')} of measured goods {'repeats' if len(pairs) == 1 else 'repeat'} another row of the same sale, "
        f"first in lines {pairs[0][0].line} and {pairs[0][1].line}. The import holds these sales back."
        + (f" The rows differ in {names} only; export the sales without them." if names else "")
    )


def _differing(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> set[int]:
    return {
        place
        for one, two in pairs
        for place, (first, second) in enumerate(zip(one, two, strict=False))
        if first != second
    }
