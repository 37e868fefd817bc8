"""Runs private servers: PostgreSQL, Redis, RabbitMQ, mosquitto and anvil, each on a free port with its own data.

Tests, the demo and the benchmarks start real servers here and may kill them at any moment. They share nothing with
servers that already run on the machine, and they leave nothing behind, even if Python is killed.

    with postgres() as database, anvil() as chain:
        run(database.url, chain.url)
        chain.kill()        # SIGKILL, in the middle of its work
        chain.restart()     # same port, same data

From a shell, `python scripts/dev/services.py postgres anvil` prints the addresses and runs until interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import httpx
import psycopg
from psycopg import sql

from clearing.runtime.embedded.ports import first_free, is_free
from tongdui._flow import tls

START_TIMEOUT: Final = 180.0
STOP_TIMEOUT: Final = 60.0
ANSWER_TIMEOUT: Final = 10.0
SAVING_TRIES: Final = 3
HOST: Final = "127.0.0.1"
# Below the range from which the system takes ports for outgoing connections. One of those could otherwise take a
# killed server's port before it restarts.
PORTS: Final = range(20_000, 32_000)


class ServiceError(RuntimeError):
    """A server is not installed, did not start, or did not stop."""


class Service(ABC):
    """A server process with a port and a data directory that outlive it until the service is closed."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"tongdui-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None
        _reaper.watch(self.directory)

    @property
    @abstractmethod
    def url(self) -> str:
        """The address, in the form that this server's client library takes."""

    @property
    def log(self) -> Path:
        """What the server has printed since its first start."""
        return self.directory / "log"

    @property
    def pid(self) -> int:
        """The server's process id; the server must have been started."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process runs; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Starts the server and returns when it answers. The first start may move to another port."""
        if self.log.exists():
            self._launch()
            return self
        self._prepare()
        try:
            self._launch()
        except ServiceError:
            self.port = free_port()  # another process may have taken the port meanwhile
            self._launch()
        return self

    def stop(self) -> None:
        """Asks the server to shut down and waits for it."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(self.stop_signal)
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget(process)

    def kill(self) -> None:
        """Ends the server and all its children with SIGKILL, as a power cut would."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            kill_tree(process.pid)
            process.wait()
        self._forget(process)

    def restart(self) -> Self:
        """Stops the server if it runs, and starts it again on the same port with the same data."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """Ends the server and removes its data."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        _reaper.release(self.directory)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _launch(self) -> None:
        if not is_free(self.port):
            raise ServiceError(f"{self.name} did not start: another process listens on port {self.port}")
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self._command(),
                cwd=self.directory,
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._process = process
        _reaper.watch(process.pid)
        deadline = time.monotonic() + START_TIMEOUT
        # Check that it runs before and after: another server that had the port first may have answered.
        while not (self.running and self._answers() and self.running):
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise ServiceError(f"{self.name} did not start:\n{self._last_words()}")
            time.sleep(0.02)

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        _reaper.release(process.pid)
        self._process = None

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def _answers(self) -> bool:
        try:
            return self._ping()
        except (OSError, httpx.HTTPError):
            return False

    def _prepare(self) -> None:
        """Prepares the data directory before the first start."""

    def _environment(self) -> Mapping[str, str]:
        return {}

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _ping(self) -> bool: ...


