"""The data of events of settled movements, made when somebody reads it: the movement as it was when its block settled it.

All of it stands in the instruction, its order, its entry and the batch, but for the external id of the member, which the event
remembers. Before a block's entries go, and before a member's name does, the data is written down.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from clearing.kit.events.repository import EventRepository
from clearing.kit.events.sources import Sourced, register, write_out
from clearing.kit.viewer import Viewer
from clearing.ordering.orders.facts import MovementFacts, Outcome
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.progress_repository import OrderProgressRepository

SOURCE = "movement"
_EXTERNAL_ID = "external_id"


def remembered(external_id: str | None) -> dict[str, Any]:
    """What an event keeps of a movement: by which number its merchant knew the member."""
    return {_EXTERNAL_ID: external_id} if external_id is not None else {}


def write_down(session: Session, movements: Collection[str]) -> None:
    """Writes down what events say of these movements, because their entries will go."""
    write_out(EventRepository(session).made_when_read(movements))


def _made(session: Session, events: Sequence[Sourced]) -> list[Mapping[str, Any] | None]:
    found = OrderProgressRepository(session).posted({event.subject for event in events})
    facts = MovementFacts(session)
    made: list[Mapping[str, Any] | None] = []
    for event in events:
        movement = found.get(event.subject)
        if movement is None or movement[1].settled_at != event.created_at:
            made.append(None)  # its block fell out of the chain since the event was read
            continue
        instruction, order, posted = movement
        outcome = Outcome(OrderState.SETTLED, None, posted)
        known_as = event.stored.get(_EXTERNAL_ID)
        made.append(facts.movement(Viewer(event.merchant_number), instruction, order, outcome, known_as))
    return made


register(SOURCE, _made)
