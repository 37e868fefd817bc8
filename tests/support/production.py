"""An operator's machine: settings in the environment, each command and each process as docs/deploy.md names it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from clearing.kit.signing.role_keys import ROLES
from clearing.runtime.preflight.keys import NEEDS, Needs
from tests.support.secrets import password_variables

ROOT = Path(__file__).resolve().parents[2]


class Site:
    """An operator's machine. Whoever uses it adds to `environment` what `clearing deploy` prints."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.environment = {**os.environ, **environment}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Begins a command of `clearing`."""
        return subprocess.Popen(
            [sys.executable, "-m", "clearing", *arguments],
            cwd=ROOT, env={**self.environment, **password_variables(*ROLES)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of `clearing` to its end, whatever that is."""
        with self.begin(*arguments) as process:
            try:
                out, err = process.communicate(timeout=300)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def command(self, *arguments: str) -> str:
        """What a command of `clearing` prints that does what it should."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name: str, *command: str, **environment: str) -> None:
        """Starts a process."""
        needs = NEEDS.get(command[-1] if command[0] == "clearing" else command[0], Needs())  # the beat needs none
        given = password_variables(*needs.roles, *needs.purposes) if needs.roles or needs.purposes else {}
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT, env={**self.environment, **given, **environment}, stdout=log, stderr=log,
            )  # fmt: skip

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends a process."""
        process = self.processes.pop(name)
        process.send_signal(number)
        try:
            return process.wait(90)
        finally:
            process.kill()

    def stop_all(self) -> None:
        """Ends all processes."""
        for name in list(self.processes):
            self.stop(name)


def is_healthy(url: str) -> bool:
    """Whether a gateway says that every part works."""
    try:
        return httpx.get(f"{url}/readyz", timeout=30).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def eventually(holds: Callable[[], bool], otherwise: str, seconds: float = 180) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.2)
