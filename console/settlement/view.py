"""What the pages of settlement show, made of what the gateway says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from console.liquidity import Liquidity, liquidity_of
from console.merchants import merchant_names
from console.visit import Visit
from pages.charts import Chart, money_series
from pages.formats import day
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import BankMovement, Merchant, Position, PositionHistory, Statement

Kind = Literal["deposit", "withdrawal"]
KINDS: dict[str, Kind] = {"deposits": "deposit", "withdrawals": "withdrawal"}
STATES = {"pending": lazy("On its way to the chain"), "posted": lazy("Booked"), "failed": lazy("Refused by the chain")}
TONES = {"pending": "info", "posted": "good", "failed": "bad"}
_NEWEST = 8
_DAYS = 30


@dataclass(frozen=True, slots=True)
class Standing:
    """One merchant's position, with its last days and what came and went."""

    position: Position
    history: PositionHistory
    deposits: Sequence[BankMovement]
    withdrawals: Sequence[BankMovement]
    statements: Sequence[Statement]
    merchant: Merchant

    @property
    def liquidity(self) -> Liquidity:
        """What is left of it."""
        return liquidity_of(self.position)

    @property
    def chart(self) -> Chart:
        """The position over the last days, with the limit below it."""
        days = self.history.days
        limit = -self.position.credit_limit_micros
        series = [
            money_series(_("Position"), [one.position_micros for one in days]),
            money_series(_("Limit"), [limit for _one in days], dashed=True),
        ]
        return Chart(_("Position over 30 days"), [day(one.day).striptags() for one in days], series)


async def standing_of(visit: Visit, merchant: str) -> Standing:
    """Everything about one merchant's money, asked for at once."""
    client = visit.client
    position, history, deposits, withdrawals, statements, found = await asyncio.gather(
        client.positions.get(merchant),
        client.positions.history(merchant, days=_DAYS),
        client.deposits.list(merchant=merchant, page_size=_NEWEST).page(),
        client.withdrawals.list(merchant=merchant, page_size=_NEWEST).page(),
        client.statements.list(merchant=merchant, page_size=_NEWEST).page(),
        client.merchants.get(merchant),
    )
    return Standing(position, history, deposits.data, withdrawals.data, statements.data, found)


async def names_for(visit: Visit) -> Mapping[str, str]:
    """The names of merchants, for somebody of the network; a merchant sees its own affairs only."""
    return await merchant_names(visit) if visit.seat.merchant is None else {}
