"""What the pages of members show, made of what the gateway says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from console.listing import complete
from console.visit import Visit
from pages.paging import cursor_of
from pages.translations import lazy
from tongdui import Account, Lot, Member, Merge, Movement, NotFoundError

_LOTS = 50
_MOVEMENTS = 20
_OPEN = ("proposed", "moving")
SHOWN_STATES = {"active": lazy("Active"), "frozen": lazy("Frozen")}


@dataclass(frozen=True, slots=True)
class Balance:
    """A member's points in one program, with the lots that are left of them: what expires first stands first."""

    account: Account
    lots: Sequence[Lot]
    has_more: bool

    @property
    def unavailable(self) -> int:
        """Points that something else has taken or set aside."""
        return self.account.posted - self.account.available


@dataclass(frozen=True, slots=True)
class Whole:
    """One member with all that there is to say of it."""

    member: Member
    balances: Sequence[Balance]
    movements: Sequence[Movement]
    next_cursor: str | None
    merges: Sequence[Merge]
    freezers: dict[str, str]
    """Names of the merchants that have frozen the member, as far as the person may know them."""

    @property
    def is_frozen_by(self) -> frozenset[str]:
        """The merchants that have frozen it."""
        return frozenset(freeze.merchant for freeze in self.member.freezes)


async def whole(visit: Visit, reference: str) -> Whole:
    """Asks the gateway for one member. Raises NotFoundError."""
    client = visit.client
    member = await client.members.get(reference)
    accounts, movements, merges = await asyncio.gather(
        client.members.accounts(member.id),
        client.movements.list(member=member.id, page_size=_MOVEMENTS, expand=["counterparty"]).page(
            cursor_of(visit.request)
        ),
        _merges(visit, member),
    )
    balances, freezers = await asyncio.gather(
        asyncio.gather(*(_balance(visit, member, account) for account in accounts)), _freezers(visit, member)
    )
    return Whole(member, balances, movements.data, movements.next_cursor, merges, freezers)


async def _merges(visit: Visit, member: Member) -> list[Merge]:
    """Those that are still open."""
    lists = (complete(visit.client.merges.list(state=state, member=member.id, page_size=200)) for state in _OPEN)
    return [merge for merges in await asyncio.gather(*lists) for merge in merges]


async def _balance(visit: Visit, member: Member, account: Account) -> Balance:
    if not account.posted:
        return Balance(account, (), has_more=False)
    page = await visit.client.lots.list(member.id, account.program, page_size=_LOTS).page()
    return Balance(account, page.data, has_more=page.next_cursor is not None)


async def _freezers(visit: Visit, member: Member) -> dict[str, str]:
    names = {}
    for freeze in member.freezes:
        with suppress(NotFoundError):
            names[freeze.merchant] = (await visit.client.merchants.get(freeze.merchant)).name
    return names
