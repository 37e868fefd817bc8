"""SQL of transactions: signed, sent, mined; and of what waits for one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, defer

from clearing.chain.calls.models import Call, CallState
from clearing.chain.client import Receipt
from clearing.kit.in_list import in_list
from clearing.ordering.orders.models import Order, OrderState
from clearing.pipeline.models import Transaction, TransactionAttempt, TransactionState

_RECENT = 8


class PendingWork(NamedTuple):
    """Which kinds of work the sequencer has to do."""

    orders: bool
    calls: bool
    transactions: bool


class TransactionRepository:
    """Signed transactions in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pending_work(self, overdue: datetime) -> PendingWork:
        """Whether there is anything to do. A transaction that was sent before `overdue` and is in no block is due again."""
        unsent = or_(Transaction.sent_at.is_(None), Transaction.sent_at < overdue)
        query = select(
            exists().where(Order.state == OrderState.ACCEPTED),
            exists().where(Call.state == CallState.PENDING),
            exists().where(Transaction.state == TransactionState.SIGNED, unsent),
        )
        return PendingWork(*self._session.execute(query).one())

    def add(self, transaction: Transaction) -> None:
        """Stores a signed transaction."""
        self._session.add(transaction)

    def lock(self, transaction_id: int) -> Transaction:
        """The transaction with this id, locked until the database's transaction ends."""
        return self._session.get_one(Transaction, transaction_id, with_for_update=True)

    def unmined(self) -> list[Transaction]:
        """Transactions that no block contains yet, in the order of their signing. Their bytes stay in the database."""
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

    def mined_batches(self, after: int | None) -> list[Transaction]:
        """Batches with a higher id than `after` that are in a block, reverted or not, in the order of their signing.

        Without `after`: the last few, for a sequencer that has just started.
        """
        in_block = (TransactionState.MINED, TransactionState.REVERTED)
        query = select(Transaction).where(Transaction.orders > 0, Transaction.state.in_(in_block))
        if after is None:
            return list(self._session.scalars(query.order_by(Transaction.id.desc()).limit(_RECENT)))[::-1]
        return list(self._session.scalars(query.where(Transaction.id > after).order_by(Transaction.id)))

    # ---------------------------------------------------------------- bytes that are no longer needed

    def drop_bytes(self, before: datetime, final_block: int, limit: int) -> int:
        """Drops the bytes of at most `limit` transactions (and of as many earlier versions) that were signed before this moment and
        are in a block up to `final_block`, or that no block will ever contain; returns how many of the two at most."""
        is_final = Transaction.block_number <= final_block
        is_over = or_(
            and_(Transaction.state == TransactionState.MINED, is_final), Transaction.state == TransactionState.REPLACED
        )
        old = and_(Transaction.created_at < before, is_over)
        ids = self._first(select(Transaction.id).where(Transaction.raw.is_not(None), old), limit)
        earlier = select(Transaction.id).join(TransactionAttempt, TransactionAttempt.transaction_id == Transaction.id)
        with_earlier = self._first(earlier.where(TransactionAttempt.raw.is_not(None), old), limit)
        for model, key, found in (
            (Transaction, Transaction.id, ids),
            (TransactionAttempt, TransactionAttempt.transaction_id, with_earlier),
        ):
            change = update(model).where(in_list(self._session, key, found)).values(raw=None)
            self._session.execute(change, execution_options={"synchronize_session": False})
        return max(len(ids), len(with_earlier))

    def _first(self, ids: Select[int], limit: int) -> list[int]:
        return list(self._session.scalars(ids.order_by(Transaction.id).limit(limit)))

    def without_bytes(self) -> list[Transaction]:
        """Transactions that no block contains any more, but whose bytes were dropped when one did; oldest first."""
        signed = select(Transaction).where(Transaction.state == TransactionState.SIGNED, Transaction.raw.is_(None))
        return list(self._session.scalars(signed.order_by(Transaction.id)))

    # ---------------------------------------------------------------- earlier versions

    def keep_attempt(self, transaction: Transaction) -> None:
        """Keeps the present version of a transaction that is about to be replaced."""
        attempt = TransactionAttempt(hash=transaction.hash, transaction_id=transaction.id, raw=transaction.raw)
        self._session.add(attempt)

    def earlier_hashes(self, transaction_id: int) -> list[bytes]:
        """Hashes that the transaction had before it was replaced."""
        query = select(TransactionAttempt.hash).where(TransactionAttempt.transaction_id == transaction_id)
        return list(self._session.scalars(query))

    # ---------------------------------------------------------------- blocks

    def mark_mined(self, receipts: Iterable[Receipt]) -> list[Transaction]:
        """Marks our transactions of a block as mined or reverted, and returns them."""
        by_hash = {receipt.tx_hash: receipt for receipt in receipts}
        if not by_hash:
            return []
        ours = list(self._session.scalars(select(Transaction).where(Transaction.hash.in_(by_hash))))
        if len(ours) < len(by_hash):
            ours += self._restored_versions(by_hash)
        for transaction in ours:
            receipt = by_hash[transaction.hash]
            transaction.state = TransactionState.MINED if receipt.succeeded else TransactionState.REVERTED
            transaction.block_number = receipt.block_number
            transaction.gas_used = receipt.gas_used
        return ours

    def _restored_versions(self, hashes: Iterable[bytes]) -> list[Transaction]:
        """Our transactions that were mined in an earlier version. That version takes its place again."""
        query = select(TransactionAttempt).where(TransactionAttempt.hash.in_(list(hashes)))
        found = []
        for attempt in self._session.scalars(query).all():
            transaction = self.lock(attempt.transaction_id)
            self.keep_attempt(transaction)
            transaction.hash, transaction.raw = attempt.hash, attempt.raw
            self._session.delete(attempt)
            found.append(transaction)
        return found

    def mark_unmined(self, block_number: int) -> None:
        """A block fell out of the chain: its transactions are due again, and their calls are on their way again."""
        in_block = select(Transaction.id).where(Transaction.block_number == block_number)
        self._session.execute(
            update(Call).where(Call.transaction_id.in_(in_block)).values(state=CallState.SUBMITTED, error=None)
        )
        self._session.execute(
            update(Transaction)
            .where(Transaction.block_number == block_number)
            .values(state=TransactionState.SIGNED, block_number=None, gas_used=None, sent_at=None)
        )
