"""What is told of money at the settlement bank."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.events.recorder import EventRecorder
from clearing.ledger.settlement.models import BankMovement


def tell(session: Session, movement: BankMovement, action: str, actor: str, **more: str) -> None:
    """Writes `deposit.<action>` or `withdrawal.<action>` for the movement's merchant."""
    data = {"micros": movement.micros, "bank_reference": movement.bank_reference, **more}
    EventRecorder(session).record(
        f"{movement.kind}.{action}", movement.id, actor=actor, merchants=[movement.merchant_number], data=data
    )
