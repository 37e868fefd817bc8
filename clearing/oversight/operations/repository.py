"""SQL of the operator's overview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from clearing.chain.calls.models import Call, CallState
from clearing.kit.clock import clock_of
from clearing.ledger.journal.models import Block, QuarantinedEvent
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.progress_repository import WAITING
from clearing.oversight.progress.repository import ProgressRepository
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for the chain or for a person, in numbers."""

    orders: int
    instructions: int
    oldest_at: datetime | None
    oldest_seconds: float
    in_flight: int
    in_flight_since: datetime | None
    calls: int
    paused: bool
    quarantined: int


class OverviewRepository:
    """What the operator looks at, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def queue(self) -> Queue:
        """What waits for the chain or for a person."""
        waiting = select(func.count(), func.coalesce(func.sum(Order.size), 0), func.min(Order.created_at))
        row = self._session.execute(waiting.where(Order.state == OrderState.ACCEPTED)).one()
        orders, instructions = row[0], row[1]
        oldest: datetime | None = row[2]  # an empty queue has no oldest order
        age = (clock_of(self._session).now() - oldest).total_seconds() if oldest is not None else 0.0
        return Queue(
            orders=orders,
            instructions=int(instructions),
            oldest_at=oldest,
            oldest_seconds=max(age, 0.0),
            in_flight=self._count(Transaction, Transaction.state == TransactionState.SIGNED),
            in_flight_since=ProgressRepository(self._session).oldest_in_flight(),
            calls=self._count(Call, Call.state == CallState.PENDING),
            paused=SwitchRepository(self._session).off(SEQUENCING) is not None,
            quarantined=self._count(QuarantinedEvent),
        )

    def in_flight(self) -> Sequence[Transaction]:
        """Transactions that no block contains yet, oldest first. Their bytes stay in the database."""
        query = select(Transaction).where(Transaction.state == TransactionState.SIGNED).order_by(Transaction.id)
        return self._session.scalars(query.options(defer(Transaction.raw))).all()

    def oldest_waiting(self, limit: int) -> Sequence[Order]:
        """The accepted orders that have waited longest for a batch; what they carry stays in the database."""
        query = select(Order).where(WAITING).order_by(Order.seq).limit(limit)
        return self._session.scalars(query.options(defer(Order.packed))).all()

    def positions(self) -> Sequence[Position]:
        """Every merchant's position."""
        return self._session.scalars(select(Position).order_by(Position.merchant_number)).all()

    def block(self) -> int | None:
        """Number of the newest block in the read model."""
        return self._session.scalar(select(func.max(Block.number)))

    def _count(self, model: type, *where: object) -> int:
        query = select(func.count()).select_from(model)
        for condition in where:
            query = query.where(condition)  # type: ignore[arg-type]
        return self._session.scalar(query) or 0
