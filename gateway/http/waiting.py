"""The Prefer header (RFC 7240). `wait=N` holds a response back until its resource is final, without holding a thread or a
transaction. One loop a process looks at what all of them wait for, and makes their responses.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import anyio
import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import Response
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.kit.database import Database
from clearing.kit.wakeups.channels import Channel
from clearing.kit.wakeups.listener import listening
from clearing.oversight.progress.service import ProgressService

C = TypeVar("C")

log = structlog.get_logger(__name__)

LONGEST = 30
_TICK = 0.1
"""Seconds until the loop looks at a request that nobody has looked at: its resource may have become final just before."""
_SLOWEST = 0.5
"""Seconds after which the loop looks without a wake-up: one may be lost."""
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


Answer = Response | Exception
Show = Callable[[Session, Sequence[tuple[C, str]]], Sequence[Answer]]
"""Shows many resources, each to the call that waits for it."""


class _Waiting(Generic[C]):
    """A request that waits."""

    def __init__(self, call: C, resource_id: str) -> None:
        self.call = call
        self.resource_id = resource_id
        self.is_new = True
        """Whether nobody has looked at its resource yet."""
        self.is_overdue = False
        """Whether it has waited long enough: it is answered as things stand."""
        self.answered = anyio.Event()
        self.answer: Answer | None = None


class Waiters(Generic[C]):
    """The requests that wait for a resource to become final, and the one loop that answers them."""

    def __init__(self, database: Database, show: Show[C]) -> None:
        self._database = database
        self._show = show
        self._waiting: dict[_Waiting[C], None] = {}
        self._woken = anyio.Event()
        self._looked_at = 0.0
        self._limiter = CapacityLimiter(1)
        self.is_stopping: Callable[[], bool] = lambda: False
        """Whether the process is about to end. Then every request is answered at once, as things stand."""

    @property
    def awaited(self) -> set[str]:
        """The ids of the resources for which requests wait."""
        return {one.resource_id for one in self._waiting}

    async def response(self, call: C, resource_id: str, seconds: float, *, look_now: bool) -> Response:
        """The response that shows the resource when it is final, or after `seconds` as it is then.

        `look_now`: it may be final already, so the loop does not wait until something is decided.
        """
        one = _Waiting(call, resource_id)
        self._waiting[one] = None
        try:
            if look_now:
                self._wake()
            with anyio.move_on_after(seconds):
                await one.answered.wait()
            if not one.answered.is_set():
                one.is_overdue = True
                self._wake()
                await one.answered.wait()
        finally:
            del self._waiting[one]
        assert one.answer is not None, "whoever is answered has an answer"
        if isinstance(one.answer, Exception):
            raise one.answer
        return one.answer

    async def run(self) -> None:
        """Answers requests whose resource is final, until it is cancelled. While nobody waits, it does not query the database."""
        loop = asyncio.get_running_loop()

        def heard(_: Channel) -> None:
            loop.call_soon_threadsafe(self._wake)

        with listening(self._database, [Channel.DECIDED], heard):
            while True:
                with anyio.move_on_after(_TICK):
                    await self._woken.wait()
                is_woken, self._woken = self._woken.is_set(), anyio.Event()
                if is_woken or self._is_due():
                    await self._look()

    def _wake(self) -> None:
        self._woken.set()

    def _is_due(self) -> bool:
        if time.monotonic() - self._looked_at >= _SLOWEST or self.is_stopping():
            return bool(self._waiting)
        return any(one.is_new for one in self._waiting)

    async def _look(self) -> None:
        self._looked_at = time.monotonic()
        waiting = [one for one in self._waiting if not one.answered.is_set()]
        for one in waiting:
            one.is_new = False
            one.is_overdue |= self.is_stopping()
        for start in range(0, len(waiting), _CHUNK):
            await self._answer(waiting[start : start + _CHUNK])

    async def _answer(self, waiting: Sequence[_Waiting[C]]) -> None:
        answers: Sequence[Answer]
        try:
            ready, answers = await to_thread.run_sync(self._answers, waiting, limiter=self._limiter)
        except SQLAlchemyError as error:
            log.warning("cannot look up which resources are final", error=type(error).__name__)
            ready = [one for one in waiting if one.is_overdue]
            answers = [error] * len(ready)
        except Exception as error:
            log.exception("cannot show what requests wait for")  # a bug of ours; the loop goes on for the others
            ready, answers = waiting, [error] * len(waiting)
        for one, answer in zip(ready, answers, strict=True):
            one.answer = answer
            one.answered.set()

    def _answers(self, waiting: Sequence[_Waiting[C]]) -> tuple[Sequence[_Waiting[C]], Sequence[Answer]]:
        """Those of the requests that can be answered, and their responses."""
        with self._database.reading() as session:
            unfinished = ProgressService(session).unfinished({one.resource_id for one in waiting})
            ready = [one for one in waiting if one.is_overdue or one.resource_id not in unfinished]
            return ready, self._show(session, [(one.call, one.resource_id) for one in ready])
