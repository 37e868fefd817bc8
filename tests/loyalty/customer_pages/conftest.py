"""Programmes with customers: an empty one for each test, and one that is served to browsers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from tests.console.conftest import browser as browser  # noqa: PLC0414 (a fixture of this folder, too)
from tests.loyalty.customer_pages.site import Site, seeded, served
from tests.loyalty.customer_pages.world import CHEN, LI, World, world_on


@pytest.fixture
def world(programme: Database, shifted: ShiftedClock, tmp_path: Path) -> World:
    """A station that is open, and two customers."""
    found = world_on(programme, shifted, tmp_path)
    found.shop.open()
    found.customer(CHEN)
    found.customer(LI)
    return found


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, programme_file: Path) -> Iterator[Site]:
    """A programme in which one customer has seen something of everything."""
    folder = tmp_path_factory.mktemp("customers")
    shutil.copy(programme_file, folder / "programme.db")
    clock = ShiftedClock()
    database = Database(f"sqlite:///{folder / 'programme.db'}", clock)
    with served(seeded(world_on(database, clock, folder, console_url="https://console.example"))) as found:
        yield found
    database.close()
