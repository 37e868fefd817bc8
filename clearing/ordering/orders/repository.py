"""SQL of orders and instructions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.orm import Session

from clearing.kit.bulk_insert import insert_all, insert_rows, next_numbers
from clearing.kit.in_list import in_list, keys_in_list, pairs_in_list
from clearing.kit.locks import lock_keys
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.journal.models import Batch, Entry, Rejection
from clearing.ledger.journal.repository import EntryRepository
from clearing.ordering.orders.models import (
    OPEN_STATES,
    Instruction,
    Movement,
    MovementMetadata,
    Order,
    OrderKey,
    OrderState,
)

_IS_REVERSAL = text("instructions.kind = 6")
"""Word for word the condition of the partial index: with a parameter, SQLite would not see that it applies."""


ReferenceKey = tuple[int, int, str]
"""(merchant, kind, reference): what one live instruction may have."""


class Reversed(NamedTuple):
    """Points of a movement that a reversal has undone or, while it is pending, will undo."""

    original: str
    points: int
    is_posted: bool


class OrderRepository:
    """Orders in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def next_seqs(self, count: int) -> list[int]:
        """The places in the queue of so many new orders."""
        return next_numbers(self._session, Order.seq, count)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Stores orders. Raises IntegrityError where the nonce of one is taken.

        In the order of their nonces: of two transactions that store the same ones, one waits for the other, and never each for the
        other.
        """
        insert_all(self._session, Order, sorted(rows, key=itemgetter("merchant_number", "nonce")))

    def add_instructions(self, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Stores orders' instructions: the values of these columns. Raises IntegrityError where another live one has the same
        reference. In the order of their references, for the same reason."""
        claimed = itemgetter(*(names.index(name) for name in ("merchant_number", "kind")))
        reference = names.index("reference")
        ordered = sorted(rows, key=lambda row: (claimed(row), row[reference] or ""))
        insert_rows(self._session, Instruction, names, ordered)

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

    def queued_instructions(self) -> Counter[int]:
        """Instructions that wait for a batch, by merchant."""
        query = select(Order.merchant_number, func.sum(Order.size)).where(Order.state == OrderState.ACCEPTED)
        return Counter(
            {merchant: int(size) for merchant, size in self._session.execute(query.group_by(Order.merchant_number))}
        )

    # ---------------------------------------------------------------- what becomes of them

    def lock(self, order_id: str) -> Order | None:
        """The order, locked until the transaction ends."""
        query = select(Order).where(Order.id == order_id).with_for_update().execution_options(populate_existing=True)
        return self._session.scalar(query)

    # ---------------------------------------------------------------- reversals

    def taking_back(self, accounts: Iterable[AccountKey]) -> Counter[AccountKey]:
        """Points that pending reversals will take back from each of these accounts."""
        query = (
            select(Instruction.draws_address, Instruction.draws_program, Instruction.reserves)
            .join(Instruction.order)
            .where(
                _IS_REVERSAL,
                pairs_in_list(self._session, Instruction.draws_address, Instruction.draws_program, accounts),
                Order.state.in_(OPEN_STATES),
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

    def hold_reversals(self, instruction_id: str) -> None:
        """Until this transaction ends, nobody else who calls this can reverse any part of this instruction. Its row stays free: a
        merge and the projector lock it after accounts, and a reversal comes to accounts later."""
        lock_keys(self._session, [f"reversals:{instruction_id}"])

    def reversals(self, instruction_ids: Sequence[str]) -> list[Reversed]:
        """The reversals of these instructions that have taken effect or still may."""
        if not instruction_ids or not (places := self._reversal_places(instruction_ids)):
            return []
        query = (
            select(Instruction.original_id, Instruction.points, Entry.points)
            .join(Instruction.order)
            .outerjoin(Entry, is_entry_of_instruction())
            .where(
                pairs_in_list(self._session, Instruction.order_seq, Instruction.item, places),
                or_(Entry.leaf.is_not(None), Order.state.in_(OPEN_STATES)),
            )
        )
        rows = self._session.execute(query)
        return [Reversed(original or "", points, posted is not None) for original, points, posted in rows]

    def _reversal_places(self, instruction_ids: Sequence[str]) -> list[tuple[int, int]]:
        """Where the reversals of these instructions are. Most have none, so nothing else need be read for them."""
        query = select(Instruction.order_seq, Instruction.item).where(
            in_list(self._session, Instruction.original_id, instruction_ids), Instruction.original_id.is_not(None)
        )
        return [(seq, item) for seq, item in self._session.execute(query)]

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
        batches = EntryRepository(self._session).batches(entry.batch for entry in entries.values())
        reasons = self._reasons_of(order) if order.state.is_final and len(entries) < order.size else {}
        movements = []
        for instruction in order.instructions:
            entry = entries.get(instruction.item)
            batch = batches.get(entry.batch) if entry else None
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
        # A block may have fallen out of the chain since, and its batches with it.
        batches = EntryRepository(self._session).batches(number for _, number in settled.values())
        found = {key: (count, batches.get(number)) for key, (count, number) in settled.items()}
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
