"""A stepped network for each test, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.services import Anvil
from tests.clearing.harness import Harness


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
