"""Servers and settings that every test may use. Each worker process has its own servers, started when first asked for."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.clock import MovableClock
from scripts.dev.services import Anvil, Postgres, anvil, postgres
from tests.support.books import Books, prepare
from tests.support.harness import Harness

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=1_000, stateful_step_count=100)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_numbers = itertools.count()
_DAY = 86_400
_UTC_OFFSET = 28_800


def pytest_runtest_setup() -> None:
    """A test begins and ends on the same day of the network's: what is about days would have to say so otherwise."""
    left = _DAY - (time.time() + _UTC_OFFSET) % _DAY
    if left < 60:
        time.sleep(left)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL cluster."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    """A chain for the tests of one file."""
    with anvil(arguments=["--code-size-limit", "60000"]) as node:
        yield node


@pytest.fixture
def own_chain() -> Iterator[Anvil]:
    """A chain for one test, which may kill it or rewrite its history."""
    with anvil(arguments=["--code-size-limit", "60000"]) as node:
        yield node


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tongdui.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.new_database(f"test_{os.getpid()}_{next(_numbers)}")


# ---------------------------------------------------------------- networks, stepped by hand


@pytest.fixture
def clock() -> MovableClock:
    """The clock of the test's network."""
    return MovableClock()


@pytest.fixture
def harness(database_url: str, chain: Anvil, tmp_path: Path, clock: MovableClock) -> Iterator[Harness]:
    """A network with its merchants on board; each test has a contract of its own on a shared chain."""
    network = Harness(database_url, chain.url, tmp_path, clock)
    network.onboard()
    yield network
    network.close()


@pytest.fixture
def lone_harness(database_url: str, own_chain: Anvil, tmp_path: Path, clock: MovableClock) -> Iterator[Harness]:
    """The same on a chain of its own, whose history the test may rewrite."""
    network = Harness(database_url, own_chain.url, tmp_path, clock)
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
def books(request: pytest.FixtureRequest, tmp_path: Path, clock: MovableClock) -> Iterator[Books]:
    """A network without a chain, on each database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("prepared"), tmp_path / "books.db")
        url = f"sqlite:///{tmp_path / 'books.db'}"
    else:
        template = request.getfixturevalue("prepared_template")
        url = request.getfixturevalue("postgres_server").new_database(f"{template}_{next(_numbers)}", template)
    network = Books(url, tmp_path, clock)
    yield network
    network.close()
