"""Questions whose answers take long, such as those to the chain node: asked by one thread for everybody who wants to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from anyio import CapacityLimiter, to_thread

T = TypeVar("T")

_KEEP_SECONDS = 1.0


class SharedAnswer(Generic[T]):
    """The answer to one question, kept for a second. While it is being asked, whoever comes waits for that answer, and takes no
    thread: a node that is silent keeps nobody waiting who does not want to know what it says."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self.keep_seconds = _KEEP_SECONDS
        self._ask = ask
        self._limiter = CapacityLimiter(1)
        """A thread of its own."""
        self._asking: asyncio.Task[T] | None = None
        self._kept: tuple[float, T] | None = None
        """When the answer came, and the answer."""
        self.waiting = 0
        """How many wait for the answer now."""

    async def get(self) -> T:
        """The answer, which is at most a second old when it is there. Raises what asking raises."""
        if self._kept is not None and time.monotonic() - self._kept[0] < self.keep_seconds:
            return self._kept[1]
        if self._asking is None:
            self._asking = asyncio.create_task(self._asked())
        self.waiting += 1
        try:
            return await asyncio.shield(self._asking)  # whoever goes away leaves the question to the others
        finally:
            self.waiting -= 1

    async def _asked(self) -> T:
        try:
            answer = await to_thread.run_sync(self._ask, limiter=self._limiter)
            self._kept = time.monotonic(), answer
            return answer
        finally:
            self._asking = None
