"""Every merchant and program of the network, which everybody may know: kept, so that no page walks through all of them again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from tongdui import AsyncClient, AsyncPages, Merchant, Program

NamedT = TypeVar("NamedT", Merchant, Program)
_PENDING = "pending"
_SECONDS = 60.0
"""How long a state may be shown that has changed since. What is new, or waits for the chain, is asked for each time."""
_ALL, _NEW = 200, 10
"""Rows at a time: of the whole list, and of what is new."""


@dataclass(slots=True)
class _Kept(Generic[NamedT]):
    """One list, newest first."""

    listing: Callable[[AsyncClient, int], AsyncPages[NamedT]]
    one: Callable[[AsyncClient, str], Awaitable[NamedT]]
    rows: tuple[NamedT, ...] = ()
    until: float = 0.0

    async def all(self, client: AsyncClient) -> tuple[NamedT, ...]:
        if self.until < time.monotonic():
            rows = tuple([row async for row in self.listing(client, _ALL)])
            self.until = time.monotonic() + _SECONDS
        else:
            rows = await self._renewed(client, self.rows)
        self.rows = rows
        return rows

    async def _renewed(self, client: AsyncClient, kept: tuple[NamedT, ...]) -> tuple[NamedT, ...]:
        """The same, with what has come since in front, and what waited for the chain as it is now."""
        known = {row.id for row in kept}
        new: list[NamedT] = []
        async for row in self.listing(client, _NEW):
            if row.id in known:
                break
            new.append(row)
        waiting = [row.id for row in kept if row.status == _PENDING]
        answers = await asyncio.gather(*(self.one(client, name) for name in waiting))
        now: dict[str, NamedT] = {row.id: row for row in answers}
        return tuple(chain(new, (now.get(row.id, row) for row in kept)))


class Directory:
    """The merchants and programs of the network."""

    def __init__(self) -> None:
        self._merchants = _Kept[Merchant](
            lambda client, rows: client.merchants.list(page_size=rows), lambda client, name: client.merchants.get(name)
        )
        self._programs = _Kept[Program](
            lambda client, rows: client.programs.list(page_size=rows), lambda client, name: client.programs.get(name)
        )

    async def merchants(self, client: AsyncClient) -> tuple[Merchant, ...]:
        """Every merchant, the newest first."""
        return await self._merchants.all(client)

    async def programs(self, client: AsyncClient) -> tuple[Program, ...]:
        """Every program, the newest first."""
        return await self._programs.all(client)
