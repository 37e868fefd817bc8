"""Who is told what: an event is seen by one merchant, the operator and the auditors."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from clearing.kit.events.repository import EventRepository


def tell_merchants(
    session: Session,
    type: str,  # noqa: A002
    subject: str,
    actor: str,
    merchants: set[int],
    data: dict[str, Any],
) -> None:
    """Writes the same event once for each of the merchants that it concerns."""
    events = EventRepository(session)
    for merchant in sorted(merchants):
        events.add(type, subject, actor, merchant, data)
