"""An upgrade without an interruption: the migrated schema goes on serving the previous release, whose processes still run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint, inspect, make_url, text

from clearing.kit.config import Settings
from clearing.kit.database import Base, CannotUpgrade, Database, newest_revision
from clearing.migrations import check
from clearing.migrations.release import Release, hindrances
from clearing.runtime.preflight.database import check_schema
from clearing.runtime.preflight.refusal import CannotRun

RELEASE = Release.read()
MOMENT = datetime(2026, 11, 27, tzinfo=UTC)
_numbers = itertools.count(1)


@pytest.fixture
def released(bare_database_url: str) -> Iterator[Database]:
    """A database with the schema of the previous release."""
    with closing(Database(bare_database_url)) as database:
        database.upgrade(RELEASE.revision)
        yield database


# -------------------------------------------------------------------- from the previous release


def test_the_releases_migrations_have_not_changed_since(released: Database) -> None:
    seen = inspect(released.engine)
    assert set(seen.get_table_names()) - {"alembic_version"} == set(RELEASE.tables)
    for name, table in RELEASE.tables.items():
        columns = {column["name"]: column for column in seen.get_columns(name)}
        assert set(columns) == set(table.columns), name
        nullable = {column for column, found in columns.items() if found["nullable"]}
        assert nullable == {column for column, said in table.columns.items() if "NOT NULL" not in said}, name


def test_rows_survive_and_the_release_goes_on_writing_and_reading(released: Database) -> None:
    for name in RELEASE.tables:
        _insert(released, name)
    before = {name: _rows(released, name) for name in RELEASE.tables}
    released.upgrade()
    assert released.revision() == newest_revision()
    assert check.differences(released) == []
    after = {name: _rows(released, name) for name in RELEASE.tables}
    for name, kept in before.items():
        assert [row for row in kept if row not in after[name]] == [], name
        _insert(released, name)
        assert len(_rows(released, name)) > len(kept), name


def test_the_models_serve_the_previous_release() -> None:
    assert hindrances(RELEASE, Base.metadata) == []


# -------------------------------------------------------------------- what would hinder it


def _house(*columns: Column[Any], rule: Any = None) -> MetaData:
    metadata = MetaData()
    table = Table("houses", metadata, Column("id", Integer, primary_key=True), *columns)
    if rule is not None:
        table.append_constraint(rule)
    return metadata


def _colour() -> Column[Any]:
    return Column("colour", String(9))


def _doors() -> Column[Any]:
    return Column("doors", Integer, nullable=False, server_default="1")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (MetaData(), "houses is gone"),
        (_house(_colour()), "houses.doors is gone"),
        (_house(Column("colour", Text), _doors()), "houses.colour was VARCHAR(9), and is TEXT"),
        (_house(Column("colour", String(9), nullable=False), _doors()), "houses.colour must have a value now"),
        (_house(_colour(), Column("doors", Integer, nullable=False)), "houses.doors has no default any more"),
        (
            _house(_colour(), _doors(), Column("roof", Text, nullable=False)),
            "houses.roof is new and must have a value",
        ),
        (
            _house(_colour(), _doors(), rule=UniqueConstraint("colour", name="houses_colour_unique")),
            "houses_colour_unique is a new rule",
        ),
    ],
)
def test_what_takes_something_from_the_release_is_named(now: MetaData, said: str) -> None:
    release = Release.of("1.0.0", _house(_colour(), _doors()))
    (found,) = hindrances(release, now)
    assert found.startswith(said)


def test_what_adds_hinders_nobody() -> None:
    release = Release.of("1.0.0", _house(_colour(), _doors()))
    now = _house(_colour(), _doors(), Column("roof", Text), Column("age", Integer, nullable=False, server_default="0"))
    Index("houses_colour_index", now.tables["houses"].c.colour)
    Table("gardens", now, Column("id", Integer, primary_key=True), Column("name", Text, nullable=False))
    assert hindrances(release, now) == []


def test_what_the_release_uses_no_more_may_go() -> None:
    release = Release.of("1.0.0", _house(_colour(), _doors()))
    assert hindrances(release, _house(_doors()), {"houses.colour": "1.0.0"}) == []
    assert hindrances(release, MetaData(), {"houses": "1.0.0"}) == []


# -------------------------------------------------------------------- while it is under way


def test_a_process_of_the_previous_release_goes_on_and_starts_again(released: Database) -> None:
    released.upgrade()
    later = f"{int(newest_revision()) + 1:04d}"
    with released.session.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :later"), {"later": later})
    check_schema(Settings(database_url=released.url))
    with pytest.raises(CannotUpgrade, match=later):
        released.upgrade()
    with released.session.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(CannotRun, match="is at migration 0000"):
        check_schema(Settings(database_url=released.url))


def test_a_table_that_is_in_use_is_not_waited_for(bare_database_url: str) -> None:
    with closing(Database(bare_database_url)) as database:
        if database.is_sqlite:
            pytest.skip("SQLite has one writer, and its own patience")
        database.upgrade("0001")
        url = make_url(bare_database_url)
        with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database) as writer:
            writer.execute("LOCK TABLE merchants IN ROW EXCLUSIVE MODE")  # as every writer does
            with pytest.raises(CannotUpgrade, match="in use by a long transaction; nothing was changed"):
                database.upgrade()
        assert database.revision() == "0001"
        database.upgrade()
        assert database.revision() == newest_revision()


# -------------------------------------------------------------------- rows


def _insert(database: Database, table: str) -> None:
    """Writes a row as the release does: it names the columns that it knows, save those that the database fills in."""
    number = next(_numbers)
    known = {name: said for name, said in RELEASE.tables[table].columns.items() if "DEFAULT" not in said}
    row = {name: _value(said, number) for name, said in known.items()}
    names = ", ".join(f'"{name}"' for name in row)
    statement = text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})")
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.execute(statement, row)
        connection.commit()


def _rows(database: Database, table: str) -> list[dict[str, Any]]:
    names = ", ".join(f'"{name}"' for name in RELEASE.tables[table].columns)
    with database.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT {names} FROM {table}")).mappings()]


def _value(said: str, number: int) -> Any:
    """Something that a column may hold, another one each time."""
    kind = said.removesuffix(" NOT NULL")
    if kind.startswith(("VARCHAR", "TEXT")):
        return f"t{number}"
    if kind in ("INTEGER", "BIGINT") or kind.startswith("NUMERIC"):
        return number
    return {"BOOLEAN": True, "JSON": "[]", "BYTEA": number.to_bytes(32, "big"), "TIMESTAMP WITH TIME ZONE": MOMENT}[
        kind
    ]
