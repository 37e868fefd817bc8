"""SQL of orders and instructions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased, undefer

from clearing.kit.bulk_insert import insert_all, next_numbers
from clearing.kit.in_list import in_list, keys_in_list, pairs_in_list
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.journal.models import Batch, Entry, Rejection
from clearing.ordering.orders.models import (
    OPEN_STATES,
    Instruction,
    InstructionRow,
    Movement,
    MovementMetadata,
    Order,
    OrderRow,
    OrderState,
)


class Queued(NamedTuple):
    """An order that waits for a batch."""

    seq: int
    size: int
    created_at: datetime


OrderKey = tuple[int, int]
"""(merchant number, nonce)."""

_IS_REVERSAL = text("instructions.kind = 6")
"""Word for word the condition of the partial index: with a parameter, SQLite would not see that it applies."""


ReferenceKey = tuple[int, int, str]
"""(merchant, kind, reference): what one live instruction may have."""


class Reversed(NamedTuple):
    """Points of a movement that a reversal has undone or, while it is pending, will undo."""

    original: str
    points: int
    is_posted: bool


_ROW_COLUMNS = [getattr(Instruction, name) for name in InstructionRow._fields]
_OF_TWO_MERCHANTS = Instruction.giver != Instruction.receiver
"""Not true where one of them is missing."""


class Reservation(NamedTuple):
    """What an instruction reserves until its order is final. Many are read at once, so it is a tuple."""

    address: str | None
    """With `program`: the account that it draws on."""
    program: int | None
    kind: int
    points: int
    reserves: int
    payer: int | None
    pays: int
    agreement: int
    uses: int


class OrderRepository:
    """Orders in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def next_seqs(self, count: int) -> list[int]:
        """The places in the queue of so many new orders."""
        return next_numbers(self._session, Order.seq, count)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Stores orders. Raises IntegrityError where the nonce of one is taken."""
        insert_all(self._session, Order, rows)

    def add_instructions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Stores orders' instructions. Raises IntegrityError where another live one has the same reference."""
        insert_all(self._session, Instruction, rows)

    def add_metadata(self, contents: Mapping[tuple[int, int], str]) -> None:
        """Stores the metadata of instructions, by (order's seq, item)."""
        rows = [{"order_seq": seq, "item": item, "content": content} for (seq, item), content in contents.items()]
        insert_all(self._session, MovementMetadata, rows)

    def metadata(self, keys: Collection[tuple[int, int]]) -> Mapping[tuple[int, int], str]:
        """The metadata of those of these instructions (order's seq, item) that have some."""
        stored = MovementMetadata
        query = select(stored.order_seq, stored.item, stored.content).where(
            pairs_in_list(self._session, stored.order_seq, stored.item, keys)
        )
        return {(seq, item): content for seq, item, content in self._session.execute(query)}

    def by_id(self, order_id: str) -> Order | None:
        """The order with this id; its instructions load when somebody asks for them."""
        return self._session.scalar(select(Order).where(Order.id == order_id))

    def by_ids(self, ids: Collection[str]) -> Sequence[Order]:
        """The orders with these ids."""
        return self._session.scalars(select(Order).where(in_list(self._session, Order.id, ids))).all()

    def taken_nonces(self, keys: Collection[OrderKey]) -> set[OrderKey]:
        """Those of these nonces (merchant, nonce) that an order has."""
        if not keys:
            return set()
        query = select(Order.merchant_number, Order.nonce).where(
            pairs_in_list(self._session, Order.merchant_number, Order.nonce, keys)
        )
        return {(merchant, nonce) for merchant, nonce in self._session.execute(query)}

    def live_references(self, keys: Collection[ReferenceKey]) -> set[ReferenceKey]:
        """Those of these references that a live instruction has."""
        if not keys:
            return set()
        columns = (Instruction.merchant_number, Instruction.kind, Instruction.reference)
        query = select(*columns).where(keys_in_list(self._session, columns, keys), Instruction.live)
        return {(merchant, kind, reference or "") for merchant, kind, reference in self._session.execute(query)}

    def queued_instructions(self) -> int:
        """Instructions that wait for a batch."""
        query = select(func.coalesce(func.sum(Order.size), 0)).where(Order.state == OrderState.ACCEPTED)
        return self._session.scalar(query) or 0

    def queued(self, instructions: int) -> list[Queued]:
        """The oldest accepted orders that together have at most this many instructions (at least one order, if there is any)."""
        query = (
            select(Order.seq, Order.size, Order.created_at)
            .where(Order.state == OrderState.ACCEPTED)
            .order_by(Order.seq)
            .limit(instructions)
        )
        first: list[Queued] = []
        left = instructions
        for row in self._session.execute(query):
            if first and row.size > left:
                break
            first.append(Queued(*row))
            left -= row.size
        return first

    def take(self, seqs: Sequence[int]) -> list[Order]:
        """Those of these orders that still wait, locked and ready for a batch."""
        waiting = (in_list(self._session, Order.seq, seqs), Order.state == OrderState.ACCEPTED)
        return self._for_batch(*waiting)

    def of_transaction(self, transaction_id: int) -> list[Order]:
        """The orders that a transaction carries, in order, locked."""
        return self._for_batch(Order.transaction_id == transaction_id, Order.state == OrderState.SUBMITTED)

    def requeue(self, transaction_id: int, seqs: Sequence[int] | None = None) -> None:
        """Lets the submitted orders of a transaction (or those with these `seqs`) wait for another one."""
        submitted = update(Order).where(Order.transaction_id == transaction_id, Order.state == OrderState.SUBMITTED)
        if seqs is not None:
            submitted = submitted.where(Order.seq.in_(seqs))
        self._session.execute(submitted.values(state=OrderState.ACCEPTED, transaction_id=None, submitted_at=None))

    def late(self, unix_time: int) -> list[Order]:
        """Accepted orders whose deadline passed, locked."""
        waiting = select(Order).where(Order.state == OrderState.ACCEPTED, Order.deadline < unix_time)
        return list(self._session.scalars(waiting.order_by(Order.seq).with_for_update()))

    def _for_batch(self, *conditions: ColumnElement[bool]) -> list[Order]:
        query = select(Order).where(*conditions).order_by(Order.seq).with_for_update(of=Order)
        return list(self._session.scalars(query.options(undefer(Order.packed))))

    # ---------------------------------------------------------------- what becomes of them

    def lock(self, order_id: str) -> Order | None:
        """The order, locked until the transaction ends."""
        query = select(Order).where(Order.id == order_id).with_for_update().execution_options(populate_existing=True)
        return self._session.scalar(query)

    def lock_by_nonces(self, keys: Sequence[OrderKey]) -> dict[OrderKey, Order]:
        """Orders by (merchant, nonce), locked: nobody else may end one meanwhile."""
        query = (
            select(Order)
            .where(pairs_in_list(self._session, Order.merchant_number, Order.nonce, keys))
            .order_by(Order.seq)
            .with_for_update(of=Order)
            .execution_options(populate_existing=True)
        )
        return {(order.merchant_number, order.nonce): order for order in self._session.scalars(query)}

    def lock_of_block(self, block_number: int) -> Sequence[Order]:
        """The orders that a block ended, locked."""
        query = select(Order).where(Order.block_number == block_number).order_by(Order.seq).with_for_update()
        return self._session.scalars(query).all()

    def reservations(self, orders: Iterable[Order]) -> list[Reservation]:
        """What each instruction of these orders has reserved."""
        query = select(
            Instruction.draws_address,
            Instruction.draws_program,
            Instruction.kind,
            Instruction.points,
            Instruction.reserves,
            Instruction.payer,
            Instruction.pays,
            Instruction.agreement,
            Instruction.uses,
        ).where(in_list(self._session, Instruction.order_seq, [order.seq for order in orders]))
        return [Reservation(*row) for row in self._session.execute(query)]

    def touched_accounts(self, orders: Iterable[Order]) -> set[AccountKey]:
        """The accounts on which these orders draw, and those of exchanges into which points go."""
        query = select(
            Instruction.draws_address, Instruction.draws_program, Instruction.address, Instruction.target_program
        ).where(in_list(self._session, Instruction.order_seq, [order.seq for order in orders]))
        found: set[AccountKey] = set()
        for draws_address, draws_program, address, target in self._session.execute(query):
            if draws_address is not None and draws_program is not None:
                found |= {(draws_address, draws_program), (address, target or draws_program)}
        return found

    def rows_to_notify(self, orders: Iterable[Order | OrderRow], largest_whole: int) -> list[InstructionRow]:
        """The instructions of which merchants are notified one by one: all of the orders that have at most `largest_whole`, and of
        the others those of two merchants. In order."""
        small = [order.seq for order in orders if order.size <= largest_whole]
        large = [order.seq for order in orders if order.size > largest_whole]
        rows: list[InstructionRow] = []
        if small:
            rows += self._rows(in_list(self._session, Instruction.order_seq, small))
        if large:
            rows += self._rows(in_list(self._session, Instruction.order_seq, large), _OF_TWO_MERCHANTS)
        return rows

    def settled_of_two_merchants(self, orders: Iterable[Order]) -> list[InstructionRow]:
        """Those instructions of settled orders that have an entry and two merchants, in order."""
        settled = [order.seq for order in orders if order.state is OrderState.SETTLED]
        took_effect = select(Entry.leaf).where(Order.seq == Instruction.order_seq, is_entry_of_instruction()).exists()
        return self._rows(in_list(self._session, Instruction.order_seq, settled), _OF_TWO_MERCHANTS, took_effect)

    def _rows(self, *conditions: ColumnElement[bool]) -> list[InstructionRow]:
        query = select(*_ROW_COLUMNS).where(*conditions).order_by(Instruction.order_seq, Instruction.item)
        return [InstructionRow(*row) for row in self._session.execute(query)]

    def claim_references(self, order: Order) -> None:
        """Nothing of an order that lives again is refused. It takes its references, but for those that another order has taken
        meanwhile."""
        other = aliased(Instruction)
        taken = select(other.order_seq).where(
            other.merchant_number == Instruction.merchant_number,
            other.kind == Instruction.kind,
            other.reference == Instruction.reference,
            other.live,
        )
        dead = (Instruction.order_seq == order.seq, Instruction.reference.is_not(None), ~Instruction.live)
        self._session.execute(
            update(Instruction).where(*dead, ~taken.exists()).values(live=True),
            execution_options={"synchronize_session": False},
        )
        refused = (Instruction.order_seq == order.seq, Instruction.refused.is_not(None))
        self._session.execute(
            update(Instruction).where(*refused).values(refused=None), execution_options={"synchronize_session": False}
        )

    def release_references(self, order: Order, items: Iterable[int]) -> None:
        """Notes which instructions of an order that has ended were refused, and frees their references: they may be used again."""
        wanted = list(items)
        state = OrderState.REJECTED if order.state is OrderState.SETTLED else order.state
        if wanted:
            self._session.execute(
                update(Instruction)
                .where(Instruction.order_seq == order.seq, in_list(self._session, Instruction.item, wanted))
                .values(live=False, refused=state)
            )

    # ---------------------------------------------------------------- reversals

    def taking_back(self, accounts: Iterable[AccountKey]) -> Counter[AccountKey]:
        """Points that pending reversals will take back from each of these accounts."""
        query = (
            select(Instruction.draws_address, Instruction.draws_program, Instruction.reserves)
            .join(Instruction.order)
            .where(
                _IS_REVERSAL,
                pairs_in_list(self._session, Instruction.draws_address, Instruction.draws_program, accounts),
                Order.state.in_((OrderState.ACCEPTED, OrderState.SUBMITTED)),
            )
        )
        found: Counter[AccountKey] = Counter()
        for address, program, points in self._session.execute(query):
            if address is not None and program is not None:
                found[address, program] += points
        return found

    def referenced(self, merchant_number: int, reference: str) -> list[Instruction]:
        """The merchant's live instructions with this reference: at most one of each kind."""
        query = select(Instruction).where(
            Instruction.merchant_number == merchant_number, Instruction.reference == reference, Instruction.live
        )
        return list(self._session.scalars(query.order_by(Instruction.kind)))

    def lock_instruction(self, instruction_id: str) -> None:
        """Until this transaction ends, nobody else who locks it too can reverse any part of this instruction."""
        query = select(Instruction.id).where(Instruction.id == instruction_id)
        self._session.execute(query.with_for_update(key_share=True))

    def reversals(self, instruction_ids: Sequence[str]) -> list[Reversed]:
        """The reversals of these instructions that have taken effect or still may."""
        query = (
            select(Instruction.original_id, Instruction.points, Entry.points)
            .join(Instruction.order)
            .outerjoin(Entry, is_entry_of_instruction())
            .where(
                in_list(self._session, Instruction.original_id, instruction_ids),
                or_(Entry.leaf.is_not(None), Order.state.in_((OrderState.ACCEPTED, OrderState.SUBMITTED))),
            )
        )
        rows = self._session.execute(query) if instruction_ids else ()
        return [Reversed(original or "", points, posted is not None) for original, points, posted in rows]

    # ---------------------------------------------------------------- movements

    def has_open_with(self, ids: Collection[str], merchant_number: int | None = None) -> bool:
        """Whether a movement of these members waits for the chain: anybody's, or one that this merchant signed."""
        query = (
            select(Instruction.id)
            .join(Instruction.order)
            .where(
                or_(Instruction.member_id.in_(ids), Instruction.recipient_id.in_(ids)),
                Order.state.in_(OPEN_STATES),
            )
        )
        if merchant_number is not None:
            query = query.where(Instruction.merchant_number == merchant_number)
        return self._session.scalar(query.limit(1)) is not None

    def has_settled_with(self, merchant_number: int, member_id: str) -> bool:
        """Whether points of this member have gone from the merchant, or come to it, in a settled movement."""
        entry = (Entry.merchant == Order.merchant_number, Entry.nonce == Order.nonce, Entry.item == Instruction.item)
        query = (
            select(Entry.leaf)
            .join(Order, and_(*entry[:2]))
            .join(Instruction, and_(Instruction.order_seq == Order.seq, entry[2]))
            .where(
                Instruction.member_id == member_id,
                or_(Instruction.giver == merchant_number, Instruction.receiver == merchant_number),
            )
        )
        return self._session.scalar(query.limit(1)) is not None

    def movements_of(self, order: Order) -> list[Movement]:
        """The order's movements, in order."""
        mine = (Entry.merchant == order.merchant_number, Entry.nonce == order.nonce)
        entries = {entry.item: entry for entry in self._session.scalars(select(Entry).where(*mine))}
        numbers = {entry.batch for entry in entries.values()}
        batches = {number: self._session.get(Batch, number) for number in numbers}
        reasons = self._reasons_of(order) if order.state.is_final and len(entries) < order.size else {}
        movements = []
        for instruction in order.instructions:
            entry = entries.get(instruction.item)
            batch = batches[entry.batch] if entry else None
            reason = None if entry else reasons.get(instruction.item, order.reason)
            movements.append(Movement(instruction, order, entry, batch, reason))
        return self.with_reversals(movements)

    def summary_of(self, order: Order) -> tuple[int, Batch | None]:
        """How many of the order's instructions took effect, and in which batch."""
        query = select(func.count(), func.min(Entry.batch))
        mine = (Entry.merchant == order.merchant_number, Entry.nonce == order.nonce)
        count, number = self._session.execute(query.where(*mine)).one()
        return count, self._session.get(Batch, number) if count else None

    def summarised(self, orders: Sequence[Order]) -> list[tuple[Order, int, Batch | None]]:
        """`summary_of` for many orders at once."""
        keys = [(order.merchant_number, order.nonce) for order in orders]
        query = (
            select(Entry.merchant, Entry.nonce, func.count(), func.min(Entry.batch))
            .where(pairs_in_list(self._session, Entry.merchant, Entry.nonce, keys))
            .group_by(Entry.merchant, Entry.nonce)
        )
        settled = {
            (merchant, nonce): (count, number) for merchant, nonce, count, number in self._session.execute(query)
        }
        numbers = {number for _, number in settled.values()}
        named = self._session.scalars(select(Batch).where(in_list(self._session, Batch.number, numbers)))
        batches = {batch.number: batch for batch in named}
        found = {key: (count, batches[number]) for key, (count, number) in settled.items()}
        return [(order, *found.get(key, (0, None))) for order, key in zip(orders, keys, strict=True)]

    def _reasons_of(self, order: Order) -> dict[int, str]:
        """Why the chain refused the order's instructions, by item; the newest refusal counts."""
        query = (
            select(Rejection.item, Rejection.reason)
            .where(Rejection.merchant == order.merchant_number, Rejection.nonce == order.nonce)
            .order_by(Rejection.block_number)
        )
        return {row.item: row.reason for row in self._session.execute(query)}

    def with_reversals(self, movements: list[Movement]) -> list[Movement]:
        """The movements, with what reversals have undone of them."""
        undone: Counter[str] = Counter()
        for one in self.reversals([movement.instruction.id for movement in movements if movement.entry is not None]):
            undone[one.original] += one.points
        return [
            replace(movement, reversed=undone[movement.instruction.id])
            if movement.instruction.id in undone
            else movement
            for movement in movements
        ]


def is_entry_of_instruction() -> ColumnElement[bool]:
    """Joins `Entry` to an `Instruction` with its `Order`."""
    same_order = and_(Entry.merchant == Order.merchant_number, Entry.nonce == Order.nonce)
    return and_(same_order, Entry.item == Instruction.item)
