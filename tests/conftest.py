"""Servers and settings that every test may use. Each worker process has its own servers, started when first asked for."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from scripts.services import Anvil, Postgres, anvil, postgres

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
