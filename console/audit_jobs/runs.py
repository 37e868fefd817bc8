"""The audits that this console keeps: one directory for each, and one lock, because one runs at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.audit_jobs.files import ASKED, CANCEL, PAGE, REPORT, STATE, SUMMARY, TABLES, read_json, write_json
from pages.clock import now

_ID = re.compile(r"[0-9a-f]{24}")
_TABLE = re.compile(r"[a-z0-9_]+\.csv")
_LOCK = "lock"
_TRIES = 20
_PAUSE = 0.05
ENDED = ("holds", "findings")
"""States after which there is nothing to go on with."""


def id_of(key: str) -> str:
    """The id of the audit that was asked for by a form with this key."""
    return hashlib.sha256(key.encode()).hexdigest()[:24]


class Busy(Exception):
    """An audit is running."""


@dataclass(frozen=True, slots=True)
class Run:
    """An audit as it is now."""

    id: str
    directory: Path
    asked: dict[str, Any]
    state: str
    """running, stopped, cancelled, holds, findings, unchecked or failed."""
    progress: dict[str, int] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    started_at: int | None = None
    ended_at: int | None = None
    attempts: int = 0

    @property
    def is_running(self) -> bool:
        """Whether it goes on by itself."""
        return self.state == "running"

    @property
    def may_go_on(self) -> bool:
        """Whether it can go on where it was."""
        return not self.is_running and self.state not in ENDED

    @property
    def has_report(self) -> bool:
        """Whether there is one to read."""
        return self.state in ENDED

    @property
    def summary(self) -> dict[str, Any]:
        """What the report says, as far as a page shows it."""
        return read_json(self.directory / SUMMARY) if self.has_report else {}

    @property
    def tables(self) -> list[str]:
        """The names of the report's CSV files."""
        folder = self.directory / TABLES
        return sorted(path.name for path in folder.glob("*.csv")) if self.has_report and folder.is_dir() else []

    def file(self, name: str) -> Path | None:
        """One of its files that somebody may download; None for anything else."""
        if not self.has_report:
            return None
        allowed = {PAGE: self.directory / PAGE, REPORT: self.directory / REPORT}
        path = allowed.get(name)
        if path is None and _TABLE.fullmatch(name):
            path = self.directory / TABLES / name
        return path if path is not None and path.is_file() else None


class Runs:
    """All audits of a directory. Several consoles may share it."""

    def __init__(self, directory: Path, most: int) -> None:
        self._directory = directory
        self._most = most

    def list(self) -> list[Run]:
        """All of them, the newest first."""
        running = self.running()
        folders = self._directory.iterdir() if self._directory.is_dir() else ()
        found = [run for folder in folders if _ID.fullmatch(folder.name) and (run := self._read(folder, running))]
        return sorted(found, key=lambda run: (run.asked["created_at"], run.id), reverse=True)

    def get(self, id: str) -> Run | None:  # noqa: A002
        """The audit with this id."""
        return self._read(self._directory / id, self.running()) if _ID.fullmatch(id) else None

    def running(self) -> str | None:
        """The id of the audit that runs: its job holds the lock, for as long as it lives."""
        try:
            with (self._directory / _LOCK).open() as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return lock.read()
        except FileNotFoundError:
            pass
        return None

    def create(self, key: str, asked: dict[str, Any], bank: bytes | None) -> str:
        """Keeps what was asked for; the audit's id. The same key is the same audit. Forgets the oldest ones."""
        id = id_of(key)  # noqa: A001
        folder = self._directory / id
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            if bank is not None and asked["bank"]:
                (folder / asked["bank"]).write_bytes(bank)
            write_json(folder / ASKED, {**asked, "created_at": int(now().timestamp())})
        for old in [run for run in self.list() if not run.is_running and run.id != id][max(self._most - 1, 0) :]:
            self.remove(old)
        return id

    def cancel(self, run: Run) -> None:
        """Asks its job to stop, whichever console has started it."""
        (run.directory / CANCEL).touch()

    def remove(self, run: Run) -> None:
        """Forgets an audit, its report and its checkpoints."""
        shutil.rmtree(run.directory)

    @contextmanager
    def turn(self, id: str) -> Iterator[int]:  # noqa: A002
        """The lock, for the audit's job to inherit: a file descriptor. Raises Busy if another audit runs."""
        lock = os.open(self._directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._take(lock)
            os.ftruncate(lock, 0)
            os.pwrite(lock, id.encode(), 0)
            yield lock
        finally:
            os.close(lock)

    @staticmethod
    def _take(lock: int) -> None:
        for _ in range(_TRIES):  # somebody may only be looking whether one runs
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_PAUSE)
            else:
                return
        raise Busy

    @staticmethod
    def _read(folder: Path, running: str | None) -> Run | None:
        asked = read_json(folder / ASKED)
        if not asked:
            return None  # it is being made, or it was forgotten since
        found = read_json(folder / STATE)
        state = found.get("state", "stopped")
        if folder.name == running:
            state = "running"
        elif state == "running":
            state = "stopped"  # its job is gone and could not say so
        return Run(
            folder.name,
            folder,
            asked,
            state,
            found.get("progress") or {},
            tuple(found.get("messages", ())),
            found.get("started_at"),
            found.get("ended_at"),
            found.get("attempts", 0),
        )
