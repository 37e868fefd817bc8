"""`make up` as its user meets it: it stops cleanly, it comes back with everything, and what dies is started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from clearing.chain.client import ChainClient
from clearing.kit.database import Database
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository
from clearing.runtime.embedded.network import EmbeddedNetwork, with_client
from clearing.runtime.embedded.supervisor import Child
from scripts.dev.services import free_port
from tests.support.books import assert_books_balance
from tongdui import APIError, Client, LocalSigner, TongduiError, testing

ROOT = Path(__file__).resolve().parents[2]
WAIT = 60.0
T = TypeVar("T")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Up:
    """The command `clearing up`, as a process with a directory and ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.rpc_port = free_port(), free_port()
        self.url, self.rpc_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.rpc_port}"
        self.output = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Starts it and returns when it says that it runs."""
        command = [sys.executable, "-m", "clearing", "up", "--no-console", "--dir", str(self.directory)]
        command += ["--port", str(self.port), "--rpc-port", str(self.rpc_port)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        self.output = ""
        for line in self.process.stdout:
            self.output += line
            if "Ctrl-C" in line:
                return
        raise AssertionError(f"it ended with {self.process.wait()}:\n{self.output}")

    def stop(self, number: signal.Signals) -> int:
        """Sends the signal that a terminal (or a service manager) would; the exit code."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(number)
        with self.process.stdout:
            self.output += self.process.stdout.read()
        return self.process.wait(180)

    def key(self, role: str) -> str:
        """One of the first API keys."""
        found: dict[str, str] = json.loads((self.directory / "api-keys.json").read_text())
        return found[role]

    def answers(self) -> list[str]:
        """Which of its ports somebody still listens on."""
        found = []
        for name, port in (("gateway", self.port), ("chain", self.rpc_port)):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=30):
                found.append(name)
        return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    command = Up(tmp_path / "network")
    yield command
    if command.process is not None and command.process.poll() is None:
        command.stop(signal.SIGTERM)


def test_it_stops_on_ctrl_c_and_starts_again_with_everything(up: Up) -> None:
    signer = LocalSigner.generate()
    up.start()
    assert up.url in up.output
    assert up.rpc_url in up.output
    with Client(up.url, up.key("operator")) as operator, Client(up.url, up.key("treasury")) as treasury:
        merchant = operator.merchants.create(name="Station", signer_address=signer.address, wait=WAIT)
        operator.programs.create(merchant=merchant, code="FUEL", name="Points", wait=WAIT)
        scopes = ["issue", "redeem", "members", "settle", "read"]
        secret = testing.first_key(operator, treasury, merchant, scopes)
        testing.deposit(treasury, operator, merchant, 5_000_000, "B-1")
    with Client(up.url, secret, signer=signer) as station:
        station.members.create(external_id="1")
        entry = station.issuances.create(program="FUEL", member="external:1", points=500, wait=WAIT).settled()

    assert up.stop(signal.SIGINT) == 0
    assert "Stopped" in up.output
    assert "Traceback" not in up.output
    assert up.answers() == []

    up.start()
    with Client(up.url, secret, signer=signer, rpc_url=up.rpc_url) as station:
        (account,) = station.members.accounts("external:1")
        assert (account.posted, account.reserved) == (500, 0)
        assert station.positions.get(merchant).position_micros == 5_000_000
        receipt = station.entries.receipt(entry.leaf)
        receipt.verify(rpc_url=up.rpc_url, contract=station.network.get().contract)
        more = station.issuances.create(program="FUEL", member="external:1", points=11, wait=WAIT).settled()
        assert more.block_number > entry.block_number
    assert up.stop(signal.SIGTERM) == 0
    assert up.answers() == []


def test_a_second_one_says_that_the_port_or_the_directory_is_taken(up: Up, tmp_path: Path) -> None:
    up.start()
    second = Up(tmp_path / "other")
    second.port, second.rpc_port = up.port, up.rpc_port
    with pytest.raises(AssertionError, match=rf"(?s)ended with 1:.*port {up.port}"):
        second.start()
    same_place = Up(up.directory)
    with pytest.raises(AssertionError, match=r"(?s)running in .* already"):
        same_place.start()
    assert up.answers() == ["gateway", "chain"]
    _until_healthy(up.url)


def test_a_supervisor_that_was_killed_leaves_nothing_behind(up: Up) -> None:
    up.start()
    assert up.process is not None
    up.stop(signal.SIGKILL)
    _eventually(lambda: up.answers() == [], "chain or gateway outlived their supervisor")
    up.start()
    _until_healthy(up.url)


def test_a_network_that_was_paused_comes_up_paused(tmp_path: Path) -> None:
    with EmbeddedNetwork(tmp_path / "network", worker=False) as network:
        database = Database(network.settings.database_url)
        with database.session.begin() as session:
            SwitchRepository(session).turn_off(SEQUENCING, "operator", "moving the node")
        database.close()
    with EmbeddedNetwork(tmp_path / "network", worker=False) as network:
        answer = httpx.get(f"{network.url}/readyz", timeout=60)
        assert (answer.status_code, answer.json()["checks"]["sequencer"]["ok"]) == (503, False)
        assert "moving the node" in answer.json()["checks"]["sequencer"]["detail"]


