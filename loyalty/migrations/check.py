"""Do the migrations make the tables that the models describe? `python -m loyalty.migrations.check` tells the pre-commit hook."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import loyalty.models  # noqa: F401 (all tables)
from loyalty.kit.database import Base, Database


def differences(database: Database) -> list[str]:
    """What only one of both has: the models, or the database's schema."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [repr(one) for one in compare_metadata(context, Base.metadata)]


def main() -> int:
    """Compares with a freshly migrated SQLite file; 1, with what is missing, if they differ."""
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'fresh.db'}")
        database.migrate()
        found = differences(database)
        database.close()
    for one in found:
        sys.stderr.write(f"{one}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
