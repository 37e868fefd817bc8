"""What is told of money at the settlement bank."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.events.repository import EventRepository
from clearing.ledger.settlement.models import BankMovement


def tell(session: Session, movement: BankMovement, action: str, actor: str, **more: str) -> None:
    """Writes `deposit.<action>` or `withdrawal.<action>` for the movement's merchant."""
    data = {"micros": movement.micros, "bank_reference": movement.bank_reference, **more}
    EventRepository(session).add(f"{movement.kind}.{action}", movement.id, actor, movement.merchant_number, data)
