"""One programme for all tests of a worker, and one browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from tests.console.conftest import browser as browser  # noqa: PLC0414 (a fixture of this folder, too)
from tests.loyalty.pages.site import Site, seeded, served


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, programme_file: Path) -> Iterator[Site]:
    """A programme that has seen something of everything."""
    path = tmp_path_factory.mktemp("staff") / "programme.db"
    shutil.copy(programme_file, path)
    database = Database(f"sqlite:///{path}", ShiftedClock())
    with served(seeded(database, database.clock)) as found:  # type: ignore[arg-type]
        yield found
    database.close()
