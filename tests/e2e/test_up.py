"""A new user's first minutes: `clearing up`, `clearing merchant add`, points, webhooks to this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clearing.kit import logs
from clearing.kit.config import settings
from clearing.runtime import cli
from clearing.runtime.embedded.ports import free_port, is_free
from tests.support.nightly import IS_NIGHTLY
from tongdui import Client, LocalSigner, webhooks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
WAIT = 60.0
KEY_MADE = "made"


def children(process: int) -> list[int]:
    """Ids of the processes that a process has started."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


class UpNetwork:
    """A network that `clearing up` runs in a directory, as a user starts it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.directory / "up.log").read_text()

    def start(self) -> None:
        with (self.directory / "up.log").open("w") as log:
            self._process = subprocess.Popen(
                clearing("up", "--no-console", "--port", self.url.rpartition(":")[2]),
                cwd=self.directory, env=clean_environment(), stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while "Ctrl-C stops" not in self.log:
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(60)

    def child(self, name: str) -> int:
        """The id of one of its processes."""
        assert self._process is not None
        (server,) = children(self._process.pid)  # which has forked them all
        (found,) = [pid for pid in children(server) if Path(f"/proc/{pid}/comm").read_text().strip() == name]
        return found

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `clearing` beside the network, as a user does: with no settings at all."""
        return subprocess.run(
            clearing(*arguments),
            cwd=self.directory, env=clean_environment(), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def add(self, name: str, *arguments: str) -> dict[str, Any]:
        """Takes a merchant on board; the document that the command prints."""
        done = self.run("merchant", "add", name, "--json", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def refused(self, name: str, *arguments: str) -> str:
        done = self.run("merchant", "add", name, *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr.strip()

    def keys(self) -> dict[str, str]:
        keys: dict[str, str] = json.loads((self.directory / ".tongdui/api-keys.json").read_text())
        return keys

    def operator(self) -> Client:
        return Client(self.url, self.keys()["operator"])

    def treasury(self) -> Client:
        return Client(self.url, self.keys()["treasury"])


def clearing(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "clearing", *arguments]


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpNetwork]:
    found = UpNetwork(tmp_path_factory.mktemp("up"))
    found.start()
    yield found
    assert found.stop() == 0
    assert "Stopped." in found.log


@pytest.fixture
def here(network: UpNetwork, monkeypatch: pytest.MonkeyPatch) -> Iterator[UpNetwork]:
    """The network, with this process in its directory and its settings."""
    monkeypatch.chdir(network.directory)
    monkeypatch.setenv("TONGDUI_ENV_FILE", str(network.directory / ".tongdui/network.env"))
    monkeypatch.setattr(logs, "configure", lambda: None)  # it would hold on to this test's standard error
    settings.cache_clear()
    yield network
    settings.cache_clear()


Add = Callable[..., dict[str, Any]]


@pytest.fixture
def add(here: UpNetwork, capsys: pytest.CaptureFixture[str]) -> Add:
    """`clearing merchant add` in this process: to start another one takes longer than what it does. Some tests do start one."""

    def added(name: str, *arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main(["merchant", "add", name, "--json", *arguments])
        printed = capsys.readouterr()
        assert end.value.code == 0, printed.err
        document: dict[str, Any] = json.loads(printed.out)
        return document

    return added


def test_the_first_operator_signs_in_with_what_is_printed_once(network: UpNetwork) -> None:
    printed = json.loads((network.directory / ".tongdui/first-operator.json").read_text())
    assert f"password  {printed['password']}" in network.log
    with Client(network.url) as client:
        session = client.sessions.create(**printed)
    assert (session.seat.title, session.restriction) == ("operator", "password_change")
    assert [one["email"] for one in json.loads(network.run("staff", "list", "--json").stdout)["staff"]] == [
        printed["email"]
    ]


# -------------------------------------------------------------------- as the README prints it

ROOT = Path(__file__).resolve().parents[2]


def commands_of(page: str) -> list[str]:
    """What a page has its reader type beside the running network, without comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (block,) = [
        block for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if "merchant add" in block
    ]
    return [line.partition("#")[0].strip() for line in block.splitlines()]


def test_both_readmes_print_the_same_commands() -> None:
    assert commands_of("README.md") == commands_of("README.zh-CN.md")


def test_the_readmes_commands_lead_to_settled_points(network: UpNetwork) -> None:
    """What the reader pastes where `login` asks for the API key is in the environment here: there is no terminal."""
    environment = {**clean_environment(), "XDG_CONFIG_HOME": str(network.directory / "config")}
    for command in commands_of("README.md")[1:]:  # the first one only sets PATH
        own = command.replace("http://127.0.0.1:8080", network.url).replace("scripts/demo", str(ROOT / "scripts/demo"))
        printed = run_in(network.directory, own, environment)
        environment.pop("TONGDUI_API_KEY", None)
        for token in re.findall(r"^tdk_.*$", printed, re.MULTILINE):
            environment["TONGDUI_API_KEY"] = token
    with network.operator() as operator:
        (merchant,) = [one for one in operator.merchants.list() if one.name == "My station"]
        (program,) = [one for one in operator.programs.list() if one.code == "FUEL"]
        assert program.merchant == merchant.id
        issued = [one for one in operator.issuances.list() if one.program == "FUEL"]
    assert {one.state for one in issued} == {"settled"}
    assert 200 in [one.points for one in issued]
    assert len(issued) > 100


def test_the_commands_that_merchant_add_prints_work(network: UpNetwork) -> None:
    added = network.add("Printed", "--managed-key", "--program", "PRINTED")
    environment = {**clean_environment(), "XDG_CONFIG_HOME": str(network.directory / "printed")}
    environment["TONGDUI_API_KEY"] = added["api_key"]["secret"]
    for command in added["commands"]:
        run_in(network.directory, command, environment)
        environment.pop("TONGDUI_API_KEY", None)
    with Client(network.url, added["api_key"]["secret"]) as me:
        assert [account.posted for account in me.members.accounts("external:FC-1")] == [200]


def run_in(directory: Path, command: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


# -------------------------------------------------------------------- up


def test_it_says_what_is_ready_and_what_to_do_next(network: UpNetwork) -> None:
    ready = [line.split() for line in network.log.splitlines() if line.startswith("  ready")]
    assert [words[3] for words in ready[:3]] == ["chain", "contract", "database"]
    assert {words[3] for words in ready[3:]} == {"gateway", "projector", "sequencer", "signer"}
    seconds = [float(words[1]) for words in ready]
    assert seconds == sorted(seconds)
    assert 'clearing merchant add "My station"' in network.log
    assert network.url in network.log


def test_operators_commands_find_the_network_in_this_directory(network: UpNetwork) -> None:
    assert json.loads(network.run("queue", "--json").stdout)["quarantined"] == 0
    file = network.directory / ".tongdui/network.env"
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0  # the database has the members' numbers


@pytest.mark.parametrize("option", ["--port", "--rpc-port"])
@pytest.mark.parametrize("port", ["65536", "-1", "8o8"])
def test_what_is_no_port_is_named(option: str, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["up", f"{option}={port}"])
    assert end.value.code == 2
    assert f"argument {option}: '{port}' is not a port: a whole number from 0 to 65535" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named_with_the_setting_that_mends_it(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        for option, part in (("--port", "gateway"), ("--rpc-port", "chain")):
            others = {"--port": "0", "--rpc-port": "0"} | {option: port}
            done = subprocess.run(
                clearing("up", *(word for pair in others.items() for word in pair)),
                cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert done.returncode == 1
            assert done.stderr.startswith(
                f"port {port} is taken, so the {part} cannot listen there; choose another one: `clearing up {option} "
            )
            assert ("make up PORT=" in done.stderr) == (option == "--port")


def test_the_chain_goes_elsewhere_when_its_usual_port_is_taken(tmp_path: Path) -> None:
    with taken_unless_it_is(8545):
        other = UpNetwork(tmp_path)
        other.start()
        variables = (tmp_path / ".tongdui/network.env").read_text()
        assert other.stop() == 0
    assert "TONGDUI_RPC_URL='http://127.0.0.1:" in variables
    assert "8545" not in variables


@contextmanager
def taken_unless_it_is(port: int) -> Iterator[None]:
    """Holds a port, unless somebody on this machine has it already."""
    if not is_free(port):
        yield
        return
    with closing(socket.create_server(("127.0.0.1", port))):
        yield


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_webhooks_reach_a_server_on_this_machine(network: UpNetwork, add: Add, host: str) -> None:
    code = "HOOK" + host[-1].upper()
    added = add(f"Hooked {host}", "--managed-key", "--program", code)
    arrived = threading.Event()
    received: list[tuple[bytes, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.rfile.read(int(self.headers["Content-Length"])), dict(self.headers)))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
        Client(network.url, added["api_key"]["secret"]) as me,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = me.webhook_endpoints.create(url=f"http://{host}:{server.server_port}/hook", types=["order.settled"])
        me.members.create(external_id="FC-1")
        sale = me.issuances.create(program=code, member="external:FC-1", points=200, wait=WAIT)
        assert arrived.wait(WAIT)
        server.shutdown()
    body, headers = received[0]
    assert webhooks.verify(body, headers, str(endpoint.secret)).subject == sale.order


# -------------------------------------------------------------------- merchant add


def test_a_merchant_that_signs_for_itself_gets_everything_in_one_step(network: UpNetwork, add: Add) -> None:
    directory = network.directory
    (directory / "password").write_text("correct horse\r\na note\n")  # the first line counts, as in tongdui
    own = ("--new-key", "own.json", "--password-file", "password")
    done = network.run(
        *("merchant", "add", "Own key", *own, "--program", "OWN", "--program-name", "Own points"),
        *("--lifetime-days", "730", "--credit-limit", "1000.50", "--deposit", "20", "--scopes", "issue,members,read"),
    )
    assert done.returncode == 0, done.stderr
    token = next(line for line in done.stdout.splitlines() if line.startswith("tdk_"))
    signer = LocalSigner.from_keystore(directory / "own.json", "correct horse")
    assert f"tongdui login --url {network.url} --contract 0x" in done.stdout
    assert "--keystore own.json" in done.stdout
    assert "tongdui issue 200 FC-1 --program OWN" in done.stdout
    with Client(network.url, token, signer=signer) as me:
        about = me.network.get()
        assert about.contract in done.stdout
        assert str(about.chain_id) in done.stdout
        me.members.create(external_id="FC-1")
        sale = me.issuances.create(program="OWN", member="external:FC-1", points=200, wait=WAIT)
        assert sale.settled().points == 200
        program = me.programs.get("OWN")
        assert (program.name, program.default_lifetime_days) == ("Own points", 730)

    again = add("Own key", "--signer", signer.address.lower(), "--program", "OWN", "--scopes", "read,members,issue")
    assert again["merchant"]["credit_limit_micros"] == 1_000_500_000
    assert [again[part][KEY_MADE] for part in ("merchant", "program", "api_key")] == [False, False, False]
    assert again["api_key"]["secret"] is None
    assert token not in json.dumps(again)
    more = add("Own key", *own[:2], "--program", "OWN", "--scopes", "read,members,issue", "--new-api-key")
    assert more["api_key"]["secret"] not in (None, token)


def test_a_merchant_without_a_program_is_taken_on_board_too(add: Add) -> None:
    added = add("Car wash", "--managed-key")
    assert added["program"] is None
    assert len(added["commands"]) == 1
    later = add("Car wash", "--managed-key", "--program", "WASH")
    assert later["merchant"]["id"] == added["merchant"]["id"]
    assert (later["merchant"][KEY_MADE], later["program"][KEY_MADE]) == (False, True)


@pytest.mark.parametrize("crash_at", range(1, 9) if IS_NIGHTLY else (1, 4, 7))
def test_a_crash_anywhere_and_the_same_command_again_gives_one_of_everything(
    network: UpNetwork, add: Add, crash_at: int
) -> None:
    """There are four transactions: merchant, program, deposit, API key. The process dies before or after each commit."""
    name, code = f"Crash {crash_at}", f"CRASH{crash_at}"
    wanted = (name, "--json", "--managed-key", "--program", code, "--deposit", "5")
    crashed = subprocess.run(
        [sys.executable, "-c", DIE_AT, str(crash_at), "merchant", "add", *wanted],
        cwd=network.directory, env=clean_environment(), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert crashed.returncode == 9, crashed.stderr
    first = add(wanted[0], *wanted[2:])
    assert add(wanted[0], *wanted[2:])["api_key"]["secret"] is None

    with network.operator() as operator, network.treasury() as treasury:
        (merchant,) = [one for one in operator.merchants.list() if one.name == name]
        (program,) = [one for one in operator.programs.list() if one.code == code]
        assert program.merchant == merchant.id == first["merchant"]["id"]
        (deposit,) = [one for one in treasury.deposits.list() if one.merchant == merchant.id]
        assert (deposit.micros, deposit.state) == (5_000_000, "posted")
        live = [key.id for key in operator.api_keys.list() if key.merchant == merchant.id]
    assert live == [first["api_key"]["id"]]
    token = first["api_key"]["secret"] or json.loads(crashed.stdout)["api_key"]["secret"]
    with Client(network.url, token) as me:
        assert me.programs.get(code).status == "active"


DIE_AT = """
import os, sys
from sqlalchemy import event
from sqlalchemy.orm import Session
left = int(sys.argv.pop(1))
def count(_session):
    global left
    left -= 1
    if left == 0:
        os._exit(9)
event.listen(Session, "before_commit", count)
event.listen(Session, "after_commit", count)
from clearing.runtime.cli import main
main()
"""


def test_two_runs_at_once_make_one_merchant(network: UpNetwork) -> None:
    command = clearing("merchant", "add", "Twice", "--json", "--managed-key", "--program", "TWICE")
    runs = [
        subprocess.Popen(command, cwd=network.directory, env=clean_environment(), stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    documents = [json.loads(run.communicate(timeout=120)[0]) for run in runs]
    assert documents[0]["merchant"]["id"] == documents[1]["merchant"]["id"]
    for part in ("merchant", "program", "api_key"):
        assert Counter(document[part][KEY_MADE] for document in documents) == {True: 1, False: 1}


def test_what_cannot_be_is_refused_in_words(here: UpNetwork, add: Add, capsys: pytest.CaptureFixture[str]) -> None:
    network = here
    Path("no-text").write_bytes(b"\xff\xfe")
    add("Taken", "--managed-key", "--program", "TAKEN", "--lifetime-days", "365", "--credit-limit", "7")
    for arguments, sentence in (
        (
            ("Other", "--managed-key", "--program", "TAKEN"),
            "there is already a program TAKEN, and its merchant is mer_",
        ),
        (
            ("Taken", "--managed-key", "--program", "TAKEN", "--lifetime-days", "30"),
            "its lifetime is 365 days and not 30",
        ),
        (("Taken", "--managed-key", "--credit-limit", "8"), "its credit limit is 7.00 and not 8.00"),
        (("Taken", "--signer", "0x" + "12" * 20), "is called Taken too, and signs with another key"),
        (("Taken", "--signer", "0x12"), "--signer: must be 0x and 40 hexadecimal digits"),
        (("é" * 17, "--managed-key"), "NAME: is 34 bytes long in UTF-8; the chain stores 1 to 32"),
        (("Other", "--managed-key", "--program", "fuel"), "--program: must be a code of 2 to 12 capital letters"),
        (
            ("Other", "--managed-key", "--program-name", "Fuel"),
            "--program: a program's name and lifetime need its code",
        ),
        (("Other", "--managed-key", "--credit-limit", "1,5"), "--credit-limit: '1,5' is not an amount of money"),
        (("Other", "--managed-key", "--scopes", "isue"), "--scopes: 'isue' is no scope; the scopes are issue, redeem"),
        (("Other", "--new-key", "other.json"), "--new-key: there is no terminal to ask for a password"),
        (("Other", "--new-key", "up.log"), "--new-key: up.log is there and is no keystore file"),
        (("Other", "--managed-key", "--password-file", "up.log"), "--password-file: is the password of --new-key"),
        (("Other", "--new-key", "other.json", "--password-file", "no-text"), "no-text is not text in UTF-8"),
        (("Other", "--managed-key", "--url", "gateway.example"), "--url: 'gateway.example' must begin with http://"),
        (("Other", "--managed-key", "--timeout", "nan"), "--timeout: must be 0 to 86400 seconds"),
    ):
        with pytest.raises(SystemExit) as end:
            cli.main(["merchant", "add", *arguments])
        assert end.value.code == 2
        assert sentence in capsys.readouterr().err, arguments
    assert not (network.directory / "other.json").exists()
    with network.operator() as operator:
        assert [one.name for one in operator.merchants.list() if one.name in ("Taken", "Other")] == ["Taken"]


def test_a_network_that_is_not_running_is_named(tmp_path: Path, network: UpNetwork) -> None:
    shutil.copytree(
        network.directory / ".tongdui", tmp_path / ".tongdui", ignore=shutil.ignore_patterns("lock", "chain*")
    )
    file = tmp_path / ".tongdui/network.env"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("TONGDUI_RPC_URL")]
    file.write_text("\n".join([*lines, f"TONGDUI_RPC_URL=http://127.0.0.1:{free_port()}"]))
    stopped = UpNetwork(tmp_path)
    assert "TONGDUI_RPC_URL: no chain node answers at 127.0.0.1:" in stopped.refused("Late", "--managed-key")


def test_a_chain_that_does_not_confirm_is_waited_for_and_the_command_goes_on_later(
    network: UpNetwork, add: Add
) -> None:
    projector = network.child("projector")
    os.kill(projector, signal.SIGSTOP)
    try:
        said = network.refused("Patient", "--managed-key", "--program", "PATIENT", "--timeout", "0.5")
        assert "has not confirmed merchant mer_" in said
        assert "run the same command again" in said
    finally:
        os.kill(projector, signal.SIGCONT)
    added = add("Patient", "--managed-key", "--program", "PATIENT")
    assert (added["merchant"][KEY_MADE], added["program"][KEY_MADE]) == (False, True)
