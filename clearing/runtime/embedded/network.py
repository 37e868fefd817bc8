"""The embedded network. Everything it keeps is in one directory: deleting the directory deletes the network.

The directory holds the chain's state, the database, the encrypted keys with their password, and the first API keys.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TextIO, TypeVar

import httpx
from pydantic import SecretStr

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.client import ChainClient, ChainUnreachable
from clearing.chain.deployment import deploy
from clearing.kit.config import Settings, load_settings
from clearing.kit.database import Database
from clearing.kit.signing.keyring import Keyring, RoleKeys
from clearing.parties.access.service import bootstrap_keys
from clearing.runtime.embedded.chain_state_file import ChainStateFile
from clearing.runtime.embedded.ports import HOST, free_port, is_free
from clearing.runtime.embedded.supervisor import Child, Supervisor
from clearing.runtime.jobs.processes import worker_command

T = TypeVar("T")

CHAIN_ID = 31_337
_START_TIMEOUT = 180.0
_ROLES = ("admin", "operator", "sequencer", "treasury")
_STOP_ORDER = ("gateway", "worker", "sequencer", "projector", "chain")


class NetworkError(Exception):
    """The network cannot start; the message says why and what to do about it."""


@dataclass(slots=True)
class EmbeddedNetwork:
    """A whole network in `directory`. Use it as a context manager, or `start()` and `stop()` it. Port 0 means a free one."""

    directory: Path
    gateway_port: int = 0
    rpc_port: int = 0
    database_url: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    """More settings for the children, by environment variable."""
    worker: bool = True
    """Whether to run the jobs too: webhooks, expiry, alerts, statements."""
    settings: Settings = field(init=False)
    api_keys: dict[str, str] = field(init=False, default_factory=dict)
    """The first API keys: operator, treasury, auditor."""
    _supervisor: Supervisor = field(init=False, default_factory=Supervisor)
    _chain_state: ChainStateFile = field(init=False)
    _lock: TextIO | None = field(init=False, default=None)

    # ---------------------------------------------------------------- life

    def start(self) -> None:
        """Starts everything and returns when the gateway reports that every part is ready."""
        self.directory = self.directory.absolute()
        load_settings()  # the children read the environment too: wrong settings are refused before anything is made
        (self.directory / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._claim()
        self.settings = self._settings()
        try:
            self._start_chain()
            self._prepare()
            for name in ("projector", "sequencer"):
                self._start_child(name, [sys.executable, "-m", "clearing", name])
            self._start_child("gateway", [sys.executable, "-m", "gateway"])
            if self.worker:
                self._start_child("worker", worker_command(processes=2, beat=True))
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        self._supervisor.watch(self._chain_state.keep)

    def stop(self) -> None:
        """Stops everything, the chain last. Safe to call twice."""
        self._supervisor.stop(_STOP_ORDER)
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> EmbeddedNetwork:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://{HOST}:{self.gateway_port}"

    @property
    def rpc_url(self) -> str:
        """The chain node's address."""
        return f"http://{HOST}:{self.rpc_port}"

    @property
    def children(self) -> dict[str, Child]:
        """The supervised processes, by name."""
        return self._supervisor.children

    # ---------------------------------------------------------------- parts

    def _claim(self) -> None:
        """Takes the directory and the ports. Two networks in one directory, or on one chain, would spoil each other."""
        self._lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NetworkError(f"a network is running in {self.directory} already") from None
        for name, port in (("gateway", self.gateway_port), ("chain", self.rpc_port)):
            if port and not is_free(port):
                raise NetworkError(f"something listens on port {port} already; give the {name} another one")
        self.gateway_port = self.gateway_port or free_port()
        self.rpc_port = self.rpc_port or free_port()

    def _settings(self) -> Settings:
        database = self.database_url or f"sqlite:///{self.directory / 'tongdui.db'}"
        return load_settings(
            database_url=database,
            rpc_url=self.rpc_url,
            chain_id=CHAIN_ID,
            keystore_dir=self.directory / "keys",
            keystore_password=SecretStr(self._password()),
            gateway_host=HOST,
            gateway_port=self.gateway_port,
        )

    def _password(self) -> str:
        path = self.directory / "keystore-password"
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(32))
            draft.rename(path)
        return path.read_text()

    def _environment(self) -> dict[str, str]:
        """The children's environment: ours, and this network's settings."""
        own = {
            "TONGDUI_DATABASE_URL": self.settings.database_url,
            "TONGDUI_RPC_URL": self.settings.rpc_url,
            "TONGDUI_CHAIN_ID": str(self.settings.chain_id),
            "TONGDUI_CONTRACT": self.settings.contract,
            "TONGDUI_KEYSTORE_DIR": str(self.settings.keystore_dir),
            "TONGDUI_KEYSTORE_PASSWORD": self.settings.keystore_password.get_secret_value(),
            "TONGDUI_BROKER_DIR": str(self.directory / "broker"),
            "TONGDUI_NODE_PATIENCE": "0",  # there is no other node: a block that it lacks is lost
            "TONGDUI_GATEWAY_HOST": HOST,
            "TONGDUI_GATEWAY_PORT": str(self.gateway_port),
        }
        return {**os.environ, **own, **self.overrides}

    def _start_child(self, name: str, command: Sequence[str]) -> None:
        self._supervisor.start(Child(name, command, self._environment(), self._log(name)))

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def _start_chain(self) -> None:
        anvil = shutil.which("anvil")
        if anvil is None:
            raise NetworkError("anvil is not on PATH; `make setup` installs it, or set PATH to where it is")
        self._chain_state = ChainStateFile(self.directory / "chain.json")
        command = [anvil, "--host", HOST, "--port", str(self.rpc_port), "--chain-id", str(CHAIN_ID), "--silent"]
        command += ["--gas-price", "0", "--block-base-fee-per-gas", "0", "--disable-min-priority-fee"]
        command += ["--gas-limit", "60000000", "--order", "fifo", "--accounts", "1"]
        command += ["--state", str(self._chain_state.path), "--state-interval", "5"]
        self._supervisor.start(
            Child("chain", command, self._environment(), self._log("chain"), signal.SIGINT, self._chain_state.repair)
        )
        with_client(self.rpc_url, self._await_chain)

    def _await_chain(self, client: ChainClient) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            try:
                client.chain_id()
            except ChainUnreachable:
                self._refuse_dead("chain")
                time.sleep(0.02)
            else:
                return
        raise NetworkError(f"the chain does not answer at {self.rpc_url}; see {self.children['chain'].log}")

    def _prepare(self) -> None:
        """Makes what is missing: database, keys, contract and the first API keys."""
        keys = RoleKeys(self.settings.keystore_dir, Keyring(self.settings.keystore_password.get_secret_value()))
        for role in _ROLES:
            keys.ensure(role)
        offset = self.settings.utc_offset_seconds
        self.settings.contract = with_client(
            self.rpc_url,
            lambda client: deploy(client, keys, operator_name="Tongdui", utc_offset_seconds=offset),
        )
        database = Database(self.settings.database_url)
        database.upgrade()
        path = self.directory / "api-keys.json"
        self.api_keys = json.loads(path.read_text()) if path.exists() else {}
        with database.session.begin() as session:
            self.api_keys |= bootstrap_keys(session)
            path.touch(mode=0o600)
            path.write_text(json.dumps(self.api_keys, indent=2))  # before the commit: a stored key is a known key
        database.close()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        with httpx.Client(base_url=self.url, timeout=5) as http:  # one for all: each loads the system's certificates
            while time.monotonic() < deadline:
                try:
                    if _is_up(http.get("/readyz")):
                        return
                except httpx.TransportError:
                    self._refuse_dead("gateway")
                time.sleep(0.1)
        raise NetworkError(f"the network is not ready at {self.url}; see {self.directory / 'logs'}")

    def _refuse_dead(self, name: str) -> None:
        child = self.children[name]
        if not child.running:
            raise NetworkError("\n".join([f"{name} ended while starting:", *child.last_lines(5)]))


def _is_up(answer: httpx.Response) -> bool:
    """Whether every part works. A network that was paused comes up paused."""
    if answer.status_code not in (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE):
        return False
    return all(check["ok"] or check["detail"].startswith("paused") for check in answer.json()["checks"].values())


def with_client(url: str, use: Callable[[ChainClient], T]) -> T:
    """Runs `use` with a connection to the node at `url`."""
    client = ChainClient(url)
    try:
        return use(client)
    finally:
        client.close()
