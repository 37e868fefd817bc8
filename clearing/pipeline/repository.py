"""SQL of transactions: signed, sent, mined; and of what waits for one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session, defer

from clearing.chain.calls.models import Call, CallState
from clearing.chain.client import Receipt
from clearing.kit.in_list import in_list
from clearing.ordering.orders.models import Order
from clearing.ordering.orders.progress_repository import WAITING
from clearing.pipeline.models import Transaction, TransactionAttempt, TransactionState
from clearing.pipeline.switches.models import Switch
from clearing.pipeline.switches.repository import SEQUENCING

_RECENT = 8
_UNMINED = text("transactions.state = 'signed'")
"""Word for word: a plan that holds for every parameter cannot know that there are few of these, and many of the others."""


def _is_due(overdue: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return and_(_UNMINED, or_(Transaction.sent_at.is_(None), Transaction.sent_at < overdue))


_QUEUE = (
    select(Order.size, Order.created_at)
    .where(WAITING)
    .order_by(Order.seq)
    .limit(bindparam("instructions", type_=Integer))
    .subquery()
)
_PENDING_WORK = select(
    exists().where(WAITING, Order.deadline < bindparam("unix_time")),
    select(func.coalesce(func.sum(_QUEUE.c.size), 0)).scalar_subquery(),
    select(func.min(_QUEUE.c.created_at)).scalar_subquery(),
    exists().where(Switch.name == SEQUENCING),
    select(func.count(Transaction.id)).where(_UNMINED, Transaction.orders > 0).scalar_subquery(),
    select(func.max(Transaction.id))
    .where(Transaction.orders > 0, Transaction.state.in_((TransactionState.MINED, TransactionState.REVERTED)))
    .scalar_subquery(),
    exists().where(
        Transaction.state == TransactionState.REVERTED,
        Transaction.orders > 0,
        Transaction.id > bindparam("seen", type_=BigInteger),
    ),
    exists().where(_is_due(bindparam("overdue")), Transaction.sender == bindparam("sender")),
)


class PendingWork(NamedTuple):
    """What the sequencer has to do, and what it needs to know for its next batch; from one statement, because it asks often."""

    late: bool
    """Whether the deadline of an accepted order has passed."""
    queued: int
    """Instructions of the oldest accepted orders: up to a batch's worth, or more if there are so many."""
    oldest: datetime | None
    """When the first of them was accepted."""
    paused: bool
    """Whether the operator has stopped the batches."""
    in_flight: int
    """Batches that no block contains yet."""
    newest_in_block: int | None
    """Id of the newest batch that is in a block."""
    reverted: bool
    """Whether one of those in blocks, newer than what was asked for, has reverted."""
    transactions: bool
    """Whether one of its own was never sent, or was sent a while ago and is in no block."""


class Mined(NamedTuple):
    """One of our transactions that is in a block."""

    id: int
    orders: int
    receipt: Receipt


