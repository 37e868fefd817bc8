"""Does the migrated schema equal the models, and serve the previous release? `python -m clearing.migrations.check` tells, for the
pre-commit hook."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Index, MetaData

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.database import Base, Database
from clearing.migrations.release import Release, hindrances


def main() -> int:
    """Migrates an empty SQLite database and compares. Exit code 1, with what is wrong, when a migration is missing, or takes
    something from the previous release."""
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'empty.db'}")
        database.upgrade()
        found = differences(database)
        database.close()
    for difference in found:
        sys.stderr.write(f"{difference}\n")
    if found:
        sys.stderr.write("The models have changed: add a migration with `alembic revision --autogenerate`.\n")
    release = Release.read()
    hindered = hindrances(release, Base.metadata)
    for hindrance in hindered:
        sys.stderr.write(f"{hindrance}\n")
    if hindered:
        sys.stderr.write(
            f'Version {release.version} would fail while an upgrade is under way: CONTRIBUTING.md, "A migration".\n'
        )
    return 1 if found or hindered else 0


def differences(database: Database) -> list[str]:
    """What the models say and the database's schema does not, or the other way round."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = [repr(difference) for difference in compare_metadata(context, Base.metadata)]
        if database.is_sqlite:
            reflected = MetaData()
            reflected.reflect(connection)
            found += _predicates(reflected)
    return found


def _predicates(reflected: MetaData) -> list[str]:
    """Partial indexes over other rows, which Alembic does not compare. SQLite keeps a predicate as it was written."""
    wanted, given = _partial_indexes(Base.metadata), _partial_indexes(reflected)
    return [
        f"the index {name} is over {given.get(name)!r}, and the model says {wanted.get(name)!r}"
        for name in sorted(wanted.keys() | given.keys())
        if wanted.get(name) != given.get(name)
    ]


def _partial_indexes(metadata: MetaData) -> dict[str, str]:
    indexes: list[Index] = [index for table in metadata.tables.values() for index in table.indexes]
    conditions = {str(index.name): index.dialect_options["sqlite"].get("where") for index in indexes}
    return {name: str(condition) for name, condition in conditions.items() if condition is not None}


if __name__ == "__main__":
    sys.exit(main())
