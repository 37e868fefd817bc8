"""The embedded network: chain, database, gateway, sequencer and projector on one machine, supervised.

Everything it keeps is in one directory: the chain's state, the database, the encrypted keys with their password, and the first API
keys. Deleting the directory deletes the network.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
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
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.keyring import Keyring, RoleKeys
from clearing.parties.access.service import bootstrap_keys
from clearing.runtime.jobs.commands import worker_command

T = TypeVar("T")

HOST = "127.0.0.1"
CHAIN_ID = 31_337
_PORTS = range(10_000, 20_000)
"""Below those that the system takes for outgoing connections: one of these could sit on the port of a child that starts again."""
_START_TIMEOUT = 180.0
_STOP_TIMEOUT = 20.0
_PR_SET_PDEATHSIG = 1
_ROLES = ("admin", "operator", "sequencer", "treasury")


class NetworkError(Exception):
    """The network cannot start; the message says why and how to mend it."""


@dataclass(slots=True)
class Child:
    """A supervised process. It is started again when it dies by itself."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    before_start: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        """Starts the process, with its output appended to its log."""
        self.before_start()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 (our own command)
                self.command,
                env=self.environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the supervisor only, which then stops the children in order
                preexec_fn=_die_with_parent,  # noqa: PLW1509 (one call into libc)
            )
        self.starts += 1

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Asks it to end; kills it when it does not."""
        if self.process is None or not self.running:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class EmbeddedNetwork:
    """A whole network in `directory`. Use it as a context manager, or `start()` and `stop()` it. Port 0 takes a free one."""

    directory: Path
    gateway_port: int = 0
    rpc_port: int = 0
    database_url: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    """More settings for the children, by environment variable."""
    worker: bool = True
    """Whether to do the timed work, too: webhooks, expiry, alerts, statements."""
    settings: Settings = field(init=False)
    api_keys: dict[str, str] = field(init=False, default_factory=dict)
    """The first API keys: operator, treasury, auditor."""
    children: dict[str, Child] = field(init=False, default_factory=dict)
    _stopping: threading.Event = field(init=False, default_factory=threading.Event)
    _stopped: threading.Event = field(init=False, default_factory=threading.Event)
    _restarting: threading.Lock = field(init=False, default_factory=threading.Lock)
    _watcher: threading.Thread | None = field(init=False, default=None)
    _state: ChainState = field(init=False)
    _lock: TextIO | None = field(init=False, default=None)

    # ---------------------------------------------------------------- life

    def start(self) -> None:
        """Starts everything and returns when the gateway reports that all is ready."""
        self.directory = self.directory.absolute()
        (self.directory / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._claim()
        self.settings = self._settings()
        try:
            self._start_chain()
            self._prepare()
            for name in ("projector", "sequencer", "gateway"):
                self._start_child(name, [sys.executable, "-m", "clearing", name])
            if self.worker:
                self._start_child("worker", worker_command(processes=2, beat=True))
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stops everything, the chain last. Safe to call twice."""
        self._stopping.set()
        with self._restarting:  # what the watcher is starting at this moment is there to be stopped
            for name in ("gateway", "worker", "sequencer", "projector", "chain"):
                if name in self.children:
                    self.children[name].stop()
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join()
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

    # ---------------------------------------------------------------- parts

    def _claim(self) -> None:
        """Takes the directory and the ports. Two networks in one directory, or on one chain, would spoil each other."""
        self._lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NetworkError(f"a network is running in {self.directory} already") from None
        for name, port in (("gateway", self.gateway_port), ("chain", self.rpc_port)):
            if port and not _is_free(port):
                raise NetworkError(f"somebody listens on port {port} already; give the {name} another one")
        self.gateway_port = self.gateway_port or free_port()
        self.rpc_port = self.rpc_port or free_port()

    def _settings(self) -> Settings:
        database = self.database_url or f"sqlite:///{self.directory / 'tongdui.db'}"
        return Settings(
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
        """The settings as the children's environment."""
        own = {
            "TONGDUI_DATABASE_URL": self.settings.database_url,
            "TONGDUI_RPC_URL": self.settings.rpc_url,
            "TONGDUI_CHAIN_ID": str(self.settings.chain_id),
            "TONGDUI_CONTRACT": self.settings.contract,
            "TONGDUI_KEYSTORE_DIR": str(self.settings.keystore_dir),
            "TONGDUI_KEYSTORE_PASSWORD": self.settings.keystore_password.get_secret_value(),
            "TONGDUI_BROKER_DIR": str(self.directory / "broker"),
            "TONGDUI_NODE_PATIENCE": "0",  # the only node: what it has not, it has lost
            "TONGDUI_GATEWAY_HOST": HOST,
            "TONGDUI_GATEWAY_PORT": str(self.gateway_port),
        }
        return {**os.environ, **own, **self.overrides}

    def _start_child(self, name: str, command: Sequence[str]) -> None:
        self._add(Child(name, command, self._environment(), self._log(name)))

    def _add(self, child: Child) -> None:
        child.start()
        self.children[child.name] = child

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def _start_chain(self) -> None:
        anvil = shutil.which("anvil")
        if anvil is None:
            raise NetworkError("anvil is not on PATH; `make setup` installs it, or set PATH to where it is")
        self._state = ChainState(self.directory / "chain.json")
        command = [anvil, "--host", HOST, "--port", str(self.rpc_port), "--chain-id", str(CHAIN_ID), "--silent"]
        command += ["--gas-price", "0", "--block-base-fee-per-gas", "0", "--disable-min-priority-fee"]
        command += ["--gas-limit", "60000000", "--order", "fifo", "--accounts", "1"]
        command += ["--state", str(self._state.path), "--state-interval", "5"]
        chain = Child("chain", command, self._environment(), self._log("chain"), signal.SIGINT, self._state.mend)
        self._add(chain)
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
        """Database, keys, contract and the first API keys: makes what is not there yet."""
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
            path.write_text(json.dumps(self.api_keys, indent=2))  # before the commit: a key that is stored is known
        database.close()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        with httpx.Client(base_url=self.url, timeout=5) as http:  # one: each loads the system's certificates
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
            last = child.log.read_text(errors="replace").strip().splitlines()[-5:]
            raise NetworkError(f"{name} ended while starting:\n" + "\n".join(last))

    def _watch(self) -> None:
        """Starts children again that died by themselves, slower each time."""
        while not self._stopping.wait(0.2):
            self._state.keep()
            for child in self.children.values():
                if not child.running and not self._stopping.wait(min(0.1 * 2**child.starts, 10.0)):
                    self._start_again(child)
        self._stopped.wait()  # the children's parent is the thread that started them: they would die with it, in any order

    def _start_again(self, child: Child) -> None:
        with self._restarting:
            if not self._stopping.is_set():
                child.start()


class ChainState:
    """The file in which anvil keeps its chain. It is written in place, so a kill may leave half of it: a whole one is kept, too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copy = path.with_suffix(".whole.json")
        self._copied = 0

    def keep(self) -> None:
        """Copies the file if it is new and whole."""
        written = self.path.stat().st_mtime_ns if self.path.exists() else 0
        if written == self._copied or (content := self._whole()) is None:
            return
        draft = self._copy.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(self._copy)
        self._copied = written

    def mend(self) -> None:
        """Puts the copy in the place of a broken file; what is younger is lost, as after a reorganisation."""
        if self.path.exists() and self._copy.exists() and self._whole() is None:
            shutil.copyfile(self._copy, self.path)

    def _whole(self) -> bytes | None:
        content = self.path.read_bytes()  # of any beginning of it, the first bracket is still open
        return content if content.count(b"{") == content.count(b"}") > 0 else None


def _is_up(answer: httpx.Response) -> bool:
    """Whether all parts do their work; a network that was paused comes up paused."""
    if answer.status_code not in (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE):
        return False
    return all(check["ok"] or check["detail"].startswith("paused") for check in answer.json()["checks"].values())


def _die_with_parent() -> None:
    """In the child: a supervisor that is killed takes its children along, so that the directory has one network at a time."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def with_client(url: str, use: Callable[[ChainClient], T]) -> T:
    """Runs `use` with a connection to the node at `url`."""
    client = ChainClient(url)
    try:
        return use(client)
    finally:
        client.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may linger
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody listens on now."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        if _is_free(port):
            return port
    raise NetworkError(f"no free port between {_PORTS.start} and {_PORTS.stop - 1}")
