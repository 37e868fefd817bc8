"""The end of an order: what a block said about it, its reservations released, the event written. And the way back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from clearing.kit.clock import now
from clearing.kit.events.models import Event
from clearing.kit.ids import new_id
from clearing.kit.in_list import in_list, pairs_in_list
from clearing.ledger.accounts.repository import AccountKey
from clearing.ordering.orders.models import Instruction, Order, OrderState
from tongdui.orders import Reason

OrderKey = tuple[int, int]
"""(merchant number, nonce)."""


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
    """Sums of what orders set aside: points by account, micros by paying merchant, use of the day's cap by agreement."""

    points: dict[AccountKey, int] = field(default_factory=lambda: defaultdict(int))
    micros: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    uses: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, session: Session, orders: Iterable[Order]) -> Reservations:
        """What these orders set aside."""
        found = cls()
        query = select(
            Instruction.address,
            Instruction.program,
            Instruction.reserves,
            Instruction.payer,
            Instruction.pays,
            Instruction.agreement,
            Instruction.points,
        ).where(in_list(session, Instruction.order_seq, [order.seq for order in orders]))
        for address, program, reserves, payer, pays, agreement, points in session.execute(query):
            if reserves:
                found.points[address, program] += reserves
            if payer is not None:
                found.micros[payer] += pays
                found.uses[agreement] += points
        return found

    def negated(self) -> Reservations:
        """The same sums with the other sign: releasing them sets them aside."""
        return Reservations(
            {account: -points for account, points in self.points.items()},
            {merchant: -micros for merchant, micros in self.micros.items()},
            {agreement: -points for agreement, points in self.uses.items()},
        )


def load_orders(session: Session, keys: Sequence[OrderKey]) -> dict[OrderKey, Order]:
    """Orders by (merchant, nonce), locked: nobody else may end one meanwhile."""
    query = (
        select(Order)
        .where(pairs_in_list(session, Order.merchant_number, Order.nonce, keys))
        .order_by(Order.seq)
        .with_for_update(of=Order)
        .execution_options(populate_existing=True)
    )
    return {(order.merchant_number, order.nonce): order for order in session.scalars(query)}


def finish(session: Session, order: Order, outcome: Outcome, block_number: int) -> None:
    """Makes an order final, also one that was thought to have ended outside the chain. The caller releases its reservations."""
    was_withdrawn = order.state.is_final
    order.state = outcome.state
    order.reason = outcome.reason
    order.block_number = block_number
    order.settled_at = now()
    if was_withdrawn:
        claim_references(session, order)
    refused = range(order.size) if not outcome.accepted else outcome.refused
    _release_references(session, order, refused)
    session.add(order_event(order, "projector"))


def withdraw(session: Session, order: Order, state: OrderState, reason: str | None, actor: str) -> None:
    """Makes an order final that no block contains and none will. The caller releases its reservations."""
    order.state = state
    order.reason = reason
    _release_references(session, order, range(order.size))
    session.add(order_event(order, actor))


def reopen(session: Session, order: Order) -> None:
    """The block that made an order final fell out of the chain: its transaction will be sent again."""
    claim_references(session, order)
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


def claim_references(session: Session, order: Order) -> None:
    """The references of an order that lives again are taken again, but for those that another one has taken meanwhile."""
    other = aliased(Instruction)
    taken = select(other.order_seq).where(
        other.merchant_number == Instruction.merchant_number,
        other.kind == Instruction.kind,
        other.reference == Instruction.reference,
        other.live,
    )
    dead = (Instruction.order_seq == order.seq, Instruction.reference.is_not(None), ~Instruction.live)
    session.execute(
        update(Instruction).where(*dead, ~taken.exists()).values(live=True),
        execution_options={"synchronize_session": False},
    )


def _release_references(session: Session, order: Order, items: Iterable[int]) -> None:
    """A refused instruction's reference may be used again."""
    wanted = list(items)
    if wanted:
        session.execute(
            update(Instruction)
            .where(Instruction.order_seq == order.seq, in_list(session, Instruction.item, wanted))
            .values(live=False)
        )
