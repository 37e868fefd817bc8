"""Runs one audit: a process of its own, with low priority, that says in a file how far it is. `jobs` starts it.

It ends with the console: its standard input is a pipe that closes when the console is gone, however that happens.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from console.audit_jobs.files import (
    ASKED,
    CANCEL,
    FINAL_STATES,
    PAGE,
    REPORT,
    STATE,
    SUMMARY,
    TABLES,
    WORKING,
    read_json,
    summary_of,
    write_json,
)
from pages.clock import now

_NICENESS = 10
_SECONDS_A_NOTE = 0.5
_PATIENCE = 30.0
"""Seconds for the audit to keep what it has checked, after it was told to stop."""
_SHOWN_LINES = 12
_LONGEST_LINE = 2_000


def command_of(asked: dict[str, Any], directory: Path) -> list[str]:
    """The audit's command line."""
    options = [option for node in asked["nodes"] for option in ("--rpc", node)]
    options += ["--contract", asked["contract"], "--chain-id", str(asked["chain_id"])]
    for name, value in (("--from", asked["first"]), ("--to", asked["last"]), ("--as-of", asked["as_of"])):
        options += [name, value] if value else []
    options += ["--bank", str(directory / asked["bank"])] if asked["bank"] else []
    options += [option for column in asked["bank_columns"] for option in ("--bank-column", column)]
    options += ["--state", str(directory / WORKING), "--report", str(directory / PAGE), "--language", asked["language"]]
    options += ["--json", str(directory / REPORT), "--csv", str(directory / TABLES), "--progress", "json", "--force"]
    return [sys.executable, "-m", "tongdui._cli", "audit", "run", *options]


class Job:
    """An audit that runs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._noted = 0.0
        self._stopped: str | None = None
        """Why it was told to stop: the state that it then has."""
        before = read_json(directory / STATE)
        self._state: dict[str, Any] = {
            "state": "running",
            "started_at": int(now().timestamp()),
            "ended_at": None,
            "attempts": before.get("attempts", 0) + 1,
            "progress": before.get("progress"),
            "messages": [],
        }
        self._others: deque[str] = deque(maxlen=_SHOWN_LINES)
        self._write()

    def run(self) -> None:
        """Runs the audit to its end, or until it is told to stop."""
        command = command_of(read_json(self._directory / ASKED), self._directory)
        self._process = subprocess.Popen(  # noqa: S603 (our own command)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        for watch in (self._watch_console, self._watch_for_cancel):
            threading.Thread(target=watch, daemon=True).start()
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._take(line)
        self._end(self._process.wait())

    def _take(self, line: str) -> None:
        """Reads a line of the audit: its progress, or words for people."""
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict) and "last_block" in said:
                self._state["progress"] = {name: said[name] for name in said if isinstance(said[name], (int, float))}
                if time.monotonic() - self._noted >= _SECONDS_A_NOTE:
                    self._write()
                return
        if line.strip():
            self._others.append(line.rstrip()[:_LONGEST_LINE])

    def _end(self, code: int) -> None:
        state = self._stopped or FINAL_STATES.get(code, "failed")
        if code in (0, 1) and self._stopped is None:
            try:
                write_json(self._directory / SUMMARY, summary_of(self._directory / REPORT))
            except (OSError, ValueError, KeyError, TypeError) as error:
                state = "failed"
                self._others.append(f"the report cannot be read: {error}")
        self._state |= {"state": state, "ended_at": int(now().timestamp())}
        self._state["messages"] = [] if state in ("holds", "findings") else list(self._others)
        self._write()

    def _write(self) -> None:
        self._noted = time.monotonic()
        write_json(self._directory / STATE, self._state)

    # ---------------------------------------------------------------- being told to stop

    def _watch_console(self) -> None:
        """Waits until the console is gone."""
        sys.stdin.buffer.read()
        self._stop("stopped")

    def _watch_for_cancel(self) -> None:
        while not (self._directory / CANCEL).exists():
            time.sleep(0.2)
        self._stop("cancelled")

    def _stop(self, state: str) -> None:
        self._stopped = self._stopped or state
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the audit of the directory that is named."""
    (directory,) = sys.argv[1:] if arguments is None else arguments
    os.nice(_NICENESS)
    Job(Path(directory)).run()


if __name__ == "__main__":
    main()
