"""The server that forks the processes of an embedded network: they are what they would be if an interpreter had started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearing.runtime.embedded.fork_server import Forked, ForkServer

REPORT = """
import atexit, json, os, signal, sys
atexit.register(lambda: print("at exit"))
if __name__ == "__main__":
    print(json.dumps({
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "leads its session": os.getsid(0) == os.getpid(),
        "interrupts": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "name": open("/proc/self/comm").read().strip(),
        "open": [os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)],
        "more open": [number for number in os.listdir("/proc/self/fd") if int(number) > 3],
        "loaded": "fastapi" in sys.modules,
    }))
    print("an error", file=sys.stderr)
    sys.exit(7)
"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def server() -> Iterator[ForkServer]:
    found = ForkServer()
    yield found
    found.stop()


@pytest.fixture
def report(tmp_path: Path) -> list[str]:
    """The command of a module that says what it is."""
    (tmp_path / "what_it_is.py").write_text(REPORT)
    return [sys.executable, "-m", "what_it_is", "a", "b c"]


def started(server: ForkServer, directory: Path, command: list[str]) -> Forked:
    environment = {"PATH": os.environ["PATH"], "OWN": "1"}
    return server.start(
        "report",
        command,
        environment=environment,
        output=directory / "out",
        errors=directory / "err",
        directory=directory,
    )


def leave_a_question(server: ForkServer, question: dict[str, Any]) -> None:
    """Asks, and does not read the answer, as a thread that is interrupted meanwhile."""
    server._asked += 1
    server._send({**question, "number": server._asked})


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("loads", [False, True])
def test_a_module_runs_as_if_an_interpreter_had_started_it(
    server: ForkServer, report: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loads: bool
) -> None:
    monkeypatch.setenv("TONGDUI_CHAIN_ID", "no number")  # the server reads no settings
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    if loads:
        server.load()
    process = started(server, tmp_path, report)
    assert process.wait(120) == 7
    said, last = (tmp_path / "out").read_text().splitlines()
    found = json.loads(said)
    assert last == "at exit"
    assert (tmp_path / "err").read_text() == "an error\n"
    assert found.pop("loaded") is loads
    assert found == {
        "arguments": ["a", "b c"],
        "environment": {"PATH": os.environ["PATH"], "OWN": "1"},
        "directory": str(tmp_path),
        "leads its session": True,
        "interrupts": True,
        "name": "report",
        "open": ["/dev/null", str(tmp_path / "out"), str(tmp_path / "err")],
        "more open": [],
    }


def test_a_program_is_started_too(server: ForkServer, tmp_path: Path) -> None:
    process = started(server, tmp_path, [sys.executable, "-c", "import os, sys; print(os.environ['OWN']); sys.exit(3)"])
    assert process.wait(60) == 3
    assert (tmp_path / "out").read_text() == "1\n"


def test_a_program_that_is_not_there_ends_with_words(server: ForkServer, tmp_path: Path) -> None:
    process = started(server, tmp_path, ["there-is-no-such-program"])
    assert process.wait(60) == 1
    assert "there-is-no-such-program" in (tmp_path / "err").read_text()


def test_processes_are_signalled_and_waited_for(server: ForkServer, tmp_path: Path) -> None:
    process = started(server, tmp_path, SLEEP)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    process.kill()  # which has ended: nobody is signalled
    other = started(server, tmp_path, SLEEP)
    other.kill()
    assert other.wait(60) == -signal.SIGKILL
    assert process.poll() == -signal.SIGTERM


def test_what_it_has_started_ends_with_it(server: ForkServer, tmp_path: Path) -> None:
    process = started(server, tmp_path, SLEEP)
    server.stop()
    until(lambda: not Path(f"/proc/{process.pid}").exists())
    assert process.poll() == -1


def test_a_killed_server_takes_all_along_and_another_one_starts(server: ForkServer, tmp_path: Path) -> None:
    process = started(server, tmp_path, SLEEP)
    parent = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{process.pid}").exists())
    assert process.poll() == -1
    process.send_signal(signal.SIGTERM)
    other = started(server, tmp_path, SLEEP)
    assert other.poll() is None
    assert process.poll() == -1


def test_a_process_of_a_killed_server_is_not_taken_for_another_one_of_its_number(
    server: ForkServer, tmp_path: Path
) -> None:
    process = started(server, tmp_path, SLEEP)
    server.stop()
    other = started(server, tmp_path, SLEEP)
    twin = replace(process, pid=other.pid)
    assert twin.poll() == -1
    twin.kill()
    assert other.poll() is None


def test_whoever_was_interrupted_leaves_no_answer_for_the_next_question(server: ForkServer, tmp_path: Path) -> None:
    process = started(server, tmp_path, SLEEP)
    leave_a_question(server, {"do": "signal", "pid": process.pid, "signal": signal.SIGTERM})
    assert process.wait(60) == -signal.SIGTERM


def test_questions_that_arrive_together_are_all_read(server: ForkServer, tmp_path: Path) -> None:
    process = started(server, tmp_path, SLEEP)
    assert server._server is not None
    server._server.send_signal(signal.SIGSTOP)
    leave_a_question(server, {"do": "poll", "pid": process.pid})
    leave_a_question(server, {"do": "signal", "pid": process.pid, "signal": signal.SIGTERM})
    server._server.send_signal(signal.SIGCONT)
    assert process.wait(60) == -signal.SIGTERM


def test_it_ends_with_whoever_made_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from clearing.runtime.embedded.fork_server import SHARED\n"
        "made = SHARED.start('x', ['sleep', '600'], environment={'PATH': sys.argv[1]}, output=Path('out'))\n"
        "print(made.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, os.environ["PATH"]], stdout=subprocess.PIPE, cwd=tmp_path
    ) as maker:
        assert maker.stdout is not None
        pid = int(maker.stdout.readline())
        maker.kill()
        until(lambda: not Path(f"/proc/{pid}").exists())
