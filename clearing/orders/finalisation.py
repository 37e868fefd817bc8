"""The end of an order: what a block said about it, its reservations released, the event written. And the way back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session, selectinload

from tongdui.orders import Reason

from ..accounts.repository import AccountKey
from ..database import now
from ..events.models import Event
from ..ids import new_id
from .models import Instruction, Order, OrderState

OrderKey = tuple[int, int]
"""(merchant number, nonce)."""

_CHUNK = 400


@dataclass(slots=True)
class Outcome:
    """What a block said about an order."""

    accepted: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    """Item -> reason."""
    order_reason: str | None = None

    @property
    def state(self) -> OrderState:
        """The order's final state. An order that is not atomic settles if any of its instructions did."""
        if self.order_reason == Reason.DEADLINE_PASSED.code:
            return OrderState.EXPIRED
        return OrderState.SETTLED if self.accepted else OrderState.REJECTED

    @property
    def reason(self) -> str | None:
        """Why the order as a whole was refused; of an order with one instruction, why that was."""
        if self.accepted:
            return None
        return self.order_reason or next(iter(self.refused.values()), None)


@dataclass(slots=True)
class Reservations:
    """Sums of what orders set aside: points by account, micros by paying merchant."""

    points: dict[AccountKey, int] = field(default_factory=lambda: defaultdict(int))
    micros: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, instructions: Iterable[Instruction]) -> None:
        """Adds what these instructions set aside."""
        for instruction in instructions:
            if instruction.reserves:
                self.points[instruction.address, instruction.program] += instruction.reserves
            if instruction.payer is not None:
                self.micros[instruction.payer] += instruction.pays

    def negated(self) -> Reservations:
        """The same sums with the other sign: releasing them sets them aside."""
        return Reservations(
            {account: -points for account, points in self.points.items()},
            {merchant: -micros for merchant, micros in self.micros.items()},
        )


def load_orders(session: Session, keys: Sequence[OrderKey]) -> dict[OrderKey, Order]:
    """Orders by (merchant, nonce), with their instructions."""
    found: dict[OrderKey, Order] = {}
    for start in range(0, len(keys), _CHUNK):
        query = (
            select(Order)
            .where(tuple_(Order.merchant_number, Order.nonce).in_(keys[start : start + _CHUNK]))
            .options(selectinload(Order.instructions))
        )
        found |= {(order.merchant_number, order.nonce): order for order in session.scalars(query)}
    return found


def finish(session: Session, order: Order, outcome: Outcome, block_number: int) -> None:
    """Makes an order final. The caller releases its reservations."""
    order.state = outcome.state
    order.reason = outcome.reason
    order.block_number = block_number
    order.settled_at = now()
    refused = range(order.size) if not outcome.accepted else outcome.refused
    _release_references(session, order, refused)
    session.add(order_event(order, "projector"))


def withdraw(session: Session, order: Order, state: OrderState, reason: str | None, actor: str) -> None:
    """Makes an order final that no block contains and none will. The caller releases its reservations."""
    order.state = state
    order.reason = reason
    _release_references(session, order, range(order.size))
    session.add(order_event(order, actor))


def reopen(order: Order) -> None:
    """The block that made an order final fell out of the chain: its transaction will be sent again."""
    order.state = OrderState.SUBMITTED if order.transaction_id is not None else OrderState.ACCEPTED
    order.reason = order.block_number = order.settled_at = None


def order_event(order: Order, actor: str) -> Event:
    """The event of an order's present state."""
    return Event(
        id=new_id("evt"),
        type=f"order.{order.state}",
        subject=order.id,
        actor=actor,
        merchant_number=order.merchant_number,
        data={"order": order.id, "state": order.state, "reason": order.reason},
    )


def _release_references(session: Session, order: Order, items: Iterable[int]) -> None:
    """A refused instruction's reference may be used again."""
    wanted = list(items)
    if wanted:
        session.execute(
            update(Instruction)
            .where(Instruction.order_seq == order.seq, Instruction.item.in_(wanted))
            .values(live=False)
        )
