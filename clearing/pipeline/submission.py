"""What becomes of the orders and calls in a transaction once a block contains it, or once no block ever will."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.repository import CallRepository
from clearing.chain.client import Receipt
from clearing.kit import metrics
from clearing.ledger.journal.repository import ChainEventRepository
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from clearing.pipeline.failed_calls import MONEY_FUNCTIONS, fail_call_for_good
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.repository import Mined, TransactionRepository
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)

_PAUSES = ("Paused", "Unpaused")
REVERTED = "the contract reverted it"


class LeftToDo(NamedTuple):
    """What the caller does when it comes to it: rows are locked in one order."""

    failed_calls: Sequence[Call]
    """Calls about money that failed for good. They change positions, so they are failed after the block's entries."""
    reverted: Sequence[Mined]
    """Transactions to give to `requeue_reverted`, after the block's registrations."""


def settle_transactions(session: Session, receipts: Iterable[Receipt], events: Collection[str]) -> LeftToDo:
    """Marks our transactions of a block and settles their calls. `events` are the names of the block's rare events."""
    transactions = TransactionRepository(session).mark_mined(receipts)
    failed = _settle_calls(session, {mined.id: mined.receipt for mined in transactions if mined.orders == 0}, events)
    return LeftToDo(failed, [mined for mined in transactions if not mined.receipt.succeeded])


def _settle_calls(session: Session, receipts: Mapping[int, Receipt], events: Collection[str]) -> Sequence[Call]:
    """Finishes the calls of mined transactions; a call that reverted gets a second try. The calls about money that have failed.

    Numbers on the chain have no gaps, so a call may have reverted only because one before it did. The sequencer therefore tries it
    out alone before it signs it again, and then the contract's answer is final; but not where the network was paused.
    """
    about_money = []
    for call in CallRepository(session).in_transactions(list(receipts)) if receipts else ():
        if receipts[call.transaction_id or 0].succeeded:
            call.state, call.error = CallState.DONE, None
        elif call.error is None or _was_paused(session, events):
            call.state, call.transaction_id, call.error = CallState.PENDING, None, REVERTED
        elif call.function in MONEY_FUNCTIONS:
            about_money.append(call)
        else:
            fail_call_for_good(session, call, REVERTED)
    return about_money


def _was_paused(session: Session, events: Collection[str]) -> bool:
    """Whether the network was paused at some moment of a block with these events."""
    if any(name in _PAUSES for name in events):
        return True
    newest = ChainEventRepository(session).newest(_PAUSES)
    return newest is not None and newest.name == "Paused"


def requeue_reverted(session: Session, reverted: Iterable[Mined]) -> None:
    """A batch reverts as a whole only for want of gas or while the network is paused, so its orders go into another one."""
    for mined in reverted:
        metrics.BATCHES.labels("reverted").inc()
        log.error("transaction reverted", hash=hex_of(mined.receipt.tx_hash), gas_used=mined.receipt.gas_used)
        OrderProgressRepository(session).requeue(mined.id)


def abandon_transaction(session: Session, transaction: Transaction) -> None:
    """Another transaction took this one's nonce: its orders and calls wait for a new one."""
    log.error("transaction replaced by a foreign one", hash=hex_of(transaction.hash), nonce=transaction.nonce)
    transaction.state = TransactionState.REPLACED
    OrderProgressRepository(session).requeue(transaction.id)
    for call in CallRepository(session).in_transactions([transaction.id]):
        call.state = CallState.PENDING
        call.transaction_id = None
