"""Does the schema still serve the previous release? While gateways are upgraded one after the other, both versions use it.

`released.json` describes the schema of the newest release. `python -m clearing.migrations.release VERSION` writes it when a version
is released; from then on its migrations do not change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, MetaData, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.database import Base, newest_revision

_NEEDED, _FILLED = " NOT NULL", " DEFAULT"
RELEASED = Path(__file__).parent / "released.json"
NO_LONGER_USED: Mapping[str, str] = {}
"""A table, or TABLE.COLUMN, that the released version does not use any more -> the release that gave it up. Only that may go."""


class ReleasedTable(BaseModel):
    """What a program of the release knows of a table."""

    columns: dict[str, str]
    """As PostgreSQL would make them: `INTEGER NOT NULL`. `DEFAULT` says that the database fills it in."""
    rules: list[str]
    """Names of what it refuses: constraints and unique indexes."""


class Release(BaseModel):
    """The schema of a release."""

    version: str
    revision: str
    """The last of its migrations."""
    tables: dict[str, ReleasedTable]

    @classmethod
    def read(cls) -> Release:
        """The newest release."""
        return cls.model_validate_json(RELEASED.read_bytes())

    @classmethod
    def of(cls, version: str, metadata: MetaData) -> Release:
        """The schema as the models describe it."""
        tables = {table.name: _described(table) for table in metadata.sorted_tables}
        return cls(version=version, revision=newest_revision(), tables=dict(sorted(tables.items())))


def hindrances(release: Release, metadata: MetaData, no_longer_used: Mapping[str, str] = NO_LONGER_USED) -> list[str]:
    """What a program of the release could not do any more with the schema of the models."""
    now = Release.of("", metadata).tables
    found: list[str] = []
    for name, released in release.tables.items():
        if name in now:
            found += _of_table(name, released, now[name], no_longer_used)
        elif name not in no_longer_used:
            found.append(f"{name} is gone")
    return found


def _of_table(
    name: str, released: ReleasedTable, now: ReleasedTable, no_longer_used: Mapping[str, str]
) -> Iterator[str]:
    for column, was in released.columns.items():
        place, found = f"{name}.{column}", now.columns.get(column)
        if found is not None:
            yield from _of_column(place, was, found)
        elif place not in no_longer_used:
            yield f"{place} is gone"
    for column, found in now.columns.items():
        if column not in released.columns and _NEEDED in found and _FILLED not in found:
            yield f"{name}.{column} is new and must have a value: give it a server_default, for the release knows nothing of it"
    for rule in now.rules:
        if rule not in released.rules:
            yield f"{rule} is a new rule: the release may write what it refuses"


def _of_column(place: str, was: str, found: str) -> Iterator[str]:
    if _type(found) != _type(was):
        yield f"{place} was {_type(was)}, and is {_type(found)}: a new column beside it serves both versions"
    if _NEEDED in found and _NEEDED not in was:
        yield f"{place} must have a value now: the release may leave it empty"
    if _FILLED in was and _FILLED not in found:
        yield f"{place} has no default any more: the release leaves it to the database"


def _described(table: Table) -> ReleasedTable:
    columns = {column.name: _column(column) for column in table.columns}
    kinds = CheckConstraint | ForeignKeyConstraint | UniqueConstraint
    rules = [str(index.name) for index in table.indexes if index.unique]
    rules += [str(constraint.name) for constraint in table.constraints if isinstance(constraint, kinds)]
    return ReleasedTable(columns=columns, rules=sorted(rules))


def _column(column: Column[Any]) -> str:
    is_filled = column.server_default is not None or column is column.table.autoincrement_column
    kind = column.type.compile(postgresql.dialect())  # type: ignore[no-untyped-call]
    return f"{kind}{'' if column.nullable else _NEEDED}{_FILLED if is_filled else ''}"


def _type(column: str) -> str:
    return column.removesuffix(_FILLED).removesuffix(_NEEDED)


def main(arguments: list[str]) -> int:
    """Writes what the schema is as that of a release."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m clearing.migrations.release VERSION\n")
        return 2
    release = Release.of(arguments[0], Base.metadata)
    RELEASED.write_text(json.dumps(release.model_dump(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
