"""A real permissioned chain: geth nodes on loopback, three of which seal Clique blocks in turn, and two of which answer JSON-RPC.

Nobody discovers anybody: each node knows its peers by name, and a test may part them again. Every node has its own data, keys and
ports, is a process of its own, and may be killed, frozen and started again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Self

from coincurve import PrivateKey
from eth_account import Account

from scripts.dev.services import ANSWER_TIMEOUT, HOST, Service, ServiceError, free_port
from tests.faults.patience import Patience
from tongdui.encoding import hex_of, keccak256

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".build" / "bin" / "geth"
PERIOD = 1
"""Seconds between two blocks."""
SIGNERS = 3
RPC_NODES = 2
_GAS_LIMIT = 60_000_000
_MOST_PEERS = 3 * (SIGNERS + RPC_NODES)
"""A node dials a third of them at the most, those that it was told to dial among them."""
_MANY_BLOCKS = 150
_LOOKS = 3
_PASSWORD = "only-for-tests"
_FORKS = ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul", "berlin")
_VANITY, _SEAL = bytes(32), bytes(65)


def key(seed: str) -> PrivateKey:
    """A key that is the same in each run. (It guards nothing.)"""
    return PrivateKey(keccak256(seed.encode()))


def address_of(secret: PrivateKey) -> str:
    """The address of a key's account, in lower case."""
    return hex_of(keccak256(secret.public_key.format(compressed=False)[1:])[12:])


def genesis(chain_id: int, signers: Sequence[str], *, has_fees: bool) -> dict[str, Any]:
    """What the first block is made of. Where gas is free there is no London, whose base fee nobody can switch off in geth."""
    forks = {f"{fork}Block": 0 for fork in (*_FORKS, *(["london"] if has_fees else []))}
    listed = b"".join(bytes.fromhex(signer.removeprefix("0x")) for signer in sorted(signers))
    return {
        "config": {"chainId": chain_id, **forks, "clique": {"period": PERIOD, "epoch": 30_000}},
        "difficulty": "0x1",
        "gasLimit": hex(_GAS_LIMIT),
        "extraData": hex_of(_VANITY + listed + _SEAL),
        "alloc": {signers[0]: {"balance": hex(10**24)}} if has_fees else {},
    }


