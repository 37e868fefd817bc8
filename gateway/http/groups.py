"""Work that is done in groups: what arrives while one group is worked on forms the next one.

A group waits for no timer: what finds nobody at work begins at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from anyio import to_thread

LARGEST = 100
"""Most members of a group. With more, the first would wait long for the last."""


class Member(Protocol):
    """What a group is made of."""

    @property
    def identity(self) -> Hashable:
        """No two members of a group have the same: the second one waits until the first is done."""
        ...


M = TypeVar("M", bound=Member)
R = TypeVar("R")


class Groups(Generic[M, R]):
    """What waits for work, and the one loop that does it, group after group, in one thread."""

    def __init__(self, work: Callable[[Sequence[M]], Sequence[R | Exception]]) -> None:
        self._work = work
        self._waiting: list[tuple[M, asyncio.Future[R]]] = []
        self._arrived = asyncio.Event()

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
            outcomes = await to_thread.run_sync(self._work, [member for member, _ in group])
            for (_, done), outcome in zip(group, outcomes, strict=True):
                if done.done():
                    continue  # whoever asked has gone
                if isinstance(outcome, Exception):
                    done.set_exception(outcome)
                else:
                    done.set_result(outcome)

    def _next_group(self) -> list[tuple[M, asyncio.Future[R]]]:
        """Those that have waited longest."""
        group: list[tuple[M, asyncio.Future[R]]] = []
        rest: list[tuple[M, asyncio.Future[R]]] = []
        known: set[Hashable] = set()
        for one in self._waiting:
            identity = one[0].identity
            if len(group) < LARGEST and identity not in known:
                group.append(one)
            else:
                rest.append(one)
            known.add(identity)
        self._waiting = rest
        if not rest:
            self._arrived.clear()
        return group
