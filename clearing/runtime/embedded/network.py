"""The embedded network. Everything it keeps is in one directory: deleting the directory deletes the network.

The directory holds the chain's state, the database, the encrypted keys with their passwords, and the first API keys.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TextIO, TypeVar

import httpx
from sqlalchemy.orm import Session

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.client import ChainClient
from clearing.chain.deployment import deploy
from clearing.chain.errors import ChainUnreachable
from clearing.kit.config import Settings, load_settings, variable
from clearing.kit.database import Database
from clearing.kit.signing.passwords import Purpose
from clearing.kit.signing.role_keys import ROLES, RoleKeys
from clearing.parties.access.service import bootstrap_keys
from clearing.parties.staff.first_operator import SignIn, add_first_operator
from clearing.runtime.embedded.chain_state_file import ChainStateFile
from clearing.runtime.embedded.fork_server import SHARED
from clearing.runtime.embedded.ports import HOST, Claims, free_port, some_ports
from clearing.runtime.embedded.settings_file import SETTINGS_FILE, write_settings
from clearing.runtime.embedded.supervisor import Child, Supervisor
from clearing.runtime.embedded.whole_file import write_whole
from clearing.runtime.jobs.processes import QUEUE, ROUNDS_QUEUE, worker_command
from clearing.runtime.preflight.keys import NEEDS, Needs

T = TypeVar("T")
Report = Callable[[str, str], None]
"""Hears that a part is ready: its name, and where it is or what it does."""

CHAIN_ID = 31_337
_START_TIMEOUT = 180.0
_STOP_ORDER = (("console", "gateway", "worker", "rounds"), ("signer", "sequencer", "projector"), ("chain",))
"""First what takes new work, last what all others need. What runs beside the network stops before all of it."""
_USUAL_RPC_PORT = 8545
_USUAL_CONSOLE_PORT = 8088

NO_CHAIN = (
    "anvil, the chain of a network for development, is not on PATH. Install Foundry, which brings it:\n"
    "    curl -L https://foundry.paradigm.xyz | bash && ~/.foundry/bin/foundryup\n"
    "or, where there is npm, `npm install --global @foundry-rs/anvil`. If it is on this machine already, set\n"
    f"{variable('anvil')} to the program."
)


class NetworkError(Exception):
    """The network cannot start; the message says why and what to do about it."""


@dataclass(slots=True)
class EmbeddedNetwork:
    """A whole network in `directory`. Use it as a context manager, or `start()` and `stop()` it. Port 0 means a free one.

    Without an `rpc_port` or `console_port` chain and console take the usual ones if they are free, otherwise others.
    """

    directory: Path
    gateway_port: int = 0
    rpc_port: int | None = 0
    database_url: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    """More settings for the children, by environment variable."""
    worker: bool = True
    """Whether to run the jobs too: webhooks, expiry, alerts, statements."""
    console: bool = False
    """Whether to run the web console too."""
    console_port: int | None = None
    report: Report = lambda _part, _detail: None
    settings: Settings = field(init=False)
    api_keys: dict[str, str] = field(init=False, default_factory=dict)
    """The first API keys: operator, treasury, auditor."""
    first_operator: SignIn | None = field(init=False, default=None)
    """How the network's first operator signs in; None if there was one already."""
    _supervisor: Supervisor = field(init=False, default_factory=Supervisor)
    _chain_state: ChainStateFile = field(init=False)
    _lock: TextIO | None = field(init=False, default=None)
    _ports: Claims = field(init=False, default_factory=Claims)

    # ---------------------------------------------------------------- life

    def start(self) -> None:
        """Starts everything and returns when the gateway reports that every part is ready."""
        self.directory = self.directory.absolute()
        load_settings()  # the children read the environment too: wrong settings are refused before anything is made
        for directory in (self.directory, self.directory / "logs"):  # each by itself: parents do not get the mode
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._claim()
            self.settings = self._settings()
            self._start_chain()
            SHARED.load()  # meanwhile
            self._prepare()
            write_settings(self.directory / SETTINGS_FILE, self._own_variables())
            for name in ("projector", "sequencer", "signer"):
                self._start_child(name, [sys.executable, "-m", "clearing", name])
            self._start_child("gateway", [sys.executable, "-m", "gateway"])
            if self.worker:
                self._start_child("worker", worker_command(QUEUE, processes=2, beat=True))
                self._start_child("rounds", worker_command(ROUNDS_QUEUE, processes=2, beat=False))
            self._await_ready()
            if self.console:
                self._start_console()
        except BaseException:
            self.stop()
            raise
        self._supervisor.watch(self._chain_state.keep)

    def stop(self) -> None:
        """Stops everything, the chain last. Safe to call twice."""
        named = {name for names in _STOP_ORDER for name in names}
        beside = tuple(name for name in self.children if name not in named)
        self._supervisor.stop((beside, *_STOP_ORDER))
        self._ports.release()
        if self._lock is not None:
            self._lock.close()

    def run_beside(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Runs a client of the network with it: restarted when it dies, and stopped before it."""
        self._start_child(name, command, {**os.environ, **environment})
        return self.children[name]

    def claim_port(self, part: str, wanted: int | None, command: str, *, usual: int | None = None) -> int:
        """A port that `part` has as long as the network runs: the wanted one, a free one for 0, and for None the usual one if that
        is free. Raises NetworkError if the wanted one is taken; the message names the command that takes another one."""
        if wanted:
            if not self._ports.claim(wanted):
                raise NetworkError(_taken(part, wanted, command))
            return wanted
        return self._ports.claim_first([*([usual] if wanted is None and usual else []), *some_ports()])

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
    def console_url(self) -> str:
        """The web console's address."""
        assert self.console_port is not None, "there is no console without `console=True`"
        return f"http://{HOST}:{self.console_port}"

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
            raise NetworkError(
                f"a network is running in {self.directory} already; stop it, or name another directory with --dir"
            ) from None
        self.gateway_port = self.claim_port("gateway", self.gateway_port, "clearing up --port")
        self.rpc_port = self.claim_port("chain", self.rpc_port, "clearing up --rpc-port", usual=_USUAL_RPC_PORT)
        if self.console:
            self.console_port = self.claim_port(
                "console", self.console_port, "clearing up --console-port", usual=_USUAL_CONSOLE_PORT
            )
        else:
            self.console_port = None

    def _settings(self) -> Settings:
        database = self.database_url or f"sqlite:///{self.directory / 'tongdui.db'}"
        return load_settings(
            database_url=database,
            rpc_url=self.rpc_url,
            chain_id=CHAIN_ID,
            keystore_dir=self.directory / "keys",
            **{f"{name}_password_file": self._password_file(name) for name in (*ROLES, *Purpose)},
            gateway_host=HOST,
            gateway_port=self.gateway_port,
        )

    def _password_file(self, name: str) -> Path:
        """The password of a role's key, or of what is kept for a purpose; made if there is none."""
        path = self.directory / "passwords" / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(path, secrets.token_urlsafe(32).encode())
        return path

    def _own_variables(self) -> dict[str, str]:
        """This network's settings, as environment variables, for the commands that one runs beside it."""
        return {**self._shared_variables(), **self._passwords((*ROLES, *Purpose))}

    def _passwords(self, names: Iterable[str]) -> dict[str, str]:
        """Where these passwords are, as environment variables."""
        return {variable(f"{name}_password_file"): str(self._password_file(name)) for name in names}

    def _shared_variables(self) -> dict[str, str]:
        """What every process of this network knows."""
        return {
            "TONGDUI_DATABASE_URL": self.settings.database_url,
            "TONGDUI_RPC_URL": self.settings.rpc_url,
            "TONGDUI_PUBLIC_RPC_URL": self.settings.rpc_url,
            "TONGDUI_CHAIN_ID": str(self.settings.chain_id),
            "TONGDUI_CONTRACT": self.settings.contract,
            "TONGDUI_KEYSTORE_DIR": str(self.settings.keystore_dir),
            "TONGDUI_BROKER_DIR": str(self.directory / "broker"),
            "TONGDUI_NODE_PATIENCE": "0",  # there is no other node: a block that it lacks is lost
            "TONGDUI_GATEWAY_HOST": HOST,
            "TONGDUI_GATEWAY_PORT": str(self.gateway_port),
            **({"TONGDUI_CONSOLE_URL": self.console_url} if self.console else {}),
        }

    def _environment(self, name: str) -> dict[str, str]:
        """A child's environment: ours, this network's settings, and of the passwords those that it needs. Everybody on this
        machine may have webhooks here."""
        needs = NEEDS.get(name, Needs())
        own = {**self._shared_variables(), **self._passwords((*needs.roles, *needs.purposes)), **self.overrides}
        return {"TONGDUI_WEBHOOK_ALLOW_LOCAL": "true", **os.environ, **own}

    def _start_child(self, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self._supervisor.start(Child(name, command, environment or self._environment(name), self._log(name)))

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def _start_chain(self) -> None:
        anvil = shutil.which(self.settings.anvil)
        if anvil is None:
            raise NetworkError(_no_anvil(self.settings.anvil))
        self._chain_state = ChainStateFile(self.directory / "chain.json")
        command = [anvil, "--host", HOST, "--port", str(self.rpc_port), "--chain-id", str(CHAIN_ID), "--silent"]
        command += ["--gas-price", "0", "--block-base-fee-per-gas", "0", "--disable-min-priority-fee"]
        command += ["--gas-limit", "60000000", "--order", "fifo", "--accounts", "1"]
        command += ["--state", str(self._chain_state.path), "--state-interval", "5"]
        self._supervisor.start(
            Child(
                "chain",
                command,
                self._environment("chain"),
                self._log("chain"),
                signal.SIGINT,
                self._chain_state.repair,
            )
        )
        with_client(self.rpc_url, self._await_chain)
        self.report("chain", self.rpc_url)

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
        keys = RoleKeys(self.settings)
        for role in ROLES:
            keys.ensure(role)
        offset = self.settings.utc_offset_seconds
        self.settings.contract = with_client(
            self.rpc_url,
            lambda client: deploy(client, keys, operator_name="Tongdui", utc_offset_seconds=offset),
        )
        self.report("contract", self.settings.contract)
        database = Database(self.settings.database_url)
        database.upgrade()
        path = self.directory / "api-keys.json"
        self.api_keys = json.loads(path.read_text()) if path.exists() else {}
        with database.session.begin() as session:
            self.api_keys |= bootstrap_keys(session)
            path.touch(mode=0o600)
            path.write_text(json.dumps(self.api_keys, indent=2))  # before the commit: a stored key is a known key
            self.first_operator = self._first_operator(session)
        database.close()
        self.report("database", self.settings.database_url)

    def _first_operator(self, session: Session) -> SignIn | None:
        """Adds the first operator. Its password must be changed at the first sign-in; then the file is good for nothing."""
        sign_in = add_first_operator(session)
        if sign_in is not None:
            path = self.directory / "first-operator.json"
            path.touch(mode=0o600)
            path.write_text(json.dumps(sign_in._asdict(), indent=2))  # before the commit, too
        return sign_in

    def _await_ready(self) -> None:
        """Waits until every part works, and reports each as soon as it does."""
        deadline = time.monotonic() + _START_TIMEOUT
        ready: set[str] = set()
        with httpx.Client(base_url=self.url, timeout=5) as http:  # one for all: each loads the system's certificates
            while time.monotonic() < deadline:
                try:
                    working = _working(http.get("/readyz"))
                except httpx.TransportError:
                    self._refuse_dead("gateway")
                else:
                    self._report_ready(working, ready)
                    if working and all(working.values()):
                        return
                time.sleep(0.1)
        raise NetworkError(f"the network is not ready at {self.url}; see {self.directory / 'logs'}")

    def _start_console(self) -> None:
        """Starts the web console, a client of the gateway like any other, and waits until it answers."""
        own = {
            "TONGDUI_CONSOLE_GATEWAY_URL": self.url,
            "TONGDUI_CONSOLE_HOST": HOST,
            "TONGDUI_CONSOLE_PORT": str(self.console_port),
            "TONGDUI_CONSOLE_AUDIT_NODES": self.rpc_url,
            "TONGDUI_CONSOLE_AUDIT_DIRECTORY": str(self.directory / "audits"),
        }
        environment = {**os.environ, **self.overrides, **own}  # it needs neither the database nor the keys
        self._start_child("console", [sys.executable, "-m", "console"], environment)
        deadline = time.monotonic() + _START_TIMEOUT
        with httpx.Client(base_url=self.console_url, timeout=5) as http:
            while time.monotonic() < deadline:
                try:
                    http.get("/healthz").raise_for_status()
                except httpx.TransportError:
                    self._refuse_dead("console")
                    time.sleep(0.05)
                else:
                    self.report("console", self.console_url)
                    return
        raise NetworkError(f"the console does not answer at {self.console_url}; see {self._log('console')}")

    def _report_ready(self, working: dict[str, bool], ready: set[str]) -> None:
        """Reports what has become ready, once."""
        for name in ("gateway", "projector", "sequencer", "signer"):
            if name not in ready and working.get(name, bool(working)):  # where there are checks, the gateway works
                ready.add(name)
                self.report(name, self.url if name == "gateway" else "works")

    def _refuse_dead(self, name: str) -> None:
        child = self.children[name]
        if not child.running:
            raise NetworkError("\n".join([f"{name} ended while starting:", *child.last_lines(5)]))


def _working(answer: httpx.Response) -> dict[str, bool]:
    """Which parts work. A network that was paused comes up paused."""
    if answer.status_code not in (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE):
        return {}
    checks = {name: check for name, check in answer.json()["checks"].items() if name != "reconciliation"}
    return {name: check["ok"] or check["detail"].startswith("paused") for name, check in checks.items()}


def _taken(part: str, port: int, command: str) -> str:
    """What to do about a port on which something listens."""
    make = ", or `make up PORT={0}`" if part == "gateway" else ""
    mended = f"choose another one: `{command} {{0}}`{make}"
    return f"port {port} is taken, so the {part} cannot listen there; {mended.format(free_port())}"


def _no_anvil(wanted: str) -> str:
    return NO_CHAIN if wanted == "anvil" else f"{variable('anvil')}: there is no program {wanted}"


def with_client(url: str, use: Callable[[ChainClient], T]) -> T:
    """Runs `use` with a connection to the node at `url`."""
    client = ChainClient(url)
    try:
        return use(client)
    finally:
        client.close()
