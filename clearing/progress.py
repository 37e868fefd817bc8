"""What is still on its way to the chain: orders, and resources whose registration or booking was requested."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .chain.models import Call, CallState
from .orders.models import Instruction, Order, OrderState

_OPEN_ORDER = (OrderState.ACCEPTED, OrderState.SUBMITTED)
_OPEN_CALL = (CallState.PENDING, CallState.SUBMITTED)


class ProgressRepository:
    """Progress in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def unfinished(self, ids: Collection[str]) -> set[str]:
        """Those of the resources with these ids (orders, movements, merchants, ...) that will still change by themselves."""
        orders = select(Order.id).where(Order.id.in_(ids), Order.state.in_(_OPEN_ORDER))
        movements = (
            select(Instruction.id).join(Instruction.order).where(Instruction.id.in_(ids), Order.state.in_(_OPEN_ORDER))
        )
        calls = select(Call.subject).where(Call.subject.in_(ids), Call.state.in_(_OPEN_CALL))
        return {id for query in (orders, movements, calls) for id in self._session.scalars(query)}  # noqa: A001

    def oldest_waiting(self) -> datetime | None:
        """Since when the oldest order or call waits for the sequencer, or None if nothing does."""
        queries = (
            select(func.min(Order.created_at)).where(Order.state == OrderState.ACCEPTED),
            select(func.min(Call.created_at)).where(Call.state == CallState.PENDING),
        )
        return min((since for query in queries if (since := self._session.scalar(query)) is not None), default=None)
