"""A whole network for the tests of a worker, with the four merchants of the demo on board."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearing.runtime.embedded.network import EmbeddedNetwork
from scripts.demo.participants import Participants
from tests.e2e.witness import Witness


@pytest.fixture(scope="package")  # a network that only waits takes the time of others
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    """Somebody who sees everything and can sign anything."""
    with EmbeddedNetwork(tmp_path_factory.mktemp("network"), worker=False) as network:
        participants = Participants(network)
        participants.onboard(lambda _: None)
        found = Witness(participants)
        yield found
        found.close()
        participants.close()
