"""A stepped network for each test, on both databases."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.services import Anvil, Postgres
from tests.clearing.books import Books, prepare
from tests.clearing.harness import Harness

_numbers = itertools.count()


@pytest.fixture
def harness(database_url: str, chain: Anvil, tmp_path: Path) -> Iterator[Harness]:
    """A network with its merchants on board; each test has a contract of its own on a shared chain."""
    network = Harness(database_url, chain.url, tmp_path)
    network.onboard()
    yield network
    network.close()


@pytest.fixture
def lone_harness(database_url: str, own_chain: Anvil, tmp_path: Path) -> Iterator[Harness]:
    """The same on a chain of its own, whose history the test may rewrite."""
    network = Harness(database_url, own_chain.url, tmp_path)
    network.onboard()
    yield network
    network.close()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a small network in it."""
    path = tmp_path_factory.mktemp("prepared") / "books.db"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def prepared_template(postgres_server: Postgres) -> str:
    """A PostgreSQL database with the same in it, to be copied."""
    name = f"books_{os.getpid()}"
    prepare(postgres_server.new_database(name))
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """A network without a chain, on each database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("prepared"), tmp_path / "books.db")
        url = f"sqlite:///{tmp_path / 'books.db'}"
    else:
        template = request.getfixturevalue("prepared_template")
        url = request.getfixturevalue("postgres_server").new_database(f"{template}_{next(_numbers)}", template)
    network = Books(url, tmp_path)
    yield network
    network.close()
