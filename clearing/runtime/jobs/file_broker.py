"""The embedded broker: each message is a file. For one machine without Redis or RabbitMQ.

Kombu's own `filesystem` transport shows a message before it is complete, so a worker may read half of it. This one writes a draft
and renames it. A message that a worker has taken is not delivered again when the worker dies; our jobs do not need that. A message
goes to the queue of its name; exchanges, which other processes would have to know, are not stored.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, virtual

SCHEME = "directory"
_SUFFIX = ".message"


class Channel(virtual.Channel):
    """Queues as subdirectories. Names sort by time, so the oldest message is the first."""

    supports_fanout = False

    @property
    def _root(self) -> Path:
        options: dict[str, Any] = self.transport_options
        return Path(options["directory"])

    @property
    def transport_options(self) -> dict[str, Any]:
        """The options that the application set."""
        connection: Any = self.connection
        options: dict[str, Any] = connection.client.transport_options
        return options

    def _queue(self, queue: str) -> Path:
        path = self._root / queue
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _put(self, queue: str, message: Any, **_options: Any) -> None:
        name = f"{time.time_ns():020}-{uuid.uuid4().hex}"
        path = self._queue(queue)
        draft = path / f".{name}.draft"
        draft.write_text(json.dumps(message))
        draft.rename(path / f"{name}{_SUFFIX}")

    def _get(self, queue: str, timeout: float | None = None) -> Any:  # noqa: ARG002
        for path in self._waiting(queue):
            mine = path.with_name(f".{path.stem}.{os.getpid()}.taken")
            with contextlib.suppress(FileNotFoundError):  # another worker took it first
                path.rename(mine)
                text = mine.read_text()
                mine.unlink()
                return json.loads(text)
        raise Empty

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _purge(self, queue: str) -> int:
        waiting = self._waiting(queue)
        for path in waiting:
            path.unlink(missing_ok=True)
        return len(waiting)

    def _waiting(self, queue: str) -> list[Path]:
        return sorted(path for path in self._queue(queue).iterdir() if path.suffix == _SUFFIX)


class Transport(virtual.Transport):
    """`directory://`, with the directory in `broker_transport_options`."""

    Channel = Channel
    default_port = 0
    driver_type = SCHEME
    driver_name = SCHEME
    polling_interval = 0.2
    implements = virtual.Transport.implements.extend(asynchronous=False, exchange_type=frozenset({"direct"}))

    def driver_version(self) -> str:
        """Ours."""
        return "1"


def register() -> None:
    """Makes `directory://` known to kombu."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
