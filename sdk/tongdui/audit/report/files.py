"""The report's JSON and CSV files. The same report gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from hashlib import sha256
from typing import Any, get_args, get_type_hints

from ..._csv import Cell, csv_line
from .document import FORMAT, Report

LARGEST_NUMBER = 2**53 - 1
"""Not every larger whole number survives in programs whose numbers are doubles. Those are written as text, as the gateway does."""

CSV_DIRECTORY = "csv"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of the report."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def report_json(report: Report, files: Mapping[str, bytes]) -> bytes:
    """The report as canonical JSON, with the SHA-256 of the files that show the same.

    Args:
        report: The report.
        files: Each file's name and content: pages, and tables as `csv_files` names them.

    Returns:
        UTF-8.
    """
    named = {name: sha256(content).hexdigest() for name, content in files.items()}
    return canonical_json({"format": FORMAT, "files": named, **asdict(report)})


def canonical_json(value: Any) -> bytes:
    """Text, whole numbers, truth values, None, sequences and dictionaries with ASCII keys in JSON's canonical form (RFC 8785)."""
    return json.dumps(_safe(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def csv_files(report: Report) -> dict[str, bytes]:
    """Each table as a CSV file, by a name such as `csv/programs.csv`. A table without rows has a head all the same."""
    return {
        f"{CSV_DIRECTORY}/{sheet.name}.csv": "".join(map(csv_line, (sheet.columns, *sheet.rows))).encode()
        for sheet in sheets_of(report)
    }


def sheets_of(report: Report) -> Iterator[Sheet]:
    """All tables: the scope, and every list of rows."""
    scope = asdict(report.scope)
    yield Sheet("scope", ("what", "value"), tuple((name, _cell(value)) for name, value in _leaves(scope)))
    for part in (report, report.figures, report.liability):
        for name, hint in get_type_hints(type(part)).items() if part is not None else ():
            row_type = next(iter(get_args(hint)), None)
            if is_dataclass(row_type) and isinstance(getattr(part, name), tuple):
                rows = (tuple(_cell(value) for _, value in _leaves(asdict(row))) for row in getattr(part, name))
                yield Sheet(name, tuple(_columns(row_type)), tuple(rows))


def _columns(row_type: Any) -> Iterator[str]:
    """The names of a row's columns. Those of a row within it, such as a finding's place, stand beside its own."""
    hints = get_type_hints(row_type)
    for field in fields(row_type):
        yield from _columns(hints[field.name]) if is_dataclass(hints[field.name]) else [field.name]


def _leaves(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All values of a row with their names."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _cell(value: Any) -> Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(value)
    return value  # type: ignore[no-any-return]


def _safe(value: Any) -> Any:
    """The value with numbers that every reader keeps."""
    if isinstance(value, dict):
        return {key: _safe(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_NUMBER:
        return str(value)
    assert value is None or isinstance(value, (str, int)), f"{value!r} has no canonical form"
    return value