class Postgres(Service):
    """A PostgreSQL cluster without fsync, which protects against a dead machine, not against a killed process."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions instead of waiting for them
    host = HOST

    @property
    def url(self) -> str:
        """The default database, for SQLAlchemy with psycopg 3."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """The address of one database of this cluster."""
        return f"postgresql+psycopg://postgres@{self.host}:{self.port}/{name}"

    def new_database(self, name: str, template: str = "template1") -> str:
        """Creates a database and returns its address. Copying a migrated template takes about 50 ms."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        with psycopg.connect(host=self.host, port=self.port, user="postgres", autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.database_url(name)

    def _prepare(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        command = [
            *self._program("initdb"),
            *("-D", str(self.directory / "data"), "-U", "postgres", "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.directory, check=False)
        if done.returncode:
            raise ServiceError(f"initdb failed:\n{done.stderr}")

    def _command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "UTC",
        }
        options = [f"--{key}={value}" for key, value in settings.items()]
        return [*self._program("postgres"), "-D", str(self.directory / "data"), *options]

    def _ping(self) -> bool:
        try:
            psycopg.connect(
                host=self.host, port=self.port, user="postgres", connect_timeout=int(ANSWER_TIMEOUT)
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def _program(self, name: str) -> list[str]:
        """Finds a program of the server, which Debian keeps off PATH, and has it run as another user than root."""
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
        program = str(found[-1]) if found else find_program(name)
        if os.geteuid() != 0:
            return [program]
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", program]


class Redis(Service):
    """A Redis that logs each change before it answers, so that a kill loses nothing that it confirmed."""

    name = "redis"

    @property
    def url(self) -> str:
        """Database 0."""
        return f"redis://{HOST}:{self.port}/0"

    def _command(self) -> Sequence[str]:
        return [
            find_program("redis-server"),
            *("--bind", HOST, "--port", str(self.port), "--dir", str(self.directory)),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--daemonize", "no"),
        ]

    def _ping(self) -> bool:
        return _converse(self.port, b"PING\r\n").startswith(b"+PONG")


class Mosquitto(Service):
    """A mosquitto broker that writes down what waits for somebody, as deploy/mosquitto/tongdui.conf has it.

    `users` is a directory with its files `passwords` and `acl`; without one, everybody may do everything. `certificate` is a file
    with a certificate and its key; with one it speaks TLS.
    """

    name = "mosquitto"

    def __init__(self, users: Path | None = None, certificate: Path | None = None) -> None:
        super().__init__()
        self._users = users
        self._certificate = certificate

    @property
    def url(self) -> str:
        """The address, as the programme's setting has it."""
        return f"mqtt{'s' if self._certificate else ''}://localhost:{self.port}"

    @property
    def kept(self) -> bytes:
        """What it has written down."""
        file = self.directory / "mosquitto.db"
        return file.read_bytes() if file.exists() else b""

    def reload(self) -> None:
        """Has it read the files of its users again."""
        os.kill(self.pid, signal.SIGHUP)

    def _command(self) -> Sequence[str]:
        lines = [f"listener {self.port} {HOST}", "persistence true", f"persistence_location {self.directory}/"]
        lines += [
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 0",
            "message_size_limit 20000",
        ]
        if self._certificate is not None:
            lines += [f"certfile {self._certificate}", f"keyfile {self._certificate}"]
        if self._users is None:
            lines.append("allow_anonymous true")
        else:
            lines += ["allow_anonymous false", f"password_file {self._users}/passwords", f"acl_file {self._users}/acl"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it would read nothing of what is the tests' own
        configuration = self.directory / "mosquitto.conf"
        configuration.write_text("\n".join((*lines, "")))
        packaged = Path("/usr/sbin/mosquitto")  # Debian keeps it off the PATH of most people
        program = str(packaged) if packaged.exists() else find_program("mosquitto")
        return [program, "-c", str(configuration)]

    def _ping(self) -> bool:
        with socket.create_connection((HOST, self.port), ANSWER_TIMEOUT):
            return True


class RabbitMQ(Service):
    """A RabbitMQ node with a port mapper of its own, apart from any other Erlang on the machine."""

    name = "rabbitmq"

    def __init__(self) -> None:
        super().__init__()
        self._mapper_port = free_port()
        self._distribution_port = free_port()
        self._mapper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The default virtual host, as the default user."""
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def kill(self) -> None:
        """Ends the node and its port mapper, which holds nothing worth keeping."""
        super().kill()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
            _reaper.release(self._mapper.pid)
            self._mapper = None

    def _launch(self) -> None:
        if self._mapper is None:
            command = [find_program("epmd"), "-address", HOST, "-port", str(self._mapper_port)]
            self._mapper = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            _reaper.watch(self._mapper.pid)
        super()._launch()

    def _prepare(self) -> None:
        (self.directory / "enabled_plugins").write_text("[].\n")
        (self.directory / "rabbitmq.conf").write_text("log.console = true\nlog.file = false\n")

    def _environment(self) -> Mapping[str, str]:
        directory = str(self.directory)
        return {
            "HOME": directory,  # where Erlang keeps its cookie
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_CONFIG_FILE": f"{directory}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{directory}/none",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/enabled_plugins",
            "RABBITMQ_LOG_BASE": directory,
            "RABBITMQ_MNESIA_BASE": f"{directory}/mnesia",
            "RABBITMQ_NODENAME": f"tongdui{self._distribution_port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PID_FILE": f"{directory}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false",
        }

    def _command(self) -> Sequence[str]:
        # Debian's program of this name on PATH would insist on the user rabbitmq.
        program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        return [str(program) if program.exists() else find_program("rabbitmq-server")]

    def _ping(self) -> bool:
        return _converse(self.port, b"AMQP\x00\x00\x09\x01").startswith(b"\x01")


class Anvil(Service):
    """A chain in one process, with free gas as on a permissioned chain.

    Anvil keeps everything in memory, but a real node writes a block to disk before anyone learns of it. So `kill`
    first saves the mined blocks; transactions that wait for a block are lost, as when a real node dies.
    """

    name = "anvil"

    def __init__(
        self,
        *,
        state: Path | None = None,
        block_time: float | None = None,
        chain_id: int = 31_337,
        hardfork: str | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """With `state`, loads the chain from that file if it exists, and saves the chain there at the end."""
        super().__init__()
        self.chain_id = chain_id
        self._block_time = block_time
        self._hardfork = hardfork
        self._arguments = list(arguments)
        self._state = state or self.directory / "state.json"

    @property
    def url(self) -> str:
        """The RPC endpoint over HTTP."""
        return f"http://{HOST}:{self.port}"

    @property
    def websocket_url(self) -> str:
        """The RPC endpoint over a web socket, for subscriptions."""
        return f"ws://{HOST}:{self.port}"

    def rpc(self, method: str, *parameters: Any) -> Any:
        """Calls one method and returns its result."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = httpx.post(self.url, json=request, timeout=60, verify=tls()).raise_for_status().json()
        if "error" in answer:
            raise ServiceError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def reorganise(self, depth: int) -> None:
        """Replaces the newest blocks by empty ones, once nothing is being mined.

        Anvil answers before it mines, and does not keep both apart: reorganised while it mines, its chain lacks a block for
        ever, which no real node's does.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while self.rpc("anvil_getAutomine") and int(self.rpc("txpool_status")["pending"], 16):
            if time.monotonic() > deadline:
                raise ServiceError("anvil does not mine what it was sent")
            time.sleep(0.002)
        self.rpc("anvil_reorg", depth, [])

    def stop(self) -> None:
        """Saves the chain and ends the process."""
        self._save()
        super().stop()

    def kill(self) -> None:
        """Ends the process with SIGKILL; a restart brings its mined blocks back."""
        self._save()
        super().kill()

    def close(self) -> None:
        """Ends the process; saves the chain only if its file outlives the service."""
        if self._state.parent == self.directory:
            super().kill()
        super().close()

    def _save(self) -> None:
        """Writes the chain to its file, if the process still answers."""
        for _ in range(SAVING_TRIES):
            if not self.running:
                return
            try:
                self._write_state()
            except httpx.TimeoutException:
                continue  # the machine is busy: to go on without would lose blocks that clients have seen
            except (httpx.HTTPError, ServiceError):
                return
            return

    def _write_state(self) -> None:
        # No block may be mined between saving and ending: clients would see it, and then it would be gone.
        self.rpc("evm_setAutomine", False)
        self.rpc("evm_setIntervalMining", 0)
        packed = bytes.fromhex(self._dump().removeprefix("0x"))
        unfinished = self._state.with_suffix(".new")
        unfinished.write_bytes(gzip.decompress(packed))
        unfinished.replace(self._state)

    def _dump(self) -> str:
        """Dumps the chain between two blocks. Mining changes the state first and adds the block later."""
        found = self.rpc("anvil_dumpState")
        while True:
            before, mining, found = found, self._is_mining(), self.rpc("anvil_dumpState")
            if found == before and not mining:
                return str(found)
            time.sleep(0.02)

    def _is_mining(self) -> bool:
        """Whether a transaction has changed the state but is not in a block yet."""
        pending = self.rpc("txpool_content")["pending"]
        executed = {sender: int(self.rpc("eth_getTransactionCount", sender, "latest"), 16) for sender in pending}
        return any(int(nonce) < executed[sender] for sender, nonces in pending.items() for nonce in nonces)

    def _command(self) -> Sequence[str]:
        command = [
            find_program("anvil"),
            *("--host", HOST, "--port", str(self.port), "--chain-id", str(self.chain_id)),
            *("--gas-price", "0", "--block-base-fee-per-gas", "0", "--disable-min-priority-fee"),
            *("--order", "fifo", "--silent"),
        ]
        if self._block_time is not None:
            command += ["--block-time", str(self._block_time)]
        if self._hardfork is not None:
            command += ["--hardfork", self._hardfork]
        if self._state.exists():
            command += ["--load-state", str(self._state)]
        return command + self._arguments

    def _ping(self) -> bool:
        return int(self.rpc("eth_chainId"), 16) == self.chain_id


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Runs a PostgreSQL cluster within a `with` block."""
    with Postgres() as service:
        yield service


@contextlib.contextmanager
def redis() -> Iterator[Redis]:
    """Runs a Redis within a `with` block."""
    with Redis() as service:
        yield service


@contextlib.contextmanager
def mosquitto(users: Path | None = None, certificate: Path | None = None) -> Iterator[Mosquitto]:
    """Runs a mosquitto broker within a `with` block."""
    with Mosquitto(users, certificate) as service:
        yield service


@contextlib.contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    """Runs a RabbitMQ node within a `with` block."""
    with RabbitMQ() as service:
        yield service


@contextlib.contextmanager
def anvil(
    state: Path | None = None,
    block_time: float | None = None,
    *,
    chain_id: int = 31_337,
    hardfork: str | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[Anvil]:
    """Runs a chain within a `with` block."""
    with Anvil(
        state=state, block_time=block_time, chain_id=chain_id, hardfork=hardfork, arguments=arguments
    ) as service:
        yield service


def _own_ports() -> Iterator[int]:
    """Yields all ports again and again in random order; each of pytest's workers has its own share of them."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = PORTS[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    # Hypothesis seeds the shared generator, which would then give the same ports to parallel processes.
    return itertools.cycle(random.SystemRandom().sample(own, len(own)))


_ports = _own_ports()


def free_port() -> int:
    """Finds a port on which nothing listens at this moment; a different one each time."""
    return first_free(itertools.islice(_ports, 100))


def find_program(name: str) -> str:
    """Finds a program on PATH or among the packages of npm."""
    here = Path(__file__).resolve().parents[2]
    installed = sorted(here.glob(f"node_modules/@foundry-rs/{name}-*/bin/{name}"))
    program = shutil.which(name) or next((str(path) for path in installed), None)
    if program is None:
        raise ServiceError(f"{name} is not installed; run `make setup services`")
    return program


def kill_tree(pid: int) -> None:
    """Kills a process and its descendants, and waits for their end: until then they hold ports and shared memory."""
    killed = list(_killed_tree(pid))
    deadline = time.monotonic() + STOP_TIMEOUT
    while any(is_alive(pid) for pid in killed):
        if time.monotonic() > deadline:
            raise ServiceError(f"processes still run after being killed: {[pid for pid in killed if is_alive(pid)]}")
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not count."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    state, threads = status[0], int(status[17])
    return state not in "ZX" or threads > 1  # the first thread may end before the others


def _killed_tree(pid: int) -> Iterator[int]:
    """Kills a process tree; stops each process while listing its children."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        for child in _children(pid):
            yield from _killed_tree(child)
        os.kill(pid, signal.SIGKILL)
        yield pid


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The command's name, in brackets, may hold anything; the parent is the second word after it.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _converse(port: int, message: bytes) -> bytes:
    with socket.create_connection((HOST, port), timeout=ANSWER_TIMEOUT) as connection:
        connection.sendall(message)
        return connection.recv(64)


class Reaper:
    """A child process that outlives this one just long enough to clean up if this one is killed.

    It reads the names of processes and directories from a pipe, which ends when this process does.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def watch(self, thing: int | Path) -> None:
        """Adds a process or a directory to the list."""
        self._send("+", thing)

    def release(self, thing: int | Path) -> None:
        """Removes it from the list."""
        self._send("-", thing)

    def _send(self, sign: str, thing: int | Path) -> None:
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-I", __file__, "reap"],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{sign}{thing}\n")
            self._process.stdin.flush()


_reaper = Reaper()


def _reap() -> None:
    """Runs in the reaper's process."""
    things: set[str] = set()
    for line in sys.stdin:
        (things.add if line[0] == "+" else things.discard)(line[1:].rstrip("\n"))
    for pid in (int(thing) for thing in things if thing.isdecimal()):
        with contextlib.suppress(ServiceError):
            kill_tree(pid)
    for directory in (thing for thing in things if not thing.isdecimal()):
        shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Runs the servers named on the command line until interrupted."""
    kinds: dict[str, type[Service]] = {kind.name: kind for kind in (Postgres, Redis, RabbitMQ, Mosquitto, Anvil)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service", nargs="+", choices=[*kinds, "reap"], metavar="|".join(kinds))
    names = parser.parse_args().service
    if names == ["reap"]:
        return _reap()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        addresses = {name: stack.enter_context(kinds[name]()).url for name in names}
        print(json.dumps(addresses), flush=True)
        signal.pause()
    return None


if __name__ == "__main__":
    main()
