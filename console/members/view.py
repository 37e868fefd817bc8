"""What the pages of members show, made of what the gateway says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from console.visit import Visit
from pages.paging import cursor_of
from pages.translations import lazy
from tongdui import Account, Lot, Member, Merge, Movement, NotFoundError

_LOTS = 50
_MOVEMENTS = 20
_MERGES = 20
_OPEN = ("proposed", "moving")
SHOWN_STATES = {"active": lazy("Active"), "frozen": lazy("Frozen")}
KEEPERS = ("admin", "manager", "cashier")
"""Titles whose people register members and do things for them."""


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


def may_keep(visit: Visit) -> bool:
    """Whether the person does things for members: freezes, erases."""
    return visit.seat.role == "operator" or may_number(visit)


def may_number(visit: Visit) -> bool:
    """Whether the person registers members, gives them numbers and codes, and merges them."""
    return visit.seat.merchant is not None and visit.seat.title in KEEPERS


def may_move(visit: Visit) -> bool:
    """Whether the person issues and transfers points by hand."""
    return visit.seat.merchant is not None and visit.seat.title in KEEPERS[:2]


async def whole(visit: Visit, reference: str) -> Whole:
    """Asks the gateway for one member. Raises NotFoundError."""
    client = visit.client
    member = await client.members.get(reference)
    accounts, movements, merges = await asyncio.gather(
        client.members.accounts(member.id),
        client.movements.list(member=member.id, page_size=_MOVEMENTS, expand=["counterparty"]).page(
            cursor_of(visit.request)
        ),
        client.merges.list(member=member.id, page_size=_MERGES).page(),
    )
    balances, freezers = await asyncio.gather(
        asyncio.gather(*(_balance(visit, account) for account in accounts)), _freezers(visit, member)
    )
    shown = [merge for merge in merges.data if merge.state in _OPEN]
    return Whole(member, balances, movements.data, movements.next_cursor, shown, freezers)


async def _balance(visit: Visit, account: Account) -> Balance:
    if not account.posted:
        return Balance(account, (), has_more=False)
    page = await visit.client.lots.list(account.member, account.program, page_size=_LOTS).page()
    return Balance(account, page.data, has_more=page.next_cursor is not None)


async def _freezers(visit: Visit, member: Member) -> dict[str, str]:
    names = {}
    for freeze in member.freezes:
        with suppress(NotFoundError):
            names[freeze.merchant] = (await visit.client.merchants.get(freeze.merchant)).name
    return names
