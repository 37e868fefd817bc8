"""A real network with a station that signs for itself, a cinema, and a shop for which the gateway signs; and the command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.site import Site
from tongdui import yuan
from tongdui._cli import main
from tongdui.testing import Acceptor, Network, Participant, network

PASSWORD = "correct horse"
COMMAND = [sys.executable, "-m", "tongdui._cli"]
"""The command as a process of its own."""


@dataclass(frozen=True)
class Place:
    """The network and who is in it. `shop_key` is the API key of a merchant whose orders the gateway signs."""

    network: Network
    station: Participant
    cinema: Participant
    wash: Acceptor
    shop_key: str
    keystore: Path


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        """The problem document on standard error."""
        return json.loads(self.err)


class Terminal:
    """Runs the command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Result:
        self._capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        assert "Traceback" not in printed.err
        return Result(code, printed.out, printed.err)

    def good(self, *arguments: str) -> Result:
        """A command that succeeds."""
        result = self(*arguments)
        assert result.code == 0, result.err + result.out
        return result


@pytest.fixture(scope="package")  # a network that only waits takes the time of others
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("place")
    with network(home / "network") as running:
        station, cinema, wash = running.join("FUEL"), running.join("CINE"), running.join_acceptor("Wash")
        running.agree(station, cinema, rate="9/10", fee_bps=50)
        running.agree_acceptance(station, wash)
        shop = running.operator.merchants.create(name="Shop", managed_key=True, wait=60)
        running.deposit(shop, yuan(100))
        running.operator.programs.create(merchant=shop, code="SHOP", name="Stamps", wait=60)
        shop_key = running.first_key(shop)
        keystore = station.signer.save_keystore(home / "station.json", PASSWORD)
        yield Place(running, station, cinema, wash, shop_key, keystore)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway without a chain: nothing settles there unless the test says so."""
    directory = tmp_path_factory.mktemp("site")
    with Site(f"sqlite:///{directory / 'tongdui.db'}", directory) as running:
        yield running


@pytest.fixture(autouse=True)
def empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings, and a home directory of the test's own."""
    for name in os.environ:
        if name.startswith("TONGDUI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def tongdui(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


@pytest.fixture
def own(site: Site, tongdui: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The command of a merchant at a gateway without a chain."""
    monkeypatch.setenv("TONGDUI_URL", str(site.http.base_url))
    monkeypatch.setenv("TONGDUI_API_KEY", site.keys[site.merchant().id])
    return tongdui


@pytest.fixture
def as_shop(place: Place, monkeypatch: pytest.MonkeyPatch, tongdui: Terminal) -> Terminal:
    """The command of a merchant whose orders the gateway signs."""
    monkeypatch.setenv("TONGDUI_URL", place.network.url)
    monkeypatch.setenv("TONGDUI_API_KEY", place.shop_key)
    return tongdui


@pytest.fixture
def as_station(place: Place, monkeypatch: pytest.MonkeyPatch, tongdui: Terminal) -> Terminal:
    """The command of a merchant that signs on this machine."""
    monkeypatch.setenv("TONGDUI_URL", place.network.url)
    monkeypatch.setenv("TONGDUI_API_KEY", place.station.api_key)
    monkeypatch.setenv("TONGDUI_KEYSTORE", str(place.keystore))
    monkeypatch.setenv("TONGDUI_KEYSTORE_PASSWORD", PASSWORD)
    return tongdui
