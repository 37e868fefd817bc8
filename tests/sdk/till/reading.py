"""Reads a till's file for a test, with the shipped mapping or one that differs in some settings."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from tongdui.till._mapping import TillMapping
from tongdui.till._rows import Row, RowProblem, RowReader

HEADER = "time,sale number,customer,article,quantity,unit,amount"


class Found(NamedTuple):
    """What a file contains."""

    rows: list[Row]
    problems: list[RowProblem]
    reader: RowReader


def station(**sections: Any) -> TillMapping:
    """The mapping `station`, with some settings of some sections changed."""
    text = (resources.files("tongdui.till") / "mappings" / "station.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    for section, settings in sections.items():
        document[section] = {**document.get(section, {}), **settings}
    return TillMapping.parse(document, "changed.toml")


def read(path: Path, **sections: Any) -> Found:
    """Read a file to its end, without the check of columns that look like a status."""
    reader = RowReader(path, station(**sections))
    rows: list[Row] = []
    problems: list[RowProblem] = []
    for batch in reader.batches():
        rows += batch.rows
        problems += batch.problems
    return Found(rows, problems, reader)
