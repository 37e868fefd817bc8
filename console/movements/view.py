"""What the page of one movement shows: its story, made of what the gateway says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from console.events import events_of
from console.explorer.view import text_of
from console.given_back import GivenBack, given_back, may_give_back
from console.listing import first_that
from console.visit import Visit
from tongdui import Event, Lot, Movement, Network, NotFoundError, Receipt

EXPANDED = ("merchant", "giver", "receiver", "counterparty", "agreement", "order", "recipient", "reverses")
_LOTS = 200
_MAKES_LOTS = frozenset({"issuance", "exchange", "transfer"})


@dataclass(frozen=True, slots=True)
class Story:
    """One movement with all that is around it."""

    movement: Movement
    network: Network
    given_back: GivenBack
    events: Sequence[Event]
    lot: Lot | None
    receipt: Receipt | None
    may_give_back: bool

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
        given_back(visit, movement),
        _events(visit, movement),
        _lot(visit, movement),
        _receipt(visit, movement),
    )
    return Story(movement, network, reversals, events, lot, receipt, may_give_back(visit, movement))


async def _events(visit: Visit, movement: Movement) -> Sequence[Event]:
    """What merchants were told of: of the order, which only its signer sees, and of the movement itself."""
    subjects = dict.fromkeys((movement.order, movement.id))
    stories = await asyncio.gather(*(events_of(visit, subject) for subject in subjects))
    return sorted((event for story in stories for event in story), key=lambda event: event.id)


async def _lot(visit: Visit, movement: Movement) -> Lot | None:
    """What is left of the points that the movement brought, where the merchant may see the member's account."""
    member = movement.recipient or movement.member
    program = movement.target_program or movement.program
    if movement.object not in _MAKES_LOTS or movement.entry is None or member is None:
        return None
    leaf = movement.entry.leaf
    try:
        listing = visit.client.lots.list(member, program, page_size=_LOTS)
        return await first_that(listing, lambda lot: lot.entry == leaf)
    except NotFoundError:
        return None  # the program is another merchant's


async def _receipt(visit: Visit, movement: Movement) -> Receipt | None:
    if movement.entry is None or not movement.is_settled:
        return None
    return await visit.client.entries.receipt(movement.entry.leaf)