class TransactionRepository:
    """Signed transactions in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pending_work(
        self, sender: str, unix_time: int, overdue: datetime, instructions: int, seen: int | None
    ) -> PendingWork:
        """What there is to do for the sequencer with this address. A batch takes so many `instructions`; the sequencer has `seen`
        what became of batches up to this id; a transaction that was sent before `overdue` and is in no block is due again."""
        wanted = {
            "sender": sender,
            "unix_time": unix_time,
            "overdue": overdue,
            "instructions": instructions,
            "seen": seen or 0,
        }
        return PendingWork(*self._session.execute(_PENDING_WORK, wanted).one())

    def add(self, transaction: Transaction) -> None:
        """Stores a signed transaction."""
        self._session.add(transaction)
        self._session.flush()

    def lock(self, transaction_id: int) -> Transaction:
        """The transaction with this id, locked until the database's transaction ends."""
        return self._session.get_one(Transaction, transaction_id, with_for_update=True)

    def by_id(self, transaction_id: int) -> Transaction:
        """The transaction with this id. Raises NoResultFound where there is none."""
        return self._session.get_one(Transaction, transaction_id)

    def known_hashes(self, hashes: Collection[bytes]) -> set[bytes]:
        """Those of these hashes that one of our transactions has, or had in an earlier version."""
        now = select(Transaction.hash).where(Transaction.hash.in_(hashes))
        earlier = select(TransactionAttempt.hash).where(TransactionAttempt.hash.in_(hashes))
        return {*self._session.scalars(now), *self._session.scalars(earlier)}

    def unmined(self, senders: Collection[str]) -> list[Transaction]:
        """Transactions of these senders that no block contains yet, in the order of their signing. Their bytes stay in the
        database."""
        query = select(Transaction).where(_UNMINED, Transaction.sender.in_(senders)).order_by(Transaction.id)
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

    def mark_sent(self, ids: Sequence[int], at: datetime) -> None:
        """Notes when these transactions were sent."""
        self._session.execute(
            update(Transaction).where(Transaction.id.in_(ids)).values(sent_at=at),
            execution_options={"synchronize_session": False},
        )

    def ends_of_batches(self, after: int | None, newest: int) -> list[tuple[int, TransactionState]]:
        """What became of the batches with a higher id than `after`, up to `newest`, that are in a block, in the order of their
        signing: their ids and states. Without `after`: of the last few, for a sequencer that has just started.
        """
        in_block = (TransactionState.MINED, TransactionState.REVERTED)
        query = select(Transaction.id, Transaction.state).where(
            Transaction.orders > 0, Transaction.state.in_(in_block), Transaction.id <= newest
        )
        if after is None:
            query = query.order_by(Transaction.id.desc()).limit(_RECENT)
        else:
            query = query.where(Transaction.id > after).order_by(Transaction.id)
        return sorted((id, state) for id, state in self._session.execute(query))  # noqa: A001

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

    def any_call_unmined(self) -> bool:
        """Whether a privileged call is in a transaction that no block contains yet, whoever signed it."""
        return bool(self._session.scalar(select(exists().where(_UNMINED, Transaction.orders == 0))))

    def any_due(self, senders: Collection[str], overdue: datetime) -> bool:
        """Whether a transaction of these senders was never sent, or was sent before `overdue` and is in no block."""
        return bool(self._session.scalar(select(exists().where(_is_due(overdue), Transaction.sender.in_(senders)))))

    def oldest_unsent_of_others(self, senders: Collection[str]) -> int | None:
        """The id of the oldest transaction of another sender that is in no block and was not sent, or not since a block lost it."""
        query = select(func.min(Transaction.id)).where(
            _UNMINED, Transaction.sent_at.is_(None), Transaction.sender.not_in(senders)
        )
        return self._session.scalar(query)

    def without_bytes(self, senders: Collection[str]) -> list[Transaction]:
        """Transactions of these senders whose bytes were dropped when a block contained them, which none does now; oldest first."""
        signed = select(Transaction).where(_UNMINED, Transaction.raw.is_(None), Transaction.sender.in_(senders))
        return list(self._session.scalars(signed.order_by(Transaction.id)))

    # ---------------------------------------------------------------- earlier versions

    def keep_attempt(self, transaction: Transaction) -> None:
        """Keeps the present version of a transaction that is about to be replaced."""
        attempt = TransactionAttempt(hash=transaction.hash, transaction_id=transaction.id, raw=transaction.raw)
        self._session.merge(attempt)  # it may have had this version before

    def earlier_hashes(self, transaction_id: int) -> list[bytes]:
        """Hashes that the transaction had before it was replaced."""
        query = select(TransactionAttempt.hash).where(TransactionAttempt.transaction_id == transaction_id)
        return list(self._session.scalars(query))

    # ---------------------------------------------------------------- blocks

    def mark_mined(self, receipts: Iterable[Receipt]) -> list[Mined]:
        """Marks our transactions of a block as mined or reverted, and returns them."""
        receipts = list(receipts)
        found = {receipt.tx_hash: self._mark_mined(receipt) for receipt in receipts}
        foreign = [receipt for receipt in receipts if found[receipt.tx_hash] is None]
        if foreign and self._restore_versions([receipt.tx_hash for receipt in foreign]):
            found |= {receipt.tx_hash: self._mark_mined(receipt) for receipt in foreign}
        return [mined for mined in found.values() if mined is not None]

    def _mark_mined(self, receipt: Receipt) -> Mined | None:
        change = (
            update(Transaction)
            .where(Transaction.hash == receipt.tx_hash)
            .values(
                state=TransactionState.MINED if receipt.succeeded else TransactionState.REVERTED,
                block_number=receipt.block_number,
                gas_used=receipt.gas_used,
            )
            .returning(Transaction.id, Transaction.orders)
        )
        ours = self._session.execute(change, execution_options={"synchronize_session": False}).one_or_none()
        return Mined(ours.id, ours.orders, receipt) if ours is not None else None

    def _restore_versions(self, hashes: Sequence[bytes]) -> bool:
        """Lets our transactions that were mined in an earlier version have that version again. False if there are none."""
        query = select(TransactionAttempt).where(TransactionAttempt.hash.in_(hashes))
        found = self._session.scalars(query).all()
        for attempt in found:
            transaction = self.lock(attempt.transaction_id)
            self.keep_attempt(transaction)
            transaction.hash, transaction.raw = attempt.hash, attempt.raw
            self._session.delete(attempt)
        self._session.flush()
        return bool(found)

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
