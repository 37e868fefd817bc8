"""SQL of the chain's tables: transactions and calls on their way out, blocks and entries on their way in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session, defer

from clearing.chain.calls.models import Call, CallState
from clearing.chain.client import Receipt
from clearing.ordering.orders.models import Order, OrderState
from clearing.pipeline.models import Transaction, TransactionAttempt, TransactionState

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
