"""What a kill of the embedded chain leaves: half a file, or accounts that are ahead of the blocks."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from clearing.runtime.embedded.chain_state_file import ChainStateFile
from scripts.dev.services import free_port

SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
BROKEN = ("half", "accounts ahead of blocks", "accounts and transactions ahead of blocks", "transactions missing")


class Chain:
    """Anvil with a state file, as `clearing up` runs it."""

    def __init__(self, path: Path) -> None:
        self.port = free_port()
        command = ["anvil", "--port", str(self.port), "--silent", "--state", str(path), "--state-interval", "600"]
        self._process = subprocess.Popen(command)
        deadline = time.monotonic() + 120
        while True:
            try:
                self.rpc("eth_chainId")
            except httpx.TransportError:
                assert self._process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def rpc(self, method: str, *parameters: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        return httpx.post(f"http://127.0.0.1:{self.port}", json=request, timeout=60).json()["result"]

    def pay(self) -> None:
        found = self.rpc("eth_sendTransaction", {"from": SENDER, "to": "0x" + "11" * 20, "value": "0x1"})
        deadline = time.monotonic() + 120
        while self.rpc("eth_getTransactionReceipt", found) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def deploy(self) -> None:
        self.rpc("eth_sendTransaction", {"from": SENDER, "data": "0x600180600a5f395ff300"})

    def stop(self) -> None:
        """Ends it as the supervisor does: it writes its file."""
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(120) == 0


@pytest.fixture(scope="module")
def two_states(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """What anvil has written after two blocks, one with a contract, and after three."""
    path = tmp_path_factory.mktemp("chain") / "chain.json"
    chain = Chain(path)
    chain.deploy()
    chain.pay()
    chain.stop()
    first = path.read_bytes()
    chain = Chain(path)
    chain.pay()
    chain.stop()
    return first, path.read_bytes()


def broken(kind: str, two_states: tuple[bytes, bytes]) -> bytes:
    first, second = two_states
    old, new = json.loads(first), json.loads(second)
    match kind:
        case "half":
            return second[:-100]
        case "accounts ahead of blocks":
            mixed = old | {"accounts": new["accounts"]}
        case "accounts and transactions ahead of blocks":
            mixed = old | {"accounts": new["accounts"], "transactions": new["transactions"]}
        case _:
            mixed = new | {"transactions": old["transactions"]}
    return json.dumps(mixed, separators=(",", ":")).encode()


def test_a_whole_state_is_kept_and_is_left_alone(tmp_path: Path, two_states: tuple[bytes, bytes]) -> None:
    path, copy = tmp_path / "chain.json", tmp_path / "chain.whole.json"
    file = ChainStateFile(path)
    file.keep()  # there is none yet
    for state in two_states:
        path.write_bytes(state)
        file.keep()
        assert copy.read_bytes() == state
        file.repair()
        assert path.read_bytes() == state


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_state_is_not_kept_but_repaired(tmp_path: Path, two_states: tuple[bytes, bytes], kind: str) -> None:
    path, copy = tmp_path / "chain.json", tmp_path / "chain.whole.json"
    file = ChainStateFile(path)
    path.write_bytes(two_states[0])
    file.keep()
    path.write_bytes(broken(kind, two_states))
    file.keep()
    assert copy.read_bytes() == two_states[0]
    file.repair()
    assert path.read_bytes() == two_states[0]
    chain = Chain(path)
    assert int(chain.rpc("eth_getTransactionCount", SENDER, "latest"), 16) == 2
    chain.stop()


@pytest.mark.parametrize("kind", BROKEN)
def test_without_a_copy_a_broken_state_is_moved_aside(
    tmp_path: Path, two_states: tuple[bytes, bytes], kind: str
) -> None:
    path = tmp_path / "chain.json"
    content = broken(kind, two_states)
    path.write_bytes(content)
    ChainStateFile(path).repair()
    assert not path.exists()
    assert (tmp_path / "chain.broken.json").read_bytes() == content


def test_a_chain_that_never_wrote_is_left_alone(tmp_path: Path) -> None:
    ChainStateFile(tmp_path / "chain.json").repair()
    assert list(tmp_path.iterdir()) == []


def test_a_chain_that_once_came_back_mixed_is_not_thrown_away(tmp_path: Path, two_states: tuple[bytes, bytes]) -> None:
    path, copy = tmp_path / "chain.json", tmp_path / "chain.whole.json"
    copy.write_bytes(broken("accounts ahead of blocks", two_states))
    path.write_bytes(copy.read_bytes())
    chain = Chain(path)
    chain.pay()
    chain.stop()
    newest = path.read_bytes()
    file = ChainStateFile(path)
    file.repair()
    assert path.read_bytes() == newest
    file.keep()
    assert copy.read_bytes() == newest
    path.write_bytes(newest[:-100])
    file.repair()
    assert path.read_bytes() == newest
