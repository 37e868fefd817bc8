"""Databases of the programme, of both kinds, with all tables: copied, because to migrate takes a second."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty import commands
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from scripts.dev.services import Postgres

_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def _programme_logs() -> Iterator[None]:
    """Keeps a command that a test runs here from giving all loggers a stream that is closed when the test ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "configure_logs", lambda: None)
        yield


@pytest.fixture(scope="session")
def programme_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables of the programme."""
    path = tmp_path_factory.mktemp("programme") / "programme.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def programme_template(postgres_server: Postgres) -> str:
    """The name of a PostgreSQL database with the same, as a template."""
    name = f"programme_{os.getpid()}"
    _migrate(postgres_server.new_database(name))
    return name


def _migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def programme_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind, with all tables and no rows."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("programme_file"), tmp_path / "programme.db")
        return f"sqlite:///{tmp_path / 'programme.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("programme_template")
    return server.new_database(f"{template}_{next(_numbers)}", template)


@pytest.fixture
def shifted() -> ShiftedClock:
    """The clock of the test's programme."""
    return ShiftedClock()


@pytest.fixture
def programme(programme_url: str, shifted: ShiftedClock) -> Iterator[Database]:
    """A programme's database on the test's clock."""
    database = Database(programme_url, shifted)
    yield database
    database.close()
