"""Starts processes of this project within milliseconds: one process loads every module once, and forks each of them.

To load the gateway's modules takes about 4 seconds of CPU, a daemon's 2; a network has seven processes. Whoever wants a process
asks the server over a socket. The server is the parent of all that it started: it alone may signal them, so that no signal
reaches another process which was given the same id. It ends with whoever made it, and then they end, too.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedRWPair
from pathlib import Path
from typing import Any, TypeAlias

from clearing.kit.garbage import freeze_startup_objects
from clearing.runtime.prctl import die_with_parent, name_process

_LOADED = (
    "clearing.pipeline.projector",
    "clearing.runtime.actions.daemons",
    "clearing.runtime.jobs.definitions",
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "gateway.server",
    "console.server",
)
"""What the processes of a network load. None of these may read settings while it is loaded: they are the server's own."""

_LOAD = {"do": "load"}

_Channel: TypeAlias = "BufferedRWPair[Any, Any]"


def _line(message: object) -> bytes:
    """A message as it goes over the socket, whose files are binary: a text file forgets what it has read ahead when it writes."""
    return json.dumps(message).encode() + b"\n"


class ForkServerError(Exception):
    """The server has ended."""


@dataclass(slots=True, weakref_slot=True)
class Forked:
    """A process that the server has started; a part of the interface of `subprocess.Popen`."""

    pid: int
    life: int
    """Which of the servers has started it, by number."""
    _descriptor: int
    """The system's handle of the process: it can be read once that has ended."""
    _server: ForkServer
    returncode: int | None = None
    """The exit code once it has ended, negative for a signal. -1 if the server has ended before it."""

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._code_within(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Waits until it has ended, and returns its exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs after so many seconds.
        """
        code = self._code_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Sends it a signal, if it still runs."""
        if self.poll() is None:
            self._server.send_signal(self, number)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    def _code_within(self, seconds: float | None) -> int | None:
        """The exit code, or None if it runs for longer than that."""
        if self.returncode is None:
            ended = select.poll()
            ended.register(self._descriptor, select.POLLIN)
            if ended.poll(None if seconds is None else math.ceil(1_000 * seconds)):
                self.returncode = self._server.exit_code(self)
        return self.returncode


@dataclass(slots=True)
class ForkServer:
    """The server, seen from the process that asks it. Threads may share it. It starts when it is first asked for something, and
    once more if it was killed."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: subprocess.Popen[bytes] | None = None
    _channel: _Channel | None = None
    _loads: bool = False
    _life: int = 0
    """How many servers there have been."""
    _asked: int = 0
    """How many questions. An answer has its question's number: whoever was interrupted leaves one behind."""

    def load(self) -> None:
        """Lets it load what the processes of a network need, meanwhile: what is asked for next waits for that."""
        with self._lock:
            if self._loads:
                return
            self._loads = True
            if self._channel is None:
                self._open()
            else:
                with contextlib.suppress(ForkServerError):  # another one loads when it starts
                    self._send(_LOAD)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: Path,
        errors: Path | None = None,
        directory: Path | None = None,
    ) -> Forked:
        """Starts a process in a session of its own.

        Args:
            name: How the system shows it.
            command: A program with its arguments. `[sys.executable, "-m", module, ...]` does not start an interpreter.
            environment: All of its environment variables.
            output: The file to which its output is appended.
            errors: The same for its errors, if they go elsewhere.
            directory: Where it runs; by default where this process is now.
        """
        request = {
            "do": "start",
            "name": name,
            "command": list(command),
            "environment": dict(environment),
            "files": [str(output.absolute()), str((errors or output).absolute())],
            "directory": str((directory or Path.cwd()).absolute()),
        }
        with self._lock:
            try:
                return self._started(request)
            except (ForkServerError, ProcessLookupError):  # somebody has killed it: another one starts
                self._forget()
                return self._started(request)

    def _started(self, request: dict[str, Any]) -> Forked:
        pid = self._ask(request)
        descriptor = os.pidfd_open(pid)  # still this process: nobody else may ask, and the server reaps only when asked
        process = Forked(pid, self._life, descriptor, self)
        weakref.finalize(process, os.close, descriptor)
        return process

    def exit_code(self, process: Forked) -> int | None:
        """The exit code of a process, or None while it runs."""
        return self._ask_about(process, {"do": "poll"})

    def send_signal(self, process: Forked, number: int) -> None:
        """Sends a signal to a process that it has started."""
        self._ask_about(process, {"do": "signal", "signal": int(number)})

    def stop(self) -> None:
        """Ends the server, and with it all that it has started."""
        with self._lock:
            self._forget()

    def _ask_about(self, process: Forked, request: dict[str, Any]) -> int | None:
        """What the server that has started a process says; -1 if it has ended, and the process with it."""
        with self._lock:
            if self._channel is None or process.life != self._life:
                return -1
            try:
                found: int | None = self._ask({**request, "pid": process.pid})
            except ForkServerError:
                return -1
            return found

    def _ask(self, request: dict[str, Any]) -> Any:
        self._asked += 1
        channel = self._send({**request, "number": self._asked})
        try:
            while answer := channel.readline():
                number, found = json.loads(answer)
                if number == self._asked:
                    return found
        except OSError:  # it had not read all when it ended
            pass
        self._forget()
        raise ForkServerError("the fork server has ended")

    def _send(self, request: dict[str, Any]) -> _Channel:
        channel = self._channel or self._open()
        try:
            channel.write(_line(request))
            channel.flush()
        except OSError:
            self._forget()
            raise ForkServerError("the fork server has ended") from None
        return channel

    def _open(self) -> _Channel:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            number = theirs.fileno()
            self._server = subprocess.Popen(  # noqa: S603 (our own command)
                [sys.executable, "-m", "clearing.runtime.embedded.fork_server", str(number)],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._channel = ours.makefile("rwb")
        self._life += 1
        if self._loads:
            self._channel.write(_line(_LOAD))
            self._channel.flush()
        return self._channel

    def _forget(self) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.close()
        if self._server is not None:
            self._server.wait()
        self._channel = self._server = None


SHARED = ForkServer()
"""The one of this process. All networks that it runs share it."""


# -------------------------------------------------------------------- the server


class Server:
    """The server itself."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel
        self._codes: dict[int, int | None] = {}

    def serve(self) -> dict[str, Any] | None:
        """Answers until there is nobody who asks. In a process that it has forked, returns what that shall do."""
        for line in iter(self._channel.readline, b""):
            request = json.loads(line)
            what = request["do"]
            if what == "load":
                _load()
                continue
            if what == "start":
                pid = os.fork()
                if pid == 0:
                    return dict(request)
                self._codes[pid] = None
                self._answer(request, pid)
            else:
                self._reap()
                if what == "signal" and self._codes.get(request["pid"], -1) is None:
                    os.kill(request["pid"], request["signal"])
                self._answer(request, self._codes.get(request["pid"], -1))
        return None

    def _answer(self, request: dict[str, Any], found: int | None) -> None:
        self._channel.write(_line([request["number"], found]))
        self._channel.flush()

    def _reap(self) -> None:
        for pid in [pid for pid, code in self._codes.items() if code is None]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._codes[pid] = os.waitstatus_to_exitcode(status)


def _load() -> None:
    for module in _LOADED:
        with contextlib.suppress(ModuleNotFoundError):  # the console may not be installed
            importlib.import_module(module)
    freeze_startup_objects()  # what nobody touches stays shared


def _become(request: dict[str, Any], server: int) -> None:
    """Makes this process what was asked for. Returns when it has done its work."""
    os.setsid()
    die_with_parent(signal.SIGTERM)
    if os.getppid() != server:
        return  # which has just ended
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in enumerate(request["files"], start=1):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    command = request["command"]
    if command[:2] != [sys.executable, "-m"]:
        try:
            os.execvp(command[0], command)  # noqa: S606 (our own command)
        except OSError as error:
            sys.exit(f"{command[0]}: {error.strerror}")
    name_process(request["name"])
    sys.argv = command[2:]
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)


def main() -> None:
    """Serves over the socket whose number is the argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = os.getpid()
    with socket.socket(fileno=int(sys.argv[1])) as connection, connection.makefile("rwb") as channel:
        request = Server(channel).serve()
    if request is not None:
        _become(request, server)


if __name__ == "__main__":
    main()
