"""The migrations make the schema that the models describe, on both databases, and names that a person can read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from clearing.kit.database import Base, CannotUpgrade, Database, newest_revision
from clearing.migrations import check


@pytest.fixture
def database(bare_database_url: str) -> Iterator[Database]:
    """A database of each kind, just migrated."""
    found = Database(bare_database_url)
    found.upgrade()
    yield found
    found.close()


@pytest.fixture
def config() -> Config:
    """Where alembic finds the migrations."""
    found = Config()
    found.set_main_option("script_location", "clearing/migrations")
    return found


def test_no_migration_is_missing(database: Database) -> None:
    assert check.differences(database) == []


def test_a_changed_column_a_missing_index_and_another_predicate_are_found(database: Database) -> None:
    with database.session.begin() as session:
        session.execute(text("DROP INDEX orders_queue_index"))
        session.execute(text("DROP INDEX accounts_program_index"))
        session.execute(text("CREATE INDEX orders_queue_index ON orders (seq) WHERE state = 'settled'"))
        session.execute(text("ALTER TABLE holds ADD COLUMN colour VARCHAR(9)"))
    found = "\n".join(check.differences(database))
    assert "accounts_program_index" in found
    assert "colour" in found
    assert ("settled" in found) is database.is_sqlite


def test_the_newest_migration_is_the_one_with_the_highest_number(bare_database_url: str, config: Config) -> None:
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]
    database = Database(bare_database_url)
    assert database.revision() is None
    database.upgrade()
    assert database.revision() == newest_revision()
    database.close()


def test_a_schema_of_a_later_version_cannot_be_upgraded(database: Database) -> None:
    with database.session.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CannotUpgrade, match="9999"):
        database.upgrade()
    assert database.revision() == "9999"


def test_the_command_for_the_hook_finds_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clearing.migrations.check"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_schema_can_be_taken_down_again(database: Database, config: Config) -> None:
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
    assert inspect(database.engine).get_table_names() == ["alembic_version"]


def test_names_say_table_and_purpose_and_fit_postgresql() -> None:
    for table in Base.metadata.tables.values():
        for thing in (*table.constraints, *table.indexes):
            name = str(thing.name)
            assert name.startswith(f"{table.name}_"), name
            assert name.endswith(("_pkey", "_fkey", "_unique", "_index", "_check")), name
            assert len(name) <= 63, name
