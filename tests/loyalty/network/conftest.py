"""One network, with a gas-station group on board, for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearing.runtime.embedded.network import EmbeddedNetwork
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.network.client import network_client
from tests.loyalty.network.station import Station, station_on
from tests.loyalty.network.world import World


@pytest.fixture(scope="package")  # a network that only waits takes the time of others
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """The group on its network."""
    directory = tmp_path_factory.mktemp("station")
    with EmbeddedNetwork(directory / "network", worker=False) as network:
        found = station_on(network, directory)
        yield found
        for client in (found.operator, found.treasury, found.client):
            client.close()


@pytest.fixture
def world(station: Station, programme: Database, shifted: ShiftedClock) -> Iterator[World]:
    """A programme of the group, with nothing in it."""
    settings = station.settings(programme.url)
    with network_client(settings) as client:
        yield World(station, programme, shifted, settings, client)
