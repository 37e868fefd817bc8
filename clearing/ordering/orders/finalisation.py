"""The end of an order, and the way back. Whatever ends an order also releases what it had reserved, in the same call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.wakeups.channels import Channel, notify
from clearing.ledger.accounts.models import AT_ONCE, UNDATED
from clearing.ledger.accounts.repository import AccountKey, AccountRepository, Balance
from clearing.ledger.availability.repository import HoldRepository
from clearing.ledger.journal.effects import Effects
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ordering.orders.events import OrderEvents, Results
from clearing.ordering.orders.facts import Posted
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.repository import OrderKey, OrderRepository
from clearing.parties.agreements.repository import AgreementUseRepository
from tongdui.orders import Kind, Reason

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Decision:
    """What a block decided about an order."""

    accepted: int = 0
    """How many of its instructions took effect."""
    refused: dict[int, str] = field(default_factory=dict)
    """Item -> reason."""
    order_reason: str | None = None
    """Why the order as a whole was refused."""
    posted: dict[int, Posted] = field(default_factory=dict)
    """Item -> what the chain posted for it."""
    digest: bytes | None = None
    """Of an order refused as a whole: its digest, because somebody may have tried another order with the same nonce."""

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

    def is_about(self, order: Order) -> bool:
        """Whether it decides this very order."""
        return self.digest is None or self.digest == order.digest


@dataclass(slots=True)
class Reserved:
    """Sums of what orders have reserved."""

    points: dict[AccountKey, int] = field(default_factory=lambda: defaultdict(int))
    """By account."""
    expiring: dict[AccountKey, int] = field(default_factory=lambda: defaultdict(int))
    """Points that expire orders may burn, by account."""
    micros: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """By paying merchant."""
    uses: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Source points that may count for the daily cap, by agreement."""


class OrderFinalisation:
    """Ends orders, or takes their end back, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._orders = OrderRepository(session)

    def settle(
        self,
        decisions: Mapping[OrderKey, Decision],
        *,
        block_number: int,
        effects: Effects,
        day: int,
        due: Mapping[AccountKey, int],
        midnight: datetime,
    ) -> list[Order]:
        """Ends the orders that a block of this day decided, and books what its entries changed; the orders that ended.

        `due` says of accounts to which the entries brought points when these may expire. Today began at `midnight`: what an older
        order had taken and now leaves may be over. An order that had ended outside the chain but was carried out all the
        same ends again: what it had reserved was released the first time.
        """
        orders = self._orders.lock_by_nonces(list(decisions))
        ended, freeing = [], []
        for key, decision in decisions.items():
            order = orders.get(key)
            if order is None or not decision.is_about(order):
                continue
            if not order.state.is_final:
                self._finish(order, decision, block_number)
                ended.append(order)
                if not decision.accepted or decision.refused or order.created_at < midnight:
                    freeing.append(order)
            elif order.block_number is None and decision.accepted:
                log.error("an order was carried out that had ended", order=order.id, state=order.state)
                self._orders.claim_references(order)
                self._finish(order, decision, block_number)
        self._book(effects, self._reserved(ended), day, due={**due, **self._freed_by(freeing)})
        self._note_draws(ended, drawing=False)
        results = {order.seq: results_of(decisions[order.merchant_number, order.nonce]) for order in ended}
        OrderEvents(self._session).changed(ended, "projector", results)
        return ended

    def withdraw(self, orders: Sequence[Order], state: OrderState, reason: str | None, actor: str) -> None:
        """Ends orders that no block contains and none will."""
        for order in orders:
            order.state = state
            order.reason = reason
            self._orders.release_references(order, range(order.size))
        self._book(Effects(), self._reserved(orders), day=0, due=self._freed_by(orders))
        self._note_draws(orders, drawing=False)
        OrderEvents(self._session).changed(orders, actor)
        notify(self._session, Channel.DECIDED)

    def reopen(self, block_number: int, *, effects: Effects, day: int) -> None:
        """A block of this day fell out of the chain: takes back what its entries changed, and its orders wait again."""
        orders = self._orders.lock_of_block(block_number)
        settled = self._orders.settled_of_two_merchants(orders)
        for order in orders:
            self._orders.claim_references(order)
            order.state = OrderState.SUBMITTED if order.transaction_id is not None else OrderState.ACCEPTED
            order.reason = order.block_number = order.settled_at = None
        self._book(effects.negated(), self._reserved(orders), day, due=dict.fromkeys(effects.points, AT_ONCE), sign=-1)
        self._note_draws(orders, drawing=True)
        OrderEvents(self._session).reopened(orders, settled, "projector")

    # ---------------------------------------------------------------- one order

    def _finish(self, order: Order, decision: Decision, block_number: int) -> None:
        order.state = decision.state
        order.reason = decision.reason
        order.block_number = block_number
        order.settled_at = clock_of(self._session).now()
        refused = decision.refused if decision.accepted else range(order.size)
        self._orders.release_references(order, refused)

    # ---------------------------------------------------------------- balances

    def _reserved(self, orders: Iterable[Order]) -> Reserved:
        found = Reserved()
        for address, program, kind, points, reserves, payer, pays, agreement, uses in self._orders.reservations(orders):
            if address is not None and program is not None:
                found.points[address, program] += reserves
                found.expiring[address, program] += points if kind == Kind.EXPIRE else 0
            if payer is not None:
                found.micros[payer] += pays
            if uses:
                found.uses[agreement] += uses
        return found

    def _freed_by(self, orders: Sequence[Order]) -> dict[AccountKey, int]:
        """Accounts where these orders may leave points whose day has come meanwhile, or may have brought such points: at once."""
        return dict.fromkeys(self._orders.touched_accounts(orders), AT_ONCE) if orders else {}

    def _note_draws(self, orders: Iterable[Order], *, drawing: bool) -> None:
        """Orders that a hold became have one instruction. Most blocks end none of them."""
        alone = [order.id for order in orders if order.size == 1]
        HoldRepository(self._session).set_drawing(alone, drawing=drawing)

    def _book(
        self, effects: Effects, reserved: Reserved, day: int, *, due: Mapping[AccountKey, int], sign: int = 1
    ) -> None:
        """Adds effects of this day to accounts, positions and daily caps, and releases reservations (sign -1: makes them again).

        Both at once, so that each row is written once. The expiry round will have to look at the accounts in `due` on their days.
        """
        changes = {
            account: Balance(
                effects.points.get(account, 0),
                -sign * reserved.points.get(account, 0),
                -sign * reserved.expiring.get(account, 0),
                due_on=due.get(account, UNDATED),
            )
            for account in {*effects.points, *reserved.points, *reserved.expiring, *due}
        }
        AccountRepository(self._session).add(changes)
        merchants = {*effects.micros, *reserved.micros}
        micros = {m: (effects.micros.get(m, 0), -sign * reserved.micros.get(m, 0)) for m in merchants}
        PositionRepository(self._session).shift(micros)
        uses = AgreementUseRepository(self._session)
        for agreement in sorted({*effects.uses, *reserved.uses}):
            if points := effects.uses.get(agreement, 0):
                uses.add(agreement, day, points)
            if points := reserved.uses.get(agreement, 0):
                uses.add(agreement, AgreementUseRepository.RESERVED, -sign * points)


def results_of(decision: Decision) -> Results:
    """What became of the order's instructions, for its events."""
    return Results(decision.posted, decision.refused)