class Geth(Service):
    """One node. A signer seals blocks and answers nobody but its own machine's IPC."""

    name = "geth"

    def __init__(self, chain_id: int, name: str, *, is_signer: bool) -> None:
        super().__init__()
        self.title = name
        self.chain_id = chain_id
        self.is_signer = is_signer
        self.account = key(f"account of {name}")
        self.address = address_of(self.account)
        self.first_block: dict[str, Any] = {}
        self._node_key = key(f"node {name}")
        self._peer_port, self._engine_port = free_port(), free_port()
        self._socket = self.directory / "geth.ipc"

    @property
    def url(self) -> str:
        """The RPC endpoint over HTTP, which only RPC nodes have."""
        return f"http://{HOST}:{self.port}"

    @property
    def enode(self) -> str:
        """The name under which peers dial it."""
        return f"enode://{self.id}@{HOST}:{self._peer_port}?discport=0"

    def ipc(self, method: str, *parameters: Any) -> Any:
        """Calls one method over the node's own socket, which may do everything."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_TIMEOUT)
            connection.connect(str(self._socket))
            connection.sendall(json.dumps(question).encode())
            answer = json.loads(connection.makefile().readline())
        if "error" in answer:
            raise ServiceError(f"{self.title}: {method}: {answer['error']}")
        return answer["result"]

    @property
    def id(self) -> str:
        """What peers know it by."""
        return self._node_key.public_key.format(compressed=False)[1:].hex()

    def peers(self) -> set[str]:
        """The ids of the nodes that it is connected with."""
        return {peer["enode"].removeprefix("enode://").partition("@")[0] for peer in self.ipc("admin_peers")}

    def head(self) -> int:
        """The number of its newest block."""
        return int(self.ipc("eth_blockNumber"), 16)

    def block(self, number: int) -> dict[str, Any]:
        """A block of its chain, with the hashes of its transactions."""
        found: dict[str, Any] = self.ipc("eth_getBlockByNumber", hex(number), False)
        return found

    def hash_at(self, number: int) -> str:
        """The hash of a block of its chain."""
        return str(self.block(number)["hash"])

    def pending_nonce(self, account: str) -> int:
        """How many transactions it knows of an account, those that wait for a block included."""
        return int(self.ipc("eth_getTransactionCount", account, "pending"), 16)

    def sealer(self, number: int) -> str:
        """The address of whoever sealed a block of its chain."""
        return str(self.ipc("clique_getSigner", hex(number))).lower()

    def freeze(self) -> None:
        """Stops it in the middle of whatever it does: its port takes connections, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _prepare(self) -> None:
        (self.directory / "genesis.json").write_text(json.dumps(self.first_block))
        (self.directory / "node.key").write_text(self._node_key.secret.hex())
        (self.directory / "password").write_text(_PASSWORD)
        keystore = self.directory / "keystore"
        keystore.mkdir()
        if self.is_signer:
            encrypted = Account.encrypt(self.account.secret, _PASSWORD, kdf="pbkdf2", iterations=2)
            (keystore / "signer.json").write_text(json.dumps(encrypted))
        command = [str(PROGRAM), "--datadir", str(self.directory), "init", str(self.directory / "genesis.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"geth init failed:\n{done.stderr}")

    def _command(self) -> Sequence[str]:
        directory = self.directory
        command = [
            str(PROGRAM),
            *("--datadir", str(directory), "--ipcpath", str(self._socket), "--nodekey", str(directory / "node.key")),
            *("--networkid", str(self.chain_id), "--port", str(self._peer_port), "--discovery.port", "0"),
            *("--nodiscover", "--nat", "none", "--netrestrict", f"{HOST}/8", "--maxpeers", str(_MOST_PEERS)),
            # With `full`, a node that is killed has lost the state of its newest blocks, and has to be given them anew.
            *("--syncmode", "full", "--gcmode", "archive", "--cache", "64", "--authrpc.port", str(self._engine_port)),
            *("--miner.gaslimit", str(_GAS_LIMIT), "--verbosity", "3"),
        ]  # fmt: skip
        if self.is_signer:
            command += ["--mine", "--miner.etherbase", self.address, "--unlock", self.address]
            command += ["--password", str(directory / "password")]
        else:
            command += ["--http", "--http.addr", HOST, "--http.port", str(self.port), "--http.api", "eth,net,web3"]
        return command

    def _ping(self) -> bool:
        return self._socket.exists() and int(self.ipc("eth_chainId"), 16) == self.chain_id


class Chain:
    """Five nodes that know each other."""

    def __init__(self, chain_id: int, *, has_fees: bool) -> None:
        self.chain_id = chain_id
        self.has_fees = has_fees
        self.signers = [Geth(chain_id, f"signer {number}", is_signer=True) for number in range(1, SIGNERS + 1)]
        self.rpc_nodes = [Geth(chain_id, f"RPC node {number}", is_signer=False) for number in range(1, RPC_NODES + 1)]
        first_block = genesis(chain_id, [signer.address for signer in self.signers], has_fees=has_fees)
        for node in self.nodes:
            node.first_block = first_block

    @property
    def nodes(self) -> list[Geth]:
        """All of them."""
        return [*self.signers, *self.rpc_nodes]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for node in self.nodes:
                stack.enter_context(node)
                self._settle_price(node)
            self.join(self.nodes)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def restart(self, node: Geth) -> None:
        """Starts a node again that was killed, and introduces it to all others."""
        node.start()
        self._settle_price(node)
        self.join([node], self.nodes)
        self.await_agreement()

    def join(self, some: Iterable[Geth], others: Iterable[Geth] | None = None) -> None:
        """Has each of them be a peer of each of the others."""
        for one, other in _pairs(some, others):
            one.ipc("admin_addPeer", other.enode)
            other.ipc("admin_addPeer", one.enode)

    def part(self, some: Iterable[Geth], others: Iterable[Geth]) -> None:
        """Has no one of them be a peer of any of the others; nobody dials again who was told to forget."""
        pairs = list(_pairs(some, others))
        for _ in range(_LOOKS):  # one that has not been told yet may dial at that moment
            for one, other in pairs:
                one.ipc("admin_removePeer", other.enode)
                other.ipc("admin_removePeer", one.enode)
            time.sleep(0.1)
        assert not [one for one, other in pairs if other.id in one.peers()], "they are not apart"

    def await_agreement(self) -> None:
        """Waits until all nodes have the same newest block but one, and more than before."""
        start = max(node.head() for node in self.nodes)
        self.until("all nodes are on one chain", lambda: self._agrees_after(start))

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Waits for many blocks at the most, as long as there still are new ones."""
        patience = Patience(what, self._newest)
        last = self._newest() + _MANY_BLOCKS
        while not holds():
            patience.look()
            if self._newest() > last:
                raise TimeoutError(f"not yet {what}, after {_MANY_BLOCKS} blocks")
            time.sleep(0.05)

    def send(self, to: str, wei: int) -> None:
        """Gives an account money of the first signer's, and waits for the block."""
        payment = {"from": self.signers[0].address, "to": to, "value": hex(wei)}
        sent = self.signers[0].ipc("eth_sendTransaction", payment)
        node = self.rpc_nodes[0]
        self.until("the payment is in a block", lambda: node.ipc("eth_getTransactionReceipt", sent) is not None)

    def _newest(self) -> int:
        return max(node.head() for node in self.signers if node.running)

    def _agrees_after(self, start: int) -> bool:
        common = min(node.head() for node in self.nodes) - 1
        return common > start and len({node.hash_at(common) for node in self.nodes}) == 1

    def _settle_price(self, node: Geth) -> None:
        """Has a node take transactions that pay nothing; no flag does, because geth takes 0 for a mistake."""
        if not self.has_fees:
            node.ipc("miner_setGasPrice", "0x0")


def _pairs(some: Iterable[Geth], others: Iterable[Geth] | None) -> Iterator[tuple[Geth, Geth]]:
    if others is None:
        yield from combinations(some, 2)
        return
    others = list(others)
    yield from ((one, other) for one in some for other in others if one is not other)
