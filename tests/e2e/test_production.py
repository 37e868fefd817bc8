"""The production shape: PostgreSQL, a chain of its own, each process by its own command, and spare ones that take over."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.dev.services import Anvil, Postgres, anvil, free_port
from tests.support.production import Site, eventually, is_healthy
from tongdui import Client, LocalSigner, testing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WAIT = 60.0


@pytest.fixture
def chain() -> Iterator[Anvil]:
    """A node with Ethereum's limits, whose gas is free."""
    with anvil() as node:
        yield node


@pytest.fixture
def site(chain: Anvil, postgres_server: Postgres, tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    running = Site(
        tmp_path,
        {
            "TONGDUI_DATABASE_URL": postgres_server.new_database(f"production_{os.getpid()}"),
            "TONGDUI_RPC_URL": chain.url,
            "TONGDUI_CHAIN_ID": str(int(chain.rpc("eth_chainId"), 16)),
            "TONGDUI_KEYSTORE_DIR": str(tmp_path / "keys"),
            "TONGDUI_GATEWAY_PORT": str(port),
        },
    )
    yield running
    running.stop_all()


def test_a_network_is_deployed_command_by_command_and_survives_its_parts(site: Site, chain: Anvil) -> None:
    site.command("migrate")
    site.command("migrate")
    told = site.command("deploy")
    assert site.command("deploy") == told, "deploying again found the same contract"
    match = re.search(r"TONGDUI_CONTRACT=(0x[0-9a-fA-F]{40})", told)
    assert match, told
    site.environment["TONGDUI_CONTRACT"] = match[1]
    keys = json.loads(site.command("keys"))
    assert set(keys) == {"operator", "treasury", "auditor"}
    assert json.loads(site.command("keys")) == {}, "first keys are made once"

    second_port = str(free_port())
    for name in ("sequencer", "projector", "signer"):
        site.start(f"{name}-1", "clearing", name)
        site.start(f"{name}-2", "clearing", name)
    site.start("gateway-1", "gateway")
    site.start("gateway-2", "gateway", TONGDUI_GATEWAY_PORT=second_port)
    urls = [f"http://127.0.0.1:{port}" for port in (site.environment["TONGDUI_GATEWAY_PORT"], second_port)]
    for url in urls:
        eventually(lambda url=url: is_healthy(url), f"{url} is not healthy")  # type: ignore[misc]

    signer = LocalSigner.generate()
    with Client(urls[0], keys["operator"]) as operator, Client(urls[1], keys["treasury"]) as treasury:
        merchant = operator.merchants.create(name="Station", signer_address=signer.address, wait=WAIT)
        operator.programs.create(merchant=merchant, code="FUEL", name="Points", wait=WAIT)
        secret = testing.first_key(operator, treasury, merchant, ["issue", "redeem", "members", "read"])
    stations = [Client(url, secret, signer=signer, rpc_url=chain.url, contract=match[1], max_retries=8) for url in urls]
    issued = 0
    stations[0].members.create(external_id="1")
    for points, victim in enumerate(["", "sequencer-1", "projector-1", "gateway-1"], start=1):
        if victim:
            site.stop(victim, signal.SIGKILL)
        station = stations[1] if victim == "gateway-1" else stations[0]
        movement = station.issuances.create(program="FUEL", member="external:1", points=points, wait=WAIT)
        issued += movement.settled().points
    (account,) = stations[1].members.accounts("external:1")
    assert account.posted == issued == 10
    for station in stations:
        station.close()
    for name in ("sequencer-2", "projector-2", "signer-2", "gateway-2"):
        assert site.stop(name) in (0, -signal.SIGTERM), f"{name} does not end in good order"
