"""Work that is done in groups: what arrives while one group is worked on forms the next one.

A group waits for no timer: what finds nobody at work begins at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

log = structlog.get_logger(__name__)

LARGEST = 100
"""Most that a group's members come to in all, unless it has only one. With more, the first would wait long for the last."""


class Member(Protocol):
    """What a group is made of."""

    @property
    def identity(self) -> Hashable:
        """No two members of a group have the same: the second one waits until the first is done."""
        ...

    @property
    def size(self) -> int:
        """How much work it is."""
        ...


M = TypeVar("M", bound=Member)
R = TypeVar("R")


class Groups(Generic[M, R]):
    """What waits for work, and the one loop that does it, group after group, in one thread."""

    def __init__(self, work: Callable[[Sequence[M]], Sequence[R | Exception]]) -> None:
        self._work = work
        self._waiting: list[tuple[M, asyncio.Future[R]]] = []
        self._arrived = asyncio.Event()
        self._limiter = CapacityLimiter(1)
        """A thread of its own: requests that wait for something must not keep the groups waiting."""

    async def join(self, member: M) -> R:
        """What the work yields for this member. Raises the exception that stands for it."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((member, done))
        self._arrived.set()
        return await done

    async def run(self) -> None:
        """Works on group after group, until it is cancelled."""
        while True:
            await self._arrived.wait()
            group = self._next_group()
            for (_, done), outcome in zip(group, await self._outcomes([member for member, _ in group]), strict=True):
                if done.done():
                    continue  # whoever asked has gone
                if isinstance(outcome, Exception):
                    done.set_exception(outcome)
                else:
                    done.set_result(outcome)

    async def _outcomes(self, members: Sequence[M]) -> Sequence[R | Exception]:
        try:
            return await to_thread.run_sync(self._work, members, limiter=self._limiter)
        except (
            Exception
        ) as error:  # whatever it is, those who wait must hear of it, and those who come must find a loop
            log.exception("a group failed", size=len(members))
            return [error] * len(members)

    def _next_group(self) -> list[tuple[M, asyncio.Future[R]]]:
        """Those that have waited longest."""
        group: list[tuple[M, asyncio.Future[R]]] = []
        rest: list[tuple[M, asyncio.Future[R]]] = []
        known: set[Hashable] = set()
        left = LARGEST
        for one in self._waiting:
            member = one[0]
            if member.identity in known:
                rest.append(one)
            elif group and member.size > left:
                rest.append(one)
                left = 0  # whoever came later does not overtake it
            else:
                group.append(one)
                left -= member.size
            known.add(member.identity)
        self._waiting = rest
        if not rest:
            self._arrived.clear()
        return group
