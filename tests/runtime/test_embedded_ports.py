"""Which ports an embedded network takes, before anything listens on them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from clearing.runtime.embedded import network as module
from clearing.runtime.embedded.network import EmbeddedNetwork
from clearing.runtime.embedded.ports import HOST, Claims, NoFreePortError, free_port, is_free


def claimed(directory: Path, **options: object) -> EmbeddedNetwork:
    network = EmbeddedNetwork(directory, **options)  # type: ignore[arg-type]
    try:
        network._claim()
    finally:
        network.stop()
    return network


def test_a_network_without_a_console_takes_no_port_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    claim_first = Claims.claim_first

    def counted(claims: Claims, candidates: Iterable[int]) -> int:
        taken.append(claim_first(claims, candidates))
        return taken[-1]

    monkeypatch.setattr(Claims, "claim_first", counted)
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


def test_two_networks_that_start_at_once_take_different_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens yet when the second one looks: it would take the first one's chain for its own."""
    monkeypatch.setattr(module, "_USUAL_RPC_PORT", free_port())
    first, second = EmbeddedNetwork(tmp_path / "1", rpc_port=None), EmbeddedNetwork(tmp_path / "2", rpc_port=None)
    try:
        for network in (first, second):
            network.directory.mkdir()
            network._claim()
        assert first.rpc_port == module._USUAL_RPC_PORT
        assert second.rpc_port not in (None, first.rpc_port)
        wanted = EmbeddedNetwork(tmp_path, gateway_port=first.gateway_port)
        with pytest.raises(module.NetworkError, match=f"port {first.gateway_port} is taken, so the gateway cannot"):
            wanted.start()
    finally:
        first.stop()
        second.stop()
    assert claimed(tmp_path, rpc_port=None).rpc_port == first.rpc_port


def test_a_claim_ends_with_its_process() -> None:
    port = free_port()
    holding = (
        "import sys\nfrom clearing.runtime.embedded.ports import Claims\nclaims = Claims()\n"
        f"print(claims.claim({port}), flush=True)\nsys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"True\n"
    claims = Claims()
    assert is_free(port)  # nothing listens
    assert not claims.claim(port)
    with pytest.raises(NoFreePortError):
        claims.claim_first([port])
    other.kill()
    other.communicate()
    assert claims.claim_first([port]) == port
    claims.release()
    claims.release()
    assert claims.claim(port)
    claims.release()
