"""Wake-ups on PostgreSQL: LISTEN on a connection of its own, which is made anew whenever it ends."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Collection
from typing import Any

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from clearing.kit.database import Database, liveliness
from clearing.kit.wakeups.channels import Channel

log = structlog.get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
"""Seconds before it connects again."""
_LONGEST_SILENCE = 30.0
"""Seconds after which it asks whether the server is still there: a dead machine does not close its connections."""

Connection = psycopg.Connection[Any]


class PostgresListener:
    """Listens on one connection, which is not one of the pool's."""

    def __init__(self, database: Database, channels: Collection[Channel], heard: Callable[[Channel], None]) -> None:
        self._database = database
        self._channels = channels
        self._heard = heard
        self._stopped, self._stop = socket.socketpair()

    def run(self) -> None:
        """Calls `heard` for each wake-up, and for every channel after each new connection: some may have been lost before."""
        pause = _FIRST_PAUSE
        while not self._is_stopped(0):
            try:
                with self._connection() as connection:
                    pause = _FIRST_PAUSE
                    self._listen(connection)
            except (psycopg.Error, SQLAlchemyError, OSError) as error:
                log.warning("cannot hear wake-ups, will connect again", error=type(error).__name__, seconds=pause)
                self._is_stopped(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        self._stopped.close()

    def stop(self) -> None:
        """Lets `run` return."""
        self._stop.close()

    def _connection(self) -> Connection:
        engine = self._database.engine
        _, options = engine.dialect.create_connect_args(engine.url)
        options.update(liveliness(engine.url))
        return psycopg.connect(**options, autocommit=True)

    def _listen(self, connection: Connection) -> None:
        connection.execute(";".join(f"LISTEN {channel}" for channel in self._channels))
        for channel in self._channels:
            self._heard(channel)
        while not self._is_stopped(_LONGEST_SILENCE, connection):
            for name in {notice.channel for notice in connection.notifies(timeout=0)}:
                self._heard(Channel(name))

    def _is_stopped(self, seconds: float, connection: Connection | None = None) -> bool:
        """Whether it was stopped; waits for that, or for something on the connection, but no longer than `seconds`."""
        poll = select.poll()
        poll.register(self._stopped, select.POLLIN)
        if connection is not None:
            poll.register(connection.fileno(), select.POLLIN)
        ready = poll.poll(seconds * 1_000)
        if not ready and connection is not None:
            connection.execute("SELECT 1")
        return any(fileno == self._stopped.fileno() for fileno, _ in ready)
