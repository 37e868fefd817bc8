"""Seeds: every test of this directory prints one, and `pytest tests/faults --seed N` repeats its faults."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.dev.services import Postgres, anvil
from tests.faults.world import World

_HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="repeat the faults of an earlier run")
    parser.addoption("--every-step", action="store_true", default=False, help="stop at every step instead of some")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hundreds of steps take as long as the machine needs. `Patience` notices where nothing gets on any more."""
    if config.getoption("--every-step", default=False):
        for item in items:
            if item.path.is_relative_to(_HERE):
                item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """Decides where things break."""
    given = request.config.getoption("--seed", default=None)
    return int(given) if given is not None else random.randrange(10**9)


@pytest.fixture(scope="session")
def every_step(request: pytest.FixtureRequest) -> bool:
    """Whether to stop at every step."""
    return bool(request.config.getoption("--every-step", default=False))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A network on its own PostgreSQL and anvil, which the tests kill."""
    directory: Path = tmp_path_factory.mktemp("world")
    with Postgres() as server, anvil(arguments=["--code-size-limit", "60000"]) as node:
        found = World(server, node, directory)
        yield found
        found.close()
