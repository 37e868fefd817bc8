"""What the page of one movement shows: its story, made of what the gateway says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from console.explorer.view import text_of
from console.visit import Visit
from tongdui import Event, Lot, Movement, Network, NotFoundError, Receipt

EXPANDED = ("merchant", "giver", "receiver", "counterparty", "agreement", "order", "recipient", "reverses")
_REVERSALS = 50
_EVENTS = 50
_LOTS = 200
_MAKES_LOTS = frozenset({"issuance", "exchange", "transfer"})
_TAKER_REVERSES = frozenset({"exchange", "spend"})


@dataclass(frozen=True, slots=True)
class Story:
    """One movement with all that is around it."""

    movement: Movement
    network: Network
    reversals: Sequence[Movement]
    events: Sequence[Event]
    lot: Lot | None
    receipt: Receipt | None
    may_reverse: bool

    @property
    def receipt_text(self) -> str | None:
        """The receipt's file."""
        return text_of(self.receipt) if self.receipt else None

    def time_of(self, action: str) -> datetime | None:
        """When the order of this movement came to a state, as an event says; None if no event is visible."""
        return next((event.created_at for event in self.events if event.type == f"order.{action}"), None)

    @property
    def accepted_by(self) -> str | None:
        """Who had it accepted: a person of the staff, or an API key. Only its own merchant sees that."""
        return next((event.actor_name or event.actor for event in self.events if event.type == "order.accepted"), None)


async def story_of(visit: Visit, identifier: str) -> Story:
    """Asks the gateway for a movement, and then for everything around it at once."""
    client = visit.client
    movement = await client.movements.get(identifier, expand=EXPANDED)
    network, reversals, events, lot, receipt = await asyncio.gather(
        visit.network(),
        _reversals(visit, movement),
        _events(visit, movement),
        _lot(visit, movement),
        _receipt(visit, movement),
    )
    return Story(movement, network, reversals, events, lot, receipt, _may_reverse(visit, movement))


async def _reversals(visit: Visit, movement: Movement) -> Sequence[Movement]:
    if not movement.reversed_points:
        return ()
    page = await visit.client.movements.list(original=movement.id, page_size=_REVERSALS, expand=["merchant"]).page()
    return page.data[::-1]


async def _events(visit: Visit, movement: Movement) -> Sequence[Event]:
    """What merchants were told of: of the order, which only its signer sees, and of the movement itself."""
    pages = await asyncio.gather(
        *(
            visit.client.events.list(subject=subject, page_size=_EVENTS).page()
            for subject in dict.fromkeys((movement.order, movement.id))
        )
    )
    return sorted((event for page in pages for event in page.data), key=lambda event: event.id)


async def _lot(visit: Visit, movement: Movement) -> Lot | None:
    """What is left of the points that the movement brought, where the merchant may see the member's account."""
    member = movement.recipient or movement.member
    program = movement.target_program or movement.program
    if movement.object not in _MAKES_LOTS or movement.entry is None or member is None:
        return None
    try:
        lots = (await visit.client.lots.list(member, program, page_size=_LOTS).page()).data
    except NotFoundError:
        return None  # the program is another merchant's
    return next((lot for lot in lots if lot.entry == movement.entry.leaf), None)


async def _receipt(visit: Visit, movement: Movement) -> Receipt | None:
    if movement.entry is None or not movement.is_settled:
        return None
    return await visit.client.entries.receipt(movement.entry.leaf)


def _may_reverse(visit: Visit, movement: Movement) -> bool:
    """Whether the merchant can still give something of it back: what it took in, or what it signed itself."""
    if movement.reversible_points <= 0 or visit.seat.merchant is None:
        return False
    giver = movement.receiver if movement.object in _TAKER_REVERSES else movement.merchant
    return giver == visit.seat.merchant


def address_of_page(visit: Visit, name: str) -> str | None:
    """Where another page of the console is; None if this person does not see it."""
    return next((page.path for page in visit.parts.pages if page.name == name and visit.seat.kind in page.seats), None)
