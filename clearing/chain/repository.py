"""SQL of the chain's tables: transactions and calls on their way out, blocks and entries on their way in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, defer

from tongdui.receipts import merkle_proof

from ..orders.models import Order, OrderState
from .client import Receipt
from .models import Batch, Block, Call, CallState, Entry, Transaction, TransactionAttempt, TransactionState

_RECENT = 8


class Waiting(NamedTuple):
    """What the sequencer has to do, if anything."""

    orders: bool
    calls: bool
    transactions: bool


class TransactionRepository:
    """Signed transactions and the calls that wait for one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def waiting(self, overdue: datetime) -> Waiting:
        """Whether there is anything to do. `overdue`: what was sent before and is in no block is to be sent again."""
        unsent = or_(Transaction.sent_at.is_(None), Transaction.sent_at < overdue)
        query = select(
            exists().where(Order.state == OrderState.ACCEPTED),
            exists().where(Call.state == CallState.PENDING),
            exists().where(Transaction.state == TransactionState.SIGNED, unsent),
        )
        return Waiting(*self._session.execute(query).one())

    def unmined(self) -> list[Transaction]:
        """Transactions that no block contains yet, in the order in which they were signed. Their bytes are left in the database."""
        query = select(Transaction).where(Transaction.state == TransactionState.SIGNED).order_by(Transaction.id)
        return list(self._session.scalars(query.options(defer(Transaction.raw))))

    def raw_of(self, transactions: Sequence[Transaction]) -> list[bytes]:
        """The bytes of these transactions."""
        ids = [transaction.id for transaction in transactions]
        rows = self._session.execute(select(Transaction.id, Transaction.raw).where(Transaction.id.in_(ids)))
        by_id = {row.id: row.raw for row in rows}
        return [by_id[id] for id in ids]  # noqa: A001

    def highest_nonce(self, sender: str) -> int | None:
        """The highest nonce that `sender` has used in a stored transaction."""
        return self._session.scalar(select(func.max(Transaction.nonce)).where(Transaction.sender == sender))

    def ended_batches(self, after: int | None) -> list[Transaction]:
        """Batches with a higher id than `after` that a block contains, in the order in which they were signed.

        Without `after`: the last few, for a sequencer that has just started.
        """
        ended = (TransactionState.MINED, TransactionState.REVERTED)
        query = select(Transaction).where(Transaction.orders > 0, Transaction.state.in_(ended))
        if after is None:
            return list(self._session.scalars(query.order_by(Transaction.id.desc()).limit(_RECENT)))[::-1]
        return list(self._session.scalars(query.where(Transaction.id > after).order_by(Transaction.id)))

    def earlier_hashes(self, transaction_id: int) -> list[bytes]:
        """Hashes that the transaction had before it was replaced."""
        query = select(TransactionAttempt.hash).where(TransactionAttempt.transaction_id == transaction_id)
        return list(self._session.scalars(query))

    def by_hash(self, tx_hash: bytes) -> Transaction | None:
        """The transaction with this hash, if it is ours."""
        return self._session.scalar(select(Transaction).where(Transaction.hash == tx_hash))

    def pending_calls(self, limit: int) -> list[Call]:
        """Calls that wait for a transaction, oldest first."""
        query = select(Call).where(Call.state == CallState.PENDING).order_by(Call.id).limit(limit)
        return list(self._session.scalars(query))

    def calls_of(self, transactions: Sequence[int]) -> list[Call]:
        """Calls in these transactions."""
        if not transactions:
            return []
        return list(self._session.scalars(select(Call).where(Call.transaction_id.in_(transactions))))

    def settle(self, receipts: Iterable[Receipt]) -> list[Transaction]:
        """Marks the transactions that a block contains, and returns those of ours."""
        by_hash = {receipt.tx_hash: receipt for receipt in receipts}
        if not by_hash:
            return []
        ours = list(self._session.scalars(select(Transaction).where(Transaction.hash.in_(by_hash))))
        if len(ours) < len(by_hash):
            ours += self._earlier_versions(by_hash)
        for transaction in ours:
            receipt = by_hash[transaction.hash]
            transaction.state = TransactionState.MINED if receipt.succeeded else TransactionState.REVERTED
            transaction.block_number = receipt.block_number
            transaction.gas_used = receipt.gas_used
        return ours

    def _earlier_versions(self, hashes: Iterable[bytes]) -> list[Transaction]:
        """Transactions of ours that were replaced, but not before a block had them as they were: so they are that again."""
        query = select(TransactionAttempt).where(TransactionAttempt.hash.in_(list(hashes)))
        found = []
        for attempt in self._session.scalars(query).all():
            transaction = self._session.get_one(Transaction, attempt.transaction_id, with_for_update=True)
            later = TransactionAttempt(hash=transaction.hash, transaction_id=transaction.id, raw=transaction.raw)
            transaction.hash, transaction.raw = attempt.hash, attempt.raw
            self._session.delete(attempt)
            self._session.add(later)
            found.append(transaction)
        return found

    def unsettle(self, block_number: int) -> None:
        """A block fell out of the chain: its transactions are to be sent again."""
        self._session.execute(
            update(Transaction)
            .where(Transaction.block_number == block_number)
            .values(state=TransactionState.SIGNED, block_number=None, gas_used=None, sent_at=None)
        )


class BlockRepository:
    """Blocks that the read model contains."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def last(self) -> Block | None:
        """The newest block."""
        return self._session.scalar(select(Block).order_by(Block.number.desc()).limit(1))


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries; None means any."""

    program: int | None = None
    address: str | None = None
    batch: int | None = None
    programs: Sequence[int] | None = None
    merchant: int | None = None
    """With `programs`: what a merchant may see (its own orders, its programs' and its agreements' entries)."""
    agreements: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry with what proves it."""

    entry: Entry
    batch: Batch
    path: tuple[bytes, ...]


class EntryRepository:
    """Accepted instructions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def by_leaf(self, leaf: bytes) -> Entry | None:
        """The entry with this leaf."""
        return self._session.scalar(select(Entry).where(Entry.leaf == leaf))

    def list(self, wanted: EntryFilter, after: tuple[int, int] | None, limit: int) -> Sequence[Entry]:
        """Entries newest first; `after` is (batch, index) of the last one of the page before."""
        query = select(Entry).order_by(Entry.batch.desc(), Entry.index.desc()).limit(limit)
        for condition in _conditions(wanted):
            query = query.where(condition)
        if after is not None:
            batch, index = after
            query = query.where((Entry.batch < batch) | and_(Entry.batch == batch, Entry.index < index))
        return self._session.scalars(query).all()

    def receipt(self, leaf: bytes) -> Proof | None:
        """The entry with its Merkle proof, made from its batch's leaves."""
        entry = self.by_leaf(leaf)
        if entry is None:
            return None
        batch = self._session.get_one(Batch, entry.batch)
        query = select(Entry.leaf).where(Entry.batch == entry.batch).order_by(Entry.index)
        leaves = list(self._session.scalars(query))
        return Proof(entry, batch, merkle_proof(leaves, entry.index))


def _conditions(wanted: EntryFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.program is not None:
        conditions.append(Entry.program == wanted.program)
    if wanted.address is not None:
        conditions.append(Entry.address == wanted.address)
    if wanted.batch is not None:
        conditions.append(Entry.batch == wanted.batch)
    if wanted.programs is not None:
        own = Entry.program.in_(wanted.programs) | (Entry.merchant == wanted.merchant)
        conditions.append(own | Entry.agreement.in_(wanted.agreements))
    return conditions
