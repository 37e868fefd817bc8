"""Looks at a till's file and proposes a mapping that reads it: `tongdui till inspect FILE`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tongdui._errors import TillError

from ._detect_articles import detect_articles, prefer_names, propose_categories
from ._detect_columns import Columns, detect_columns
from ._detect_layout import Layout, detect_layout
from ._detect_rows import (
    common_customer,
    count_scientific,
    detect_footers,
    detect_no_customer,
    detect_return_prefix,
    detect_statuses,
    keep_sales,
)
from ._inspect_findings import findings_of
from ._inspect_mapping import Proposal, toml_of
from ._inspect_reading import findings_of_rows
from ._mapping import TillMapping
from ._rows import Row, RowProblem, RowReader

_SHOWN = 20
"""The rows that an inspection shows."""
_CHECKED = 20_000
"""The rows that an inspection reads with the mapping that it proposes."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look at a till's file found.

    Attributes:
        path: The file.
        toml: The text of a mapping that fits the file. What a person must check is marked in it.
        mapping: The same mapping, parsed.
        rows: The first rows of the file as that mapping reads them, and the problems among them.
        findings: What was found and what is left open, a sentence each.
    """

    path: Path
    toml: str
    mapping: TillMapping
    rows: tuple[Row | RowProblem, ...]
    findings: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The inspection as data that JSON can hold.

        Returns:
            The file's name, the mapping's text, the rows and the findings.
        """
        return {
            "file": self.path.name,
            "mapping": self.toml,
            "rows": [_row(row) for row in self.rows],
            "findings": list(self.findings),
        }


def inspect_till(path: str | Path) -> Inspection:
    """Look at a till's file and propose a mapping that reads it.

    The whole file is decoded to find its encoding. The rest is found in its first 20,000 rows and in as many again,
    spread over the file.

    Args:
        path: The file: CSV in any usual encoding, or .xlsx.

    Returns:
        The mapping, the first rows as it reads them, and what a person must check.

    Raises:
        TillError: The file cannot be read, is no text and no workbook, has no header, or lacks a column that points need.
    """
    file = Path(path)
    layout = detect_layout(file)
    columns = detect_columns(layout)
    _require(file, layout, columns)
    proposal = _proposal(file, layout, columns)
    text = toml_of(proposal)
    mapping = TillMapping.parse(tomllib.loads(text), f"{file.name} (proposed)")
    reader = RowReader(file, mapping)
    rows = sorted(islice(reader, _CHECKED), key=lambda row: row.line)
    asked = (f"Open question: {question}. Until then, the import refuses the file." for question in reader.questions())
    findings = (*findings_of(proposal), *findings_of_rows(rows, layout, mapping), *asked)
    return Inspection(file, text, mapping, tuple(rows[:_SHOWN]), findings)


def _row(row: Row | RowProblem) -> dict[str, Any]:
    if isinstance(row, RowProblem):
        return {"line": row.line, "field": row.field, "reason": row.reason, "value": row.value, "sale": row.sale}
    return {
        "line": row.line,
        "till": row.till,
        "sale": row.sale,
        "time": row.time.isoformat().replace("+00:00", "Z"),
        "customer": row.customer,
        "article": row.article,
        "category": row.category,
        "quantity": str(row.quantity),
        "unit": row.unit,
        "amount": str(row.amount),
    }


_NEEDED = {
    "time": "the time of a sale",
    "sale": "a sale's number",
    "customer": "the customer's number",
    "article": "the article",
    "quantity": "the quantity",
}


def _require(path: Path, layout: Layout, columns: Columns) -> None:
    """Without these columns no mapping can be right, so there is nothing to propose."""
    missing = [what for ours, what in _NEEDED.items() if ours not in columns.theirs]
    if not {"amount", "unit_price"} & set(columns.theirs):
        missing.append("the amount or the unit price")
    if missing:
        names = ", ".join(repr(name) for name in layout.names if name)
        raise TillError(
            f"{path}:{layout.header}: no column seems to hold {' or '.join(missing)} (the columns are {names}); "
            "name the columns in a mapping of your own"
        )


def _proposal(path: Path, layout: Layout, columns: Columns) -> Proposal:
    footers = detect_footers(layout, columns)
    keep_sales(layout, columns)
    prefer_names(layout, columns)
    none = detect_no_customer(layout, columns)
    return Proposal(
        path=path,
        layout=layout,
        columns=columns,
        categories=propose_categories(detect_articles(layout, columns)),
        statuses=detect_statuses(layout, columns),
        footers=footers,
        no_customer=none,
        common_customer=common_customer(layout, columns, none),
        return_prefix=detect_return_prefix(layout, columns),
        scientific=count_scientific(layout, columns),
    )
