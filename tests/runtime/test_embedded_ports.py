"""Which ports an embedded network takes, before anything listens on them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from clearing.runtime.embedded import network as module
from clearing.runtime.embedded.network import EmbeddedNetwork
from clearing.runtime.embedded.ports import HOST, free_port


def claimed(directory: Path, **options: object) -> EmbeddedNetwork:
    network = EmbeddedNetwork(directory, **options)  # type: ignore[arg-type]
    network._claim()
    network.stop()
    return network


def test_a_network_without_a_console_takes_no_port_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def counted() -> int:
        taken.append(free_port())
        return taken[-1]

    monkeypatch.setattr(module, "free_port", counted)
    network = claimed(tmp_path, console_port=0)
    assert network.console_port is None
    assert sorted(taken) == sorted([network.gateway_port, network.rpc_port or 0])
    with pytest.raises(AssertionError, match="no console"):
        assert network.console_url


def test_a_taken_console_port_matters_only_with_a_console(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        claimed(tmp_path, console_port=port)
        with pytest.raises(module.NetworkError, match=f"port {port} is taken, so the console cannot listen there"):
            claimed(tmp_path, console=True, console_port=port)


def test_a_console_takes_the_port_that_was_asked_for_or_a_free_one(tmp_path: Path) -> None:
    port = free_port()
    assert claimed(tmp_path, console=True, console_port=port).console_port == port
    assert claimed(tmp_path, console=True, console_port=0).console_port
    assert claimed(tmp_path, console=True).console_port
