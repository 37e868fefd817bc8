"""SQL of the operator's switches and overview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState
from clearing.kit.clock import now
from clearing.ledger.journal.models import Block, PoisonEvent
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import Order, OrderState
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.switches.models import Switch
from clearing.pipeline.switches.repository import SEQUENCING


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits, in numbers."""

    orders: int
    instructions: int
    oldest_seconds: float
    in_flight: int
    calls: int
    paused: bool
    poison: int


class OverviewRepository:
    """What the operator looks at."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def queue(self) -> Queue:
        """What waits for the chain, and for a person."""
        waiting = select(func.count(), func.coalesce(func.sum(Order.size), 0), func.min(Order.created_at))
        row = self._session.execute(waiting.where(Order.state == OrderState.ACCEPTED)).one()
        orders, instructions = row[0], row[1]
        oldest: datetime | None = row[2]  # of no rows there is no first
        return Queue(
            orders=orders,
            instructions=int(instructions),
            oldest_seconds=max((now() - oldest).total_seconds(), 0.0) if oldest is not None else 0.0,
            in_flight=self._count(Transaction, Transaction.state == TransactionState.SIGNED),
            calls=self._count(Call, Call.state == CallState.PENDING),
            paused=self._session.get(Switch, SEQUENCING) is not None,
            poison=self._count(PoisonEvent),
        )

    def in_flight(self) -> Sequence[Transaction]:
        """Transactions that no block contains yet, oldest first."""
        query = select(Transaction).where(Transaction.state == TransactionState.SIGNED).order_by(Transaction.id)
        return self._session.scalars(query).all()

    def poison(self) -> Sequence[PoisonEvent]:
        """Events that were set aside, oldest first."""
        return self._session.scalars(
            select(PoisonEvent).order_by(PoisonEvent.block_number, PoisonEvent.log_index)
        ).all()

    def positions(self) -> Sequence[Position]:
        """Every merchant's position."""
        return self._session.scalars(select(Position).order_by(Position.merchant_number)).all()

    def block(self) -> int | None:
        """The block that the read model is at."""
        return self._session.scalar(select(func.max(Block.number)))

    def _count(self, model: type, *where: object) -> int:
        query = select(func.count()).select_from(model)
        for condition in where:
            query = query.where(condition)  # type: ignore[arg-type]
        return self._session.scalar(query) or 0
