"""Events of agreements. Both merchants get each of them, with the whole agreement."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.events.recorder import EventRecorder
from clearing.kit.json_values import json_values
from clearing.parties.agreements.description import AgreementDescriptions, Naming
from clearing.parties.agreements.models import Agreement


def record_agreement(
    session: Session, names: Naming, action: str, agreement: Agreement, actor: str, reason: str | None = None
) -> None:
    """Records `agreement.<action>` with the agreement as it is now; and the reason that the actor gave, if there is one."""
    described = json_values(AgreementDescriptions(session, names).of(agreement))
    EventRecorder(session).record(
        f"agreement.{action}",
        agreement.id,
        actor=actor,
        merchants=[agreement.source_merchant, agreement.target_merchant],
        data=described if reason is None else {**described, "reason": reason},
    )