# -------------------------------------------------------------------- death of a child


@contextmanager
def busy_network(directory: Path) -> Iterator[tuple[EmbeddedNetwork, Client]]:
    """A network with a station that issues points."""
    signer = LocalSigner.generate()
    with (
        EmbeddedNetwork(directory, worker=False) as network,
        Client(network.url, network.api_keys["operator"]) as operator,
        Client(network.url, network.api_keys["treasury"]) as treasury,
    ):
        merchant = operator.merchants.create(name="Station", signer_address=signer.address, wait=WAIT)
        operator.programs.create(merchant=merchant, code="FUEL", name="Points", wait=WAIT)
        secret = testing.first_key(operator, treasury, merchant, ["issue", "redeem", "members", "read"])
        with Client(network.url, secret, signer=signer, max_retries=8) as station:
            yield network, station


@pytest.mark.parametrize("name", ["gateway", "sequencer", "projector", "chain"])
def test_a_killed_process_is_started_again_and_everything_settles_once(tmp_path: Path, name: str) -> None:
    """Sales go on while the process is killed twice, without warning."""
    with busy_network(tmp_path) as (network, station):
        members = [station.members.create(external_id=f"M{n}") for n in range(5)]
        if name == "chain":
            _until_kept(network)
        killed: list[int] = []
        killer = threading.Thread(target=lambda: killed.extend(_kill_twice(network.children[name])))
        killer.start()
        sold = 0

        def sell() -> None:
            nonlocal sold
            number, member = sold, members[sold % len(members)]
            _stubbornly(
                lambda: station.issuances.create(
                    program="FUEL",
                    member=member,
                    points=1 + number,
                    reference=f"S-{number}",
                    idempotency_key=f"sale-{number}",
                )
            )
            sold += 1

        while killer.is_alive() or sold < 40:
            sell()
        killer.join()
        assert len(set(killed)) == 2
        sell()  # settles only when the projector has seen what a killed chain lost: until then all looks settled

        def all_settled() -> bool:
            found = list(station.issuances.list(page_size=200))
            return len(found) == sold and all(movement.is_settled for movement in found)

        _eventually(lambda: _stubbornly(all_settled), "not everything settled")
        _until_healthy(network.url)
        issued = {m.reference: m.settled().points for m in station.issuances.list(page_size=200)}
        assert issued == {f"S-{n}": 1 + n for n in range(sold)}
        posted = sum(account.posted for member in members for account in station.members.accounts(member))
        assert posted == sum(issued.values())
        _assert_books_balance(network)


def test_a_chain_that_is_killed_while_it_writes_its_state_comes_back_with_the_state_before(tmp_path: Path) -> None:
    with busy_network(tmp_path) as (network, station):
        member = station.members.create(external_id="M")
        first = station.issuances.create(program="FUEL", member=member, points=5, wait=WAIT).settled()
        state, copy = tmp_path / "chain.json", tmp_path / "chain.whole.json"
        _until_kept(network)
        chain = network.children["chain"].process
        assert chain is not None
        chain.send_signal(signal.SIGSTOP)
        state.write_bytes(copy.read_bytes()[:-100])
        chain.kill()
        second = _stubbornly(
            lambda: station.issuances.create(
                program="FUEL", member=member, points=6, idempotency_key="second", wait=WAIT
            )
        )
        assert second.settled().block_number > first.block_number
        (account,) = station.members.accounts(member)
        assert account.posted == 11
        _assert_books_balance(network)


def _best_block(state: Path) -> int:
    return int(json.loads(state.read_bytes())["best_block_number"]) if state.exists() else -1


def _until_kept(network: EmbeddedNetwork) -> None:
    """Until a whole copy has the chain's newest block: the chain writes it every few seconds, and what is younger may be lost."""
    head, copy = with_client(network.rpc_url, ChainClient.head), network.directory / "chain.whole.json"
    _eventually(lambda: _best_block(copy) >= head, "nobody keeps a copy")


def _kill_twice(child: Child) -> list[int]:
    """Ids of the processes that were killed, once the next one runs."""
    killed = []
    for _ in range(2):
        time.sleep(1.0)
        process = child.process
        assert process is not None
        process.kill()
        killed.append(process.pid)
        _eventually(lambda dead=process: child.running and child.process is not dead, "it stays dead")  # type: ignore[misc]
    return killed


def _assert_books_balance(network: EmbeddedNetwork) -> None:
    with Client(network.url, network.api_keys["auditor"]) as auditor:
        assert_books_balance(network.rpc_url, network.settings.contract, auditor)


def _stubbornly(attempt: Callable[[], T]) -> T:
    """Tries again for as long as the gateway is away; with an Idempotency-Key that is harmless."""
    deadline = time.monotonic() + 180
    while True:
        try:
            return attempt()
        except TongduiError as error:
            if isinstance(error, APIError) and error.status < 500:
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _until_healthy(url: str) -> None:
    def is_ok() -> bool:
        with suppress(httpx.TransportError):
            return bool(httpx.get(f"{url}/readyz", timeout=30).json()["status"] == "ok")
        return False

    _eventually(is_ok, f"{url} stays ill")


def _eventually(holds: Callable[[], bool], otherwise: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)
