"""Wake-ups on SQLite: every committed change of the database file is one, whatever it was.

`PRAGMA data_version` says on a kept connection whether another connection, of whatever process, has committed since. It reads a
few bytes of shared memory and takes no lock, so asking often costs less than one real look at the tables.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection
from contextlib import closing

import structlog
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from clearing.kit.database import Database
from clearing.kit.wakeups.channels import Channel

log = structlog.get_logger(__name__)

_FIRST_LOOK, _LONGEST_LOOK, _GROWTH = 0.01, 0.05, 1.02
"""Seconds between two looks: after a change the first, and then longer from look to look, up to the longest after about two
seconds without another change. A process that has nothing to do then takes a fifth of the processor."""
_PAUSE = 0.5
"""After a failure."""


class FileWatch:
    """Watches the database file."""

    def __init__(self, database: Database, channels: Collection[Channel], heard: Callable[[Channel], None]) -> None:
        self._database = database
        self._channels = channels
        self._heard = heard
        self._stopped = threading.Event()

    def run(self) -> None:
        """Calls `heard` for every channel after each change."""
        while not self._stopped.is_set():
            try:
                with closing(self._database.engine.raw_connection()) as connection:
                    connection.detach()  # it is not one of the pool's
                    self._watch(connection)
            except (sqlite3.Error, SQLAlchemyError) as error:
                log.warning("cannot watch the database file, will try again", error=type(error).__name__)
                self._stopped.wait(_PAUSE)

    def stop(self) -> None:
        """Lets `run` return."""
        self._stopped.set()

    def _watch(self, connection: PoolProxiedConnection) -> None:
        cursor = connection.cursor()
        seen, pause = None, _FIRST_LOOK
        while not self._stopped.wait(pause):
            pause = min(pause * _GROWTH, _LONGEST_LOOK)
            cursor.execute("PRAGMA data_version")
            if seen != (seen := cursor.fetchone()):
                pause = _FIRST_LOOK
                for channel in self._channels:
                    self._heard(channel)
