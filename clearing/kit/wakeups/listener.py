"""Hears wake-ups in a thread of its own, one a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Protocol

from clearing.kit.database import Database
from clearing.kit.wakeups.channels import Channel
from clearing.kit.wakeups.file_watch import FileWatch
from clearing.kit.wakeups.postgres_listener import PostgresListener

Heard = Callable[[Channel], None]
"""Is called in the listener's thread, and returns at once."""


class Listener(Protocol):
    """One way to hear wake-ups."""

    def run(self) -> None:
        """Listens until it is stopped, whatever happens to the database meanwhile."""
        ...

    def stop(self) -> None:
        """Lets `run` return."""
        ...


@contextmanager
def listening(database: Database, channels: Collection[Channel], heard: Heard) -> Iterator[None]:
    """Calls `heard` for each wake-up on these channels while the block runs, and after each interruption for all of them."""
    listener = _listener(database, channels, heard)
    thread = threading.Thread(target=listener.run, name="wake-ups", daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.stop()
        thread.join(timeout=1)  # it may be waiting for a database that is away, and ends with the process


def _listener(database: Database, channels: Collection[Channel], heard: Heard) -> Listener:
    kind = FileWatch if database.is_sqlite else PostgresListener
    return kind(database, channels, heard)
