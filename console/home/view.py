"""What the overview shows, made of what the gateway says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from console.visit import Visit
from tongdui import Movement, Position

_NEWEST = 10
_LOW_PERCENT, _CRITICAL_PERCENT = 20, 5


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview of one merchant."""

    position: Position
    movements: tuple[Movement, ...]
    merchant: str

    @property
    def tone(self) -> str:
        """Whether the liquidity is all right: nothing, warn or bad."""
        credit = self.position.credit_limit_micros
        left = self.position.liquidity_micros * 100
        if left <= credit * _CRITICAL_PERCENT:
            return "bad"
        return "warn" if left <= credit * _LOW_PERCENT else "good"

    @property
    def whole(self) -> int:
        """What the meter of the liquidity is measured against."""
        return max(self.position.credit_limit_micros, self.position.liquidity_micros, 1)


async def overview(visit: Visit) -> Overview:
    """Asks the gateway for all of it at once."""
    client = visit.client
    position, movements = await asyncio.gather(
        client.positions.get(visit.merchant),
        client.movements.list(page_size=_NEWEST, expand=["counterparty"]).page(),
    )
    return Overview(position, movements.data, visit.merchant)
