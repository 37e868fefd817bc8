"""SQL of orders on their way: into a batch, to their end, and back. Without models, because there are hundreds a second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Numeric, Select, and_, case, cast, func, or_, select, text, tuple_, union, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from clearing.kit.in_list import in_list, pairs_in_list, table_of
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Batch, Entry, Rejection
from clearing.ordering.orders.facts import Posted
from clearing.ordering.orders.limits import Load, Savings
from clearing.ordering.orders.models import (
    Instruction,
    InstructionRow,
    Order,
    OrderKey,
    OrderRow,
    OrderState,
    QueuedOrder,
)
from clearing.ordering.orders.repository import is_entry_of_instruction
from tongdui import orders as wire
from tongdui.orders import Kind

_SUBMITTED: ColumnElement[bool] = text("orders.state = 'submitted'")  # type: ignore[assignment]
WAITING: ColumnElement[bool] = text("orders.state = 'accepted'")  # type: ignore[assignment]
"""Word for word the conditions of the partial indexes: given a parameter instead, neither database would know that they apply."""

_COLUMNS = [getattr(Order, name) for name in OrderRow._fields]
_INSTRUCTION_COLUMNS = [getattr(Instruction, name) for name in InstructionRow._fields]
_POSTED_COLUMNS = [
    *(getattr(Entry, {"place": "index"}.get(name, name)) for name in Posted._fields if name != "tx_hash"),
]
_POSTED_COLUMNS.insert(Posted._fields.index("tx_hash"), Batch.tx_hash)
_IS_EXCHANGE: ColumnElement[bool] = Instruction.kind == Kind.EXCHANGE
_PUTS_POINTS = Instruction.kind.in_((Kind.ISSUE, Kind.EXCHANGE))
"""Those whose own member gets points of their `target_program`; of the others nothing is known."""
_FEW = 20
_UNLOADED = {"synchronize_session": False}
"""Nobody who changes orders here has loaded their models."""


class OrderProgressRepository:
    """Orders on their way, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # ---------------------------------------------------------------- into a batch

    def take(self, instructions: int, ahead: Mapping[int, int]) -> list[QueuedOrder]:
        """Accepted orders that together have at most this many instructions (at least one order, if there is any), locked and ready
        for a batch, in the order of their turns: each merchant's own as they were accepted, and of the merchants whoever had fewer
        instructions. Some merchants are `ahead` of the others by so many.
        """
        marks = table_of(self._session, (Order.merchant_number, Order.size), list(ahead.items()))
        before = func.sum(Order.size).over(partition_by=Order.merchant_number, order_by=Order.seq) - Order.size
        waiting = select(Order.seq, Order.size, Order.merchant_number, before.label("before")).where(WAITING).subquery()
        turn = (waiting.c.before + func.coalesce(marks.c.size, 0)).label("turn")
        queue = (
            select(waiting.c.seq, waiting.c.size, turn)
            .outerjoin(marks, marks.c.merchant_number == waiting.c.merchant_number)
            .where(waiting.c.before < instructions)
            .order_by(turn, waiting.c.seq)
            .limit(instructions)
            .subquery()
        )
        total = func.sum(queue.c.size).over(order_by=(queue.c.turn, queue.c.seq)).label("total")
        taken = select(queue.c.seq, queue.c.size, queue.c.turn, total).subquery()
        fitting = or_(taken.c.total <= instructions, taken.c.total == taken.c.size)  # the latter: it is the first
        query = self._for_batch(WAITING, fitting).join(taken, taken.c.seq == Order.seq)
        return self._queued(query.order_by(taken.c.turn, Order.seq))

    def savings(self, orders: Sequence[QueuedOrder]) -> dict[int, Savings]:
        """What is known of the pages in which these orders put points, by `seq`; only of those of which something is.

        A page has points, whatever is in flight, if the account has more than pending orders will take. An exchange puts points
        where it takes some if both programs share a page.
        """
        credited = and_(Account.address == Instruction.address, Account.program == Instruction.target_program)
        shared = and_(_IS_EXCHANGE, _page_of(Instruction.program) == _page_of(Instruction.target_program))
        left = cast(Account.posted, Numeric) > cast(Account.reserved, Numeric) + cast(Account.expiring, Numeric)
        query = (
            select(
                Instruction.order_seq,
                func.sum(case((or_(shared, left), 1), else_=0)),
                func.sum(case((shared, 1), else_=0)),
            )
            .outerjoin(Account, credited)
            .where(in_list(self._session, Instruction.order_seq, [order.row.seq for order in orders]), _PUTS_POINTS)
            .group_by(Instruction.order_seq)
        )
        return {seq: Savings(int(full), int(shared)) for seq, full, shared in self._session.execute(query)}

    def of_transaction(self, transaction_id: int) -> list[QueuedOrder]:
        """The orders that a transaction carries, as they were accepted, locked."""
        query = self._for_batch(_SUBMITTED, Order.transaction_id == transaction_id)
        return self._queued(query.order_by(Order.seq))

    @staticmethod
    def _for_batch(*conditions: ColumnElement[bool]) -> Select[Any]:
        return select(*_COLUMNS, Order.packed).where(*conditions).with_for_update(of=Order)

    def _queued(self, query: Select[Any]) -> list[QueuedOrder]:
        return [_queued(OrderRow(*row), packed) for *row, packed in self._session.execute(query)]

    def submit(self, orders: Sequence[OrderRow], transaction_id: int, at: datetime) -> list[OrderRow]:
        """Notes that a transaction carries these orders; the orders as they are now."""
        state = OrderState.SUBMITTED
        values = {"state": state, "transaction_id": transaction_id, "submitted_at": at}
        self._change([order.seq for order in orders], values)
        return [order._replace(state=state, transaction_id=transaction_id) for order in orders]

    def requeue(self, transaction_id: int, seqs: Sequence[int] | None = None) -> None:
        """Lets the submitted orders of a transaction (or those with these `seqs`) wait for another one."""
        submitted = update(Order).where(_SUBMITTED, Order.transaction_id == transaction_id)
        if seqs is not None:
            submitted = submitted.where(Order.seq.in_(seqs))
        self._session.execute(submitted.values(state=OrderState.ACCEPTED, transaction_id=None, submitted_at=None))

    def late(self, unix_time: int) -> list[Order]:
        """Accepted orders whose deadline passed, locked."""
        query = select(Order).where(WAITING, Order.deadline < unix_time).order_by(Order.seq)
        return list(self._session.scalars(query.with_for_update()))

    def lock_by_seq(self, seq: int) -> Order:
        """The order with this number in the sequence, locked."""
        return self._session.get_one(Order, seq, with_for_update=True, populate_existing=True)

    # ---------------------------------------------------------------- to its end

    def lock_by_nonces(self, keys: Sequence[OrderKey]) -> dict[OrderKey, OrderRow]:
        """Orders by (merchant, nonce), locked: nobody else may end one meanwhile."""
        query = (
            select(*_COLUMNS)
            .where(pairs_in_list(self._session, Order.merchant_number, Order.nonce, keys))
            .order_by(Order.seq)
            .with_for_update(of=Order)
        )
        orders = (OrderRow(*row) for row in self._session.execute(query))
        return {(order.merchant_number, order.nonce): order for order in orders}

    def end(self, orders: Iterable[OrderRow]) -> None:
        """Stores the end of these orders: state, reason, block and time. Most have the same, and one statement does for them."""
        by_end: dict[tuple[OrderState, str | None, int | None, datetime | None], list[int]] = defaultdict(list)
        for order in orders:
            by_end[order.state, order.reason, order.block_number, order.settled_at].append(order.seq)
        for (state, reason, block_number, settled_at), seqs in by_end.items():
            self._change(
                seqs, {"state": state, "reason": reason, "block_number": block_number, "settled_at": settled_at}
            )

    def _change(self, seqs: Sequence[int], values: Mapping[str, object]) -> None:
        change = update(Order).where(in_list(self._session, Order.seq, seqs)).values(values)
        self._session.execute(change, execution_options=_UNLOADED)

    def refuse(self, refused: Iterable[tuple[Order | OrderRow, Iterable[int]]]) -> None:
        """Notes which instructions (by item) of orders that have ended were refused, and frees their references: they may be used
        again."""
        by_state: dict[OrderState, list[tuple[int, int]]] = defaultdict(list)
        for order, items in refused:
            by_state[OrderState.REJECTED if order.state is OrderState.SETTLED else order.state] += [
                (order.seq, item) for item in items
            ]
        for state, keys in by_state.items():
            if keys:
                mine = pairs_in_list(self._session, Instruction.order_seq, Instruction.item, keys)
                self._session.execute(
                    update(Instruction).where(mine).values(live=False, refused=state), execution_options=_UNLOADED
                )

    # ---------------------------------------------------------------- and back

    def lock_of_block(self, block_number: int) -> Sequence[Order]:
        """The orders that a block ended, locked."""
        decided = union(
            select(Entry.merchant, Entry.nonce).where(Entry.block_number == block_number),
            select(Rejection.merchant, Rejection.nonce).where(Rejection.block_number == block_number),
        )
        mine = (tuple_(Order.merchant_number, Order.nonce).in_(decided), Order.block_number == block_number)
        return self._session.scalars(select(Order).where(*mine).order_by(Order.seq).with_for_update(of=Order)).all()

    def claim_references(self, seq: int) -> None:
        """Nothing of an order that lives again is refused. It takes its references, but for those that another order has taken
        meanwhile."""
        other = aliased(Instruction)
        taken = select(other.order_seq).where(
            other.merchant_number == Instruction.merchant_number,
            other.kind == Instruction.kind,
            other.reference == Instruction.reference,
            other.live,
        )
        dead = (Instruction.order_seq == seq, Instruction.reference.is_not(None), ~Instruction.live)
        self._session.execute(
            update(Instruction).where(*dead, ~taken.exists()).values(live=True), execution_options=_UNLOADED
        )
        refused = (Instruction.order_seq == seq, Instruction.refused.is_not(None))
        self._session.execute(update(Instruction).where(*refused).values(refused=None), execution_options=_UNLOADED)

    # ---------------------------------------------------------------- traces

    def traceparents(self, seqs: Collection[int]) -> dict[int, str]:
        """The traceparents of those of these orders (by `seq`) that have one."""
        query = select(Order.seq, Order.traceparent).where(in_list(self._session, Order.seq, seqs))
        return {seq: traceparent for seq, traceparent in self._session.execute(query) if traceparent is not None}

    def traceparents_of_subjects(self, subjects: Collection[str]) -> dict[str, str]:
        """The same by the ids of orders, or of their instructions."""
        of_orders = select(Order.id, Order.traceparent).where(in_list(self._session, Order.id, subjects))
        of_movements = (
            select(Instruction.id, Order.traceparent)
            .join(Instruction.order)
            .where(in_list(self._session, Instruction.id, subjects))
        )
        rows = [*self._session.execute(of_orders), *self._session.execute(of_movements)]
        return {subject: traceparent for subject, traceparent in rows if traceparent is not None}

    # ---------------------------------------------------------------- instructions

    def instructions_of(self, orders: Iterable[Order | OrderRow]) -> list[InstructionRow]:
        """The instructions of these orders, in order.

        Those of small orders by their keys, each of which is one row whatever the database believes: where other orders have
        hundreds, it expects hundreds of each, and reads the table.
        """
        large: list[int] = []
        places: list[tuple[int, int]] = []
        for order in orders:
            if order.size > _FEW:
                large.append(order.seq)
            else:
                places += [(order.seq, item) for item in range(order.size)]
        rows = self._rows(in_list(self._session, Instruction.order_seq, large)) if large else []
        if places:
            rows += self._rows(pairs_in_list(self._session, Instruction.order_seq, Instruction.item, places))
        return sorted(rows, key=itemgetter(0, 1)) if large and places else rows

    def settled_of_two_merchants(self, orders: Iterable[Order]) -> list[InstructionRow]:
        """Those instructions of settled orders that have an entry and two merchants, in order."""
        settled = [order.seq for order in orders if order.state is OrderState.SETTLED]
        took_effect = select(Entry.leaf).where(Order.seq == Instruction.order_seq, is_entry_of_instruction()).exists()
        two_merchants = Instruction.giver != Instruction.receiver  # not true where one of them is missing
        return self._rows(in_list(self._session, Instruction.order_seq, settled), two_merchants, took_effect)

    def posted(self, ids: Collection[str]) -> dict[str, tuple[InstructionRow, OrderRow, Posted]]:
        """Those of these movements, by id, that have an entry."""
        query = (
            select(*_INSTRUCTION_COLUMNS, *_COLUMNS, *_POSTED_COLUMNS)
            .join(Instruction.order)
            .join(Entry, is_entry_of_instruction())
            .join(Batch, Batch.number == Entry.batch)
            .where(in_list(self._session, Instruction.id, ids))
        )
        first, second = len(_INSTRUCTION_COLUMNS), len(_INSTRUCTION_COLUMNS) + len(_COLUMNS)
        found = {}
        for row in self._session.execute(query):
            instruction = InstructionRow(*row[:first])
            found[instruction.id] = (instruction, OrderRow(*row[first:second]), Posted(*row[second:]))
        return found

    def _rows(self, *conditions: ColumnElement[bool]) -> list[InstructionRow]:
        query = select(*_INSTRUCTION_COLUMNS).where(*conditions).order_by(Instruction.order_seq, Instruction.item)
        return [InstructionRow(*row) for row in self._session.execute(query)]


def _queued(row: OrderRow, packed: bytes) -> QueuedOrder:
    load = Load(row.merchant_number, row.nonce, wire.touches_of(packed), row.atomic)
    return QueuedOrder(row, packed, load)


def _page_of(program: InstrumentedAttribute[int]) -> ColumnElement[int]:
    """The page of balances that a program is in, as the contract counts."""
    return (program - 1) // 4
