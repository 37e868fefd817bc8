"""A small network in which all holds, for every test that needs a history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.dev.services import anvil
from tests.audit.planted.cheating import elsewhere
from tests.audit.planted.world import CHAIN_ARGUMENTS, World


@pytest.fixture(scope="session")
def lived() -> Iterator[World]:
    """The network after its four days."""
    with anvil(arguments=CHAIN_ARGUMENTS) as node:
        world = World(node.url)
        world.live()
        yield world
        world.chain.close()


@pytest.fixture
def world(lived: World) -> Iterator[World]:
    """The same; whatever a test does to it is undone."""
    with elsewhere(lived):
        yield lived
