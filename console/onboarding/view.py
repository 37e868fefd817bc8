"""How far a merchant has come: each step of joining, with its state.

All of it is what the gateway knows, so it can be left and resumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from console.listing import complete
from console.merchants import programs_of
from console.visit import Visit
from pages.translations import lazy
from tongdui import Invitation, Merchant, Position, Program, StaffMember

STATES = {
    "pending": lazy("On its way to the chain"),
    "active": lazy("Active"),
    "suspended": lazy("Suspended"),
    "closed": lazy("Has left"),
    "paused": lazy("Paused"),
}
TONES = {"pending": "info", "active": "good", "suspended": "warn", "closed": "bad", "paused": "warn"}


@dataclass(frozen=True, slots=True)
class Joining:
    """One merchant with all that joining consists of."""

    merchant: Merchant
    position: Position
    programs: Sequence[Program]
    staff: Sequence[StaffMember]
    invitations: Sequence[Invitation]

    @property
    def is_on_chain(self) -> bool:
        """Whether the chain knows the merchant: only then can the next steps be done."""
        return self.merchant.is_final

    @property
    def has_program(self) -> bool:
        """Whether a program of it is on the chain."""
        return any(one.is_final for one in self.programs)

    @property
    def admins(self) -> list[StaffMember]:
        """Who administers it."""
        return [one for one in self.staff if one.seat.title == "admin"]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do. Not every merchant has a program: some only take points."""
        return self.is_on_chain and bool(self.admins) and all(one.is_final for one in self.programs)

    @property
    def waits(self) -> bool:
        """Whether the chain is still to confirm something."""
        return not self.is_on_chain or not all(one.is_final for one in self.programs)


async def joining_of(visit: Visit, merchant: str) -> Joining:
    """Asks the gateway for everything at once."""
    client = visit.client
    found, position, programs, staff, invitations = await asyncio.gather(
        client.merchants.get(merchant),
        client.positions.get(merchant),
        programs_of(visit, merchant),
        complete(client.staff.list(merchant=merchant, page_size=200)),
        complete(client.invitations.list(merchant=merchant, page_size=200)),
    )
    return Joining(found, position, programs, staff, invitations)
