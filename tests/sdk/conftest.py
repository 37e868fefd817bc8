"""A stand-in gateway with two merchants and their clients."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.sdk.stand_in import StandIn, stand_in
from tongdui import Client, LocalSigner


@pytest.fixture
def gateway() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


@pytest.fixture
def station(gateway: StandIn) -> LocalSigner:
    """The key of the merchant that runs FUEL; CINE belongs to another one, and one agreement joins the two."""
    signer, other = LocalSigner("0x" + "11" * 32), LocalSigner("0x" + "22" * 32)
    gateway.program("FUEL", gateway.merchant("station", signer.address))
    gateway.program("CINE", gateway.merchant("cinema", other.address))
    gateway.agreement("FUEL", "CINE")
    gateway.member("FC-1001")
    return signer


@pytest.fixture
def client(gateway: StandIn, station: LocalSigner) -> Iterator[Client]:
    with Client(gateway.url, "tdk_station_secret", signer=station) as opened:
        yield opened


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps here; this is how long they would have."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses
