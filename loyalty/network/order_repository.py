"""SQL of outgoing orders."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from loyalty.network.models import OrderState, OutgoingOrder


class OrderRepository:
    """Outgoing orders in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, order: OutgoingOrder) -> None:
        """Adds an order."""
        self._session.add(order)
        self._session.flush()

    def due(self, now: datetime) -> OutgoingOrder | None:
        """The order that has waited longest, if one is due and no living sender works on it. Nobody else gets it meanwhile."""
        query = (
            select(OutgoingOrder)
            .where(
                OutgoingOrder.state != OrderState.DONE,
                OutgoingOrder.due_at <= now,
                or_(OutgoingOrder.owner.is_(None), OutgoingOrder.leased_until < now),
            )
            .order_by(OutgoingOrder.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return self._session.scalars(query).one_or_none()

    def owned(self, order: str, owner: str) -> OutgoingOrder | None:
        """The order, for a change of it, if this sender still works on it."""
        query = select(OutgoingOrder).where(OutgoingOrder.id == order, OutgoingOrder.owner == owner)
        return self._session.scalars(query.with_for_update()).one_or_none()

    def open_and_failing(self) -> tuple[int, int]:
        """How many orders the network has not decided, and how many of them it did not take when they were last sent."""
        is_open = OutgoingOrder.state != OrderState.DONE
        query = (
            select(func.count(), func.count().filter(OutgoingOrder.failures > 0))
            .select_from(OutgoingOrder)
            .where(is_open)
        )
        total, failing = self._session.execute(query).one()
        return int(total), int(failing)
