"""A worker as a process: it steps while there is work, looks again soon when there is none, and stops between two steps."""

from __future__ import annotations

import signal
from threading import Event
from types import FrameType
from typing import Protocol

import structlog
from sqlalchemy.exc import DBAPIError

from loyalty.kit.garbage import freeze_startup_objects

log = structlog.get_logger(__name__)
_DATABASE_PAUSE = 1.0


class Worker(Protocol):
    """What works step by step: a sender, a messenger."""

    def step(self) -> bool:
        """Does some of what is due. False if nothing is."""


class Daemon:
    """Runs a worker until it is told to stop."""

    def __init__(self, worker: Worker, interval: float) -> None:
        self._worker = worker
        self._interval = interval
        self._stop = Event()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Has it stop once it has finished the step that it is at."""
        self._stop.set()

    def run(self) -> None:
        """Steps until `stop`. A database that is away is waited for."""
        while not self._stop.is_set():
            try:
                if not self._worker.step():
                    self._stop.wait(self._interval)
            except DBAPIError as error:
                log.warning("the database is unavailable", detail=str(error.orig)[:300])
                self._stop.wait(_DATABASE_PAUSE)

    def run_until_signal(self) -> None:
        """The same, until SIGTERM or SIGINT."""
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self.stop)
        freeze_startup_objects()
        self.run()
