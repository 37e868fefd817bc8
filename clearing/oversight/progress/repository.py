"""SQL of what is still on its way to the chain: orders, and resources whose registration or booking was requested."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from clearing.chain.calls.models import ON_ITS_WAY, Call, CallState
from clearing.kit.in_list import in_list
from clearing.ordering.orders.kinds import is_movement_id
from clearing.ordering.orders.models import OPEN_STATES, Instruction, Order, OrderState
from clearing.oversight.approvals.models import Approval
from clearing.pipeline.models import Transaction, TransactionState


class ProgressRepository:
    """Progress in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def unfinished(self, ids: Collection[str]) -> set[str]:
        """Those of these ids (of orders, movements, merchants ...) whose resource will still change by itself."""
        orders = [id for id in ids if _prefix(id) == "ord"]  # noqa: A001
        approvals = [id for id in ids if _prefix(id) == "apr"]  # noqa: A001
        movements = [id for id in ids if is_movement_id(id)]  # noqa: A001
        others = set(ids) - {*orders, *movements, *approvals}
        queries: list[Select[Any]] = []
        if orders:
            queries.append(
                select(Order.id).where(in_list(self._session, Order.id, orders), Order.state.in_(OPEN_STATES))
            )
        if movements:
            query = select(Instruction.id).join(Instruction.order)
            queries.append(query.where(in_list(self._session, Instruction.id, movements), Order.state.in_(OPEN_STATES)))
        if approvals:
            query = select(Approval.id).join(Call, Call.subject == Approval.result)
            queries.append(query.where(in_list(self._session, Approval.id, approvals), Call.state.in_(ON_ITS_WAY)))
        if others:
            queries.append(
                select(Call.subject).where(in_list(self._session, Call.subject, others), Call.state.in_(ON_ITS_WAY))
            )
        return {found for query in queries for found in self._session.scalars(query)}

    def oldest_waiting(self) -> datetime | None:
        """Since when the oldest order has been waiting for the sequencer; None if nothing waits."""
        return self._session.scalar(select(func.min(Order.created_at)).where(Order.state == OrderState.ACCEPTED))

    def oldest_waiting_call(self) -> datetime | None:
        """Since when the oldest call has been waiting for a signer; None if nothing waits."""
        return self._session.scalar(select(func.min(Call.created_at)).where(Call.state == CallState.PENDING))

    def oldest_in_flight(self) -> datetime | None:
        """When the oldest transaction was signed that is in none of the blocks that the projector has read."""
        query = select(func.min(Transaction.created_at)).where(Transaction.state == TransactionState.SIGNED)
        return self._session.scalar(query)


def _prefix(id: str) -> str:  # noqa: A002
    return id.partition("_")[0]
