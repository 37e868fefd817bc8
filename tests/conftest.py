"""Servers and settings for every test. Each worker process starts its own servers when a test first needs them."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit import logs
from clearing.kit.clock import MovableClock
from clearing.kit.database import Database
from clearing.kit.garbage import freeze_startup_objects
from clearing.kit.signing import keyring
from scripts.dev.services import Anvil, Postgres, anvil, postgres
from tests.support.chainless import ChainlessNetwork, prepare
from tests.support.harness import Harness
from tests.support.onboarded import Onboarded

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=1_000, stateful_step_count=100)
hypothesis.settings.register_profile(
    "mutation", deadline=None, phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate)
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A run in the background ignores it, and so would every process that a test starts and interrupts."""

keyring._SCRYPT_N = 2**4
"""A keystore protects a key that somebody has stolen. Nobody steals those of tests, and each network makes seven."""

_numbers = itertools.count()
_DAY = 86_400
_UTC_OFFSET = 28_800
_ANVIL = ("--code-size-limit", "60000")


@pytest.fixture(scope="session", autouse=True)
def _logs() -> Iterator[None]:
    """Keeps a command that a test runs here from giving all loggers that test's own stream, which is closed when the test ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "configure", lambda: None)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the folders that have slow tests first, and in each of them the files that have some: a long file that began last would
    leave the other workers idle. A folder stays in one piece, because the network that its tests share ends with it."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    folders = {path.parent for path in slow}
    items.sort(key=lambda item: (item.path.parent not in folders, item.path.parent, item.path not in slow))


def pytest_collection_finish() -> None:
    """Spares the garbage collector what is loaded by now, a million objects: tests take a tenth less of the processor."""
    freeze_startup_objects()


def pytest_runtest_setup() -> None:
    """Waits for the next network day if this one is about to end, so that no test runs over midnight."""
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
    """A chain shared by the tests of one file."""
    with anvil(arguments=_ANVIL) as node:
        yield node


@pytest.fixture
def own_chain() -> Iterator[Anvil]:
    """A chain for one test, which may kill it or rewrite its history."""
    with anvil(arguments=_ANVIL) as node:
        yield node


Migrated = Callable[[str, Path], str]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows."""
    path = tmp_path_factory.mktemp("migrated") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres) -> str:
    """The name of a PostgreSQL database with the same, as a template."""
    name = f"migrated_{os.getpid()}"
    _migrate(postgres_server.new_database(name))
    return name


def _migrate(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.close()


@pytest.fixture(scope="session")
def migrated(request: pytest.FixtureRequest) -> Migrated:
    """Makes a database of one kind with all tables: a copy, because to migrate takes a second. The file, if it is one, goes into
    the directory."""

    def make(kind: str, directory: Path) -> str:
        number = next(_numbers)
        if kind == "sqlite":
            path = directory / f"tongdui-{number}.db"
            shutil.copy(request.getfixturevalue("migrated_file"), path)
            return f"sqlite:///{path}"
        server: Postgres = request.getfixturevalue("postgres_server")
        template: str = request.getfixturevalue("migrated_template")
        return server.new_database(f"test_{os.getpid()}_{number}", template)

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated: Migrated) -> str:
    """A database of each kind, with all tables and no rows."""
    return migrated(request.param, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind, without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.new_database(f"bare_{os.getpid()}_{next(_numbers)}")


@pytest.fixture
def empty_database(database_url: str, tmp_path: Path, migrated: Migrated) -> Database:
    """A second database of the same kind."""
    return Database(migrated("sqlite" if database_url.startswith("sqlite") else "postgresql", tmp_path))


# ---------------------------------------------------------------- networks, stepped by hand


@pytest.fixture
def clock() -> MovableClock:
    """The clock of the test's network."""
    return MovableClock()


@pytest.fixture(scope="session")
def onboarded_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Onboarded]:
    """Networks with their merchants onboarded, on SQLite."""
    directory = tmp_path_factory.mktemp("onboarded")

    def copied(to: Path) -> str:
        shutil.copy(directory / "onboarded.db", to / "tongdui.db")
        return f"sqlite:///{to / 'tongdui.db'}"

    with anvil(arguments=_ANVIL) as node:
        yield Onboarded(node, f"sqlite:///{directory / 'onboarded.db'}", directory, copied)


@pytest.fixture(scope="session")
def onboarded_template(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Onboarded]:
    """The same on PostgreSQL."""
    name = f"onboarded_{os.getpid()}"
    with anvil(arguments=_ANVIL) as node:
        yield Onboarded(
            node,
            postgres_server.new_database(name),
            tmp_path_factory.mktemp("onboarded"),
            lambda _: postgres_server.new_database(f"{name}_{next(_numbers)}", name),
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def onboarded(request: pytest.FixtureRequest) -> Onboarded:
    """The same on a database of each kind."""
    found: Onboarded = request.getfixturevalue(f"onboarded_{'file' if request.param == 'sqlite' else 'template'}")
    return found


@pytest.fixture
def harness(onboarded: Onboarded, tmp_path: Path, clock: MovableClock) -> Iterator[Harness]:
    """A network with its merchants onboarded, on a chain where nothing else happens meanwhile."""
    network = onboarded.network(tmp_path, clock)
    yield network
    network.close()


@pytest.fixture
def lone_harness(database_url: str, own_chain: Anvil, tmp_path: Path, clock: MovableClock) -> Iterator[Harness]:
    """The same on its own chain, whose history the test may rewrite."""
    network = Harness(database_url, own_chain.url, tmp_path, clock)
    network.onboard()
    yield network
    network.close()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that holds the small network of `ChainlessNetwork`."""
    path = tmp_path_factory.mktemp("prepared") / "chainless.db"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def prepared_template(postgres_server: Postgres) -> str:
    """A PostgreSQL database that holds the same, as a template."""
    name = f"chainless_{os.getpid()}"
    prepare(postgres_server.new_database(name))
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def chainless(request: pytest.FixtureRequest, tmp_path: Path, clock: MovableClock) -> Iterator[ChainlessNetwork]:
    """A network without a chain, on each database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("prepared"), tmp_path / "chainless.db")
        url = f"sqlite:///{tmp_path / 'chainless.db'}"
    else:
        template = request.getfixturevalue("prepared_template")
        url = request.getfixturevalue("postgres_server").new_database(f"{template}_{next(_numbers)}", template)
    network = ChainlessNetwork(url, tmp_path, clock)
    yield network
    network.close()
