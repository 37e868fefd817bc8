"""What becomes of the things in a transaction once a block contains it, or will never contain it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.service import request_call
from clearing.kit import metrics
from clearing.ledger.settlement.events import tell
from clearing.ledger.settlement.models import BankMovement, BankMovementState
from clearing.ledger.settlement.repository import BankMovementRepository, PositionRepository
from clearing.ordering.orders.models import Order, OrderState
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.repository import TransactionRepository
from tongdui.encoding import hex_of, keccak256, word

log = structlog.get_logger(__name__)

REVERTED = "the contract reverted it"
CLOSED_ON_CHAIN = 3
"""`MerchantStatus.Closed` of the contract."""


def give_back(session: Session, transactions: Iterable[Transaction]) -> None:
    """Settles the calls of mined transactions; what was in a reverted one waits again.

    A call may have reverted only because one before it did (ids are dense): it is tried out alone before it is sent again, and what
    the contract says then is final. A batch reverts as a whole only for want of gas or because the network is paused, so its orders
    go into another one; the sequencer makes that one smaller.
    """
    transactions = list(transactions)
    calls = TransactionRepository(session).calls_of([transaction.id for transaction in transactions])
    by_id = {transaction.id: transaction for transaction in transactions}
    for call in calls:
        if by_id[call.transaction_id or 0].state is TransactionState.MINED:
            call.state, call.error = CallState.DONE, None
        elif call.error is None:
            call.state, call.transaction_id, call.error = CallState.PENDING, None, REVERTED
        else:
            fail_call(session, call, REVERTED)
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
    match call.function:
        case "registerMerchant":
            _fill_place(session, call)
        case "registerAgreement":
            _close_ranks(session, call)
    movement = session.get(BankMovement, call.subject)
    if movement is not None:
        _fail_movement(session, movement, error)


def _fail_movement(session: Session, movement: BankMovement, error: str) -> None:
    positions = PositionRepository(session)
    if movement.kind == "withdrawal":
        positions.lock(movement.merchant_number)
    BankMovementRepository(session).lock(movement)
    if movement.state is not BankMovementState.PENDING:
        return
    movement.state = BankMovementState.FAILED
    tell(session, movement, "failed", "sequencer", reason=error)
    if movement.kind == "withdrawal":
        positions.shift({movement.merchant_number: (0, -movement.micros)})


def _fill_place(session: Session, call: Call) -> None:
    """The contract takes merchants in the order of their numbers. So that those behind it can follow, this one is registered
    after all, with a key that nobody has, and closed."""
    number, name, key, _ = call.arguments
    nobody = hex_of(keccak256(b"no merchant" + word(number))[12:])
    merchant = session.get(Merchant, number)
    if key == nobody or merchant is None or merchant.status is not MerchantStatus.PENDING:
        return
    session.execute(delete(SignerKey).where(SignerKey.merchant_number == number))
    call.arguments = [number, name, nobody, 0]
    call.state, call.transaction_id, call.error = CallState.PENDING, None, None
    request_call(session, call.role, "setMerchantStatus", [number, CLOSED_ON_CHAIN], merchant.id)


def _close_ranks(session: Session, call: Call) -> None:
    """The contract takes agreements in the order of their numbers: those behind a failed one move up."""
    failed = session.get(Agreement, call.subject)
    if failed is None or failed.state is not AgreementState.ACCEPTED or failed.number is None:
        return
    gap, failed.number, failed.state = failed.number, None, AgreementState.FAILED
    session.flush()
    query = select(Agreement).where(Agreement.number > gap, Agreement.state == AgreementState.ACCEPTED)
    for agreement in session.scalars(query.order_by(Agreement.number)).all():
        agreement.number, gap = gap, agreement.number or 0
        session.flush()
        calls = select(Call).where(Call.subject == agreement.id, Call.function == call.function)
        for waiting in session.scalars(calls):
            waiting.arguments = [agreement.number, *waiting.arguments[1:]]


def reopen_calls(session: Session, block_number: int) -> None:
    """Calls of a block that fell out of the chain are on their way again."""
    fallen = select(Transaction.id).where(Transaction.block_number == block_number)
    session.execute(update(Call).where(Call.transaction_id.in_(fallen)).values(state=CallState.SUBMITTED, error=None))
