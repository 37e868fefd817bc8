"""The Prefer header (RFC 7240). `wait=N` holds a response back until its resource is final, without holding a thread or a
transaction.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable

import anyio
import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from clearing.kit.database import Database
from clearing.oversight.progress.service import ProgressService

log = structlog.get_logger(__name__)

LONGEST = 30
_POLL = 0.025
_CHUNK = 500
_MINIMAL = re.compile(r"(?:^|[,;])\s*return\s*=\s*\"?minimal\"?\s*(?=$|[,;])", re.IGNORECASE)
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=$|[,;])', re.IGNORECASE)


def preferred_wait(headers: Iterable[str]) -> int:
    """Seconds that the Prefer headers ask to wait, at most `LONGEST`; 0 where they ask for nothing that we understand."""
    found = _WAIT.search(",".join(headers))
    return min(int(found[1]), LONGEST) if found else 0


def prefers_minimal(headers: Iterable[str]) -> bool:
    """Whether the Prefer headers ask for as little in the response as possible."""
    return _MINIMAL.search(",".join(headers)) is not None


class Waiters:
    """The requests that wait for a resource to become final, and the one loop that looks up all of those resources."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, list[anyio.Event]] = defaultdict(list)
        self.is_stopping: Callable[[], bool] = lambda: False
        """Whether the process is about to end. Then every request is answered at once, as things stand."""

    async def wait(self, resource_id: str, seconds: float) -> None:
        """Returns when the resource is final, or after `seconds`."""
        event = anyio.Event()
        self._waiting[resource_id].append(event)
        try:
            with anyio.move_on_after(seconds):
                await event.wait()
        finally:
            self._waiting[resource_id].remove(event)
            if not self._waiting[resource_id]:
                del self._waiting[resource_id]

    async def run(self) -> None:
        """Wakes requests whose resource is final, until it is cancelled. While nobody waits, it does not query the database."""
        while True:
            await anyio.sleep(_POLL)
            if self.is_stopping():
                self._wake(self._waiting)
                continue
            ids = list(self._waiting)
            for start in range(0, len(ids), _CHUNK):
                await self._wake_finished(ids[start : start + _CHUNK])

    async def _wake_finished(self, ids: list[str]) -> None:
        try:
            unfinished = await to_thread.run_sync(self._unfinished, ids)
        except SQLAlchemyError as error:
            log.warning("cannot look up which resources are final", error=type(error).__name__)
            return
        self._wake(set(ids) - unfinished)

    def _wake(self, ids: Iterable[str]) -> None:
        for resource_id in ids:
            for event in self._waiting.get(resource_id, ()):
                event.set()

    def _unfinished(self, ids: list[str]) -> set[str]:
        with self._database.reading() as session:
            return ProgressService(session).unfinished(ids)
