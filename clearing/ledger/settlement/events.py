"""Events of bank movements."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.events.recorder import EventRecorder
from clearing.ledger.settlement.models import BankMovement


def record_bank_movement(session: Session, movement: BankMovement, action: str, actor: str, **details: str) -> None:
    """Records `deposit.<action>` or `withdrawal.<action>` for the movement's merchant."""
    EventRecorder(session).record(
        f"{movement.kind}.{action}",
        movement.id,
        actor=actor,
        merchants=[movement.merchant_number],
        data={"micros": movement.micros, "bank_reference": movement.bank_reference, **details},
    )
