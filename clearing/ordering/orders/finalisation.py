"""The end of an order, and the way back. Whatever ends an order also releases what it had reserved, in the same call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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
from clearing.ordering.orders.facts import EntryOfBlock
from clearing.ordering.orders.models import InstructionRow, Order, OrderKey, OrderRow, OrderState
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from clearing.ordering.orders.settled_movements import write_down
from clearing.ordering.orders.traces import trace_ends
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
    posted: dict[int, EntryOfBlock] = field(default_factory=dict)
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

    def is_about(self, order: OrderRow) -> bool:
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


@dataclass(frozen=True, slots=True)
class BlockSettlement:
    """What a block does to positions and daily caps beside its entries."""

    positions: frozenset[int] = frozenset()
    """Merchants whose positions the caller changes afterwards: locked with the others, all in one order."""
    inherited: Mapping[int, int] = field(default_factory=dict)
    """What new agreements begin with of the day's use of those that they supersede."""


NO_SETTLEMENT = BlockSettlement()


class OrderFinalisation:
    """Ends orders, or takes their end back, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._orders = OrderProgressRepository(session)

    def settle(
        self,
        decisions: Mapping[OrderKey, Decision],
        *,
        block_number: int,
        effects: Effects,
        day: int,
        due: Mapping[AccountKey, int],
        midnight: datetime,
        settlement: BlockSettlement = NO_SETTLEMENT,
    ) -> list[OrderRow]:
        """Ends the orders that a block of this day decided, and books what its entries changed; the orders that ended.

        `due` says of accounts to which the entries brought points when these may expire. Today began at `midnight`: what an older
        order had taken and now leaves may be over. An order that had ended outside the chain but was carried out all the
        same ends again: what it had reserved was released the first time.
        """
        ended, again = self._ended_by(decisions, block_number)
        told = [*ended, *again]
        self._orders.end(told)
        rows = self._orders.instructions_of(ended)
        freeing = {order.seq for order in ended if _may_free(decisions[order.key], order, midnight)}
        # A reversal may take back what the expiry round had set aside, and leave the account with other points.
        freed = _due_at_once(row for row in rows if row.order_seq in freeing or row.kind == Kind.REVERSE)
        reserved = reserved_by(rows)
        self._book_points(effects, reserved, {**due, **freed})
        self._note_draws(ended, drawing=False)
        self._book_money(effects, reserved, day, settlement)
        for order in again:
            self._orders.claim_references(order.seq)
        self._orders.refuse([(order, _refused(decisions[order.key], order)) for order in told])
        results = {order.seq: results_of(decisions[order.key]) for order in told}
        OrderEvents(self._session).changed(told, [*rows, *self._orders.instructions_of(again)], "projector", results)
        trace_ends(self._session, told, results)
        return ended

    def withdraw(self, orders: Sequence[Order], state: OrderState, reason: str | None, actor: str) -> None:
        """Ends orders that no block contains and none will."""
        for order in orders:
            order.state = state
            order.reason = reason
        self._session.flush()
        rows = self._orders.instructions_of(orders)
        reserved = reserved_by(rows)
        self._book_points(Effects(), reserved, _due_at_once(rows))
        self._note_draws(orders, drawing=False)
        self._book_money(Effects(), reserved, day=0)
        self._orders.refuse([(order, range(order.size)) for order in orders])
        OrderEvents(self._session).changed(orders, rows, actor)
        trace_ends(self._session, orders)
        notify(self._session, Channel.DECIDED)

    def reopen(
        self, block_number: int, *, effects: Effects, day: int, settlement: BlockSettlement = NO_SETTLEMENT
    ) -> None:
        """A block of this day fell out of the chain: takes back what its entries changed, and its orders wait again."""
        orders = self._orders.lock_of_block(block_number)
        settled = self._orders.settled_of_two_merchants(orders)
        write_down(self._session, [row.id for row in settled])
        for order in orders:
            order.state = OrderState.SUBMITTED if order.transaction_id is not None else OrderState.ACCEPTED
            order.reason = order.block_number = order.settled_at = None
        self._session.flush()
        rows = self._orders.instructions_of(orders)
        undone, reserved = effects.negated(), reserved_by(rows)
        self._book_points(undone, reserved, dict.fromkeys(effects.points, AT_ONCE), sign=-1)
        self._note_draws(orders, drawing=True)
        self._book_money(undone, reserved, day, settlement, sign=-1)
        for order in orders:
            self._orders.claim_references(order.seq)
        OrderEvents(self._session).reopened(orders, rows, settled, "projector")

    # ---------------------------------------------------------------- which orders

    def _ended_by(
        self, decisions: Mapping[OrderKey, Decision], block_number: int
    ) -> tuple[list[OrderRow], list[OrderRow]]:
        """The orders that these decisions end, as they are at their end; and those that had ended outside the chain, but were
        carried out all the same."""
        at = clock_of(self._session).now()
        orders = self._orders.lock_by_nonces(list(decisions)) if decisions else {}
        ended: list[OrderRow] = []
        again: list[OrderRow] = []
        for key, decision in decisions.items():
            order = orders.get(key)
            if order is None or not decision.is_about(order):
                continue
            end = order._replace(state=decision.state, reason=decision.reason, block_number=block_number, settled_at=at)
            if not order.state.is_final:
                ended.append(end)
            elif order.block_number is None and decision.accepted:
                log.error("an order was carried out that had ended", order=order.id, state=order.state)
                again.append(end)
        return ended, again

    # ---------------------------------------------------------------- balances

    def _note_draws(self, orders: Iterable[Order | OrderRow], *, drawing: bool) -> None:
        """Orders that a hold became have one instruction. Most blocks end none of them."""
        alone = [order.id for order in orders if order.size == 1]
        HoldRepository(self._session).set_drawing(alone, drawing=drawing)

    def _book_points(
        self, effects: Effects, reserved: Reserved, due: Mapping[AccountKey, int], *, sign: int = 1
    ) -> None:
        """Adds effects to accounts and releases what was reserved there (sign -1: reserves it again). Both at once, so that each
        row is written once. The expiry round will have to look at the accounts in `due` on their days."""
        points, taken, expiring = effects.points.get, reserved.points.get, reserved.expiring.get
        changes = {
            account: Balance(
                points(account, 0), -sign * taken(account, 0), -sign * expiring(account, 0), due.get(account, UNDATED)
            )
            for account in {*effects.points, *reserved.points, *reserved.expiring, *due}
        }
        AccountRepository(self._session).add(changes)

    def _book_money(
        self,
        effects: Effects,
        reserved: Reserved,
        day: int,
        settlement: BlockSettlement = NO_SETTLEMENT,
        *,
        sign: int = 1,
    ) -> None:
        """The same for positions and, on this day, daily caps. Accounts and holds come before: so do all transactions lock them."""
        merchants = {*effects.micros, *reserved.micros}
        micros = {m: (effects.micros.get(m, 0), -sign * reserved.micros.get(m, 0)) for m in merchants}
        positions = PositionRepository(self._session)
        if settlement.positions:
            positions.lock_all(merchants | settlement.positions)
        positions.shift(micros)
        burnt = {(agreement, day): points for agreement, points in effects.uses.items()}
        for agreement, points in settlement.inherited.items():
            burnt[agreement, day] = burnt.get((agreement, day), 0) + sign * points
        released = {
            (agreement, AgreementUseRepository.RESERVED): -sign * points for agreement, points in reserved.uses.items()
        }
        AgreementUseRepository(self._session).add_all(burnt | released)


def reserved_by(rows: Iterable[InstructionRow]) -> Reserved:
    """What these instructions have reserved."""
    found = Reserved()
    for row in rows:
        if row.draws_address is not None and row.draws_program is not None:
            found.points[row.draws_address, row.draws_program] += row.reserves
            if row.kind == Kind.EXPIRE:
                found.expiring[row.draws_address, row.draws_program] += row.points
        if row.payer is not None:
            found.micros[row.payer] += row.pays
        if row.uses:
            found.uses[row.agreement] += row.uses
    return found


def _due_at_once(rows: Iterable[InstructionRow]) -> dict[AccountKey, int]:
    """The accounts on which these instructions draw, and those of exchanges into which points go: where points may stay whose
    day has come meanwhile, or may have come."""
    found: dict[AccountKey, int] = {}
    for row in rows:
        if row.draws_address is not None and row.draws_program is not None:
            found[row.draws_address, row.draws_program] = AT_ONCE
            found[row.address, row.target_program or row.draws_program] = AT_ONCE
    return found


def _refused(decision: Decision, order: OrderRow) -> Collection[int]:
    """Those of the order's instructions, by item, that the chain refused."""
    return decision.refused if decision.accepted else range(order.size)


def _may_free(decision: Decision, order: OrderRow, midnight: datetime) -> bool:
    """Whether the order may leave points of which it had taken some, and whose day has come meanwhile."""
    return not decision.accepted or bool(decision.refused) or order.created_at < midnight


def results_of(decision: Decision) -> Results:
    """What became of the order's instructions, for its events."""
    return Results(decision.posted, decision.refused)
