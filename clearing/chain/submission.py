"""What becomes of the things in a transaction once a block contains it, or will never contain it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tongdui.words import hex_of

from .. import metrics
from ..agreements.models import Agreement, AgreementState
from ..orders.models import Order, OrderState
from ..settlement.models import BankMovement, BankMovementState
from .models import Call, CallState, Transaction, TransactionState
from .repository import TransactionRepository

log = structlog.get_logger(__name__)


def give_back(session: Session, transactions: Iterable[Transaction]) -> None:
    """Settles the calls of mined transactions; what was in a reverted one fails (a call) or queues again (orders).

    A call that reverts would revert again: the contract refused it. A batch reverts as a whole only for want of gas or because
    the network is paused, so its orders go into another one; the sequencer makes that one smaller.
    """
    transactions = list(transactions)
    calls = TransactionRepository(session).calls_of([transaction.id for transaction in transactions])
    by_id = {transaction.id: transaction for transaction in transactions}
    for call in calls:
        if by_id[call.transaction_id or 0].state is TransactionState.MINED:
            call.state = CallState.DONE
        else:
            fail_call(session, call, "the contract reverted it")
    for transaction in transactions:
        if transaction.state is TransactionState.REVERTED:
            metrics.BATCHES.labels("reverted").inc()
            log.error("transaction reverted", hash=hex_of(transaction.hash), gas_used=transaction.gas_used)
            requeue_orders(session, transaction.id)


def requeue_orders(session: Session, transaction_id: int, some: Sequence[int] | None = None) -> None:
    """Orders whose transaction failed (or only `some` of them, by `seq`) wait for another one."""
    waiting = update(Order).where(Order.transaction_id == transaction_id, Order.state == OrderState.SUBMITTED)
    if some is not None:
        waiting = waiting.where(Order.seq.in_(some))
    session.execute(waiting.values(state=OrderState.ACCEPTED, transaction_id=None, submitted_at=None))


def fail_call(session: Session, call: Call, error: str) -> None:
    """A call that the contract refuses: so the resource that asked for it fails."""
    call.state = CallState.FAILED
    call.error = error
    log.error("call failed", function=call.function, subject=call.subject, error=error)
    agreement = session.get(Agreement, call.subject)
    if agreement is not None and agreement.state is AgreementState.ACCEPTED:
        agreement.state = AgreementState.FAILED
    movement = session.get(BankMovement, call.subject)
    if movement is not None and movement.state is BankMovementState.PENDING:
        movement.state = BankMovementState.FAILED


def reopen_calls(session: Session, block_number: int) -> None:
    """Calls of a block that fell out of the chain are on their way again."""
    fallen = select(Transaction.id).where(Transaction.block_number == block_number)
    session.execute(update(Call).where(Call.transaction_id.in_(fallen)).values(state=CallState.SUBMITTED, error=None))
