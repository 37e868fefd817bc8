"""The bytes of transactions are kept until their blocks are final and some time has passed. What they carry stays, once: the bytes
of an order with the order, the arguments of a call with the call.

Should a block fall out of the chain even then, its transactions are signed again: under their old nonces, with the same content
but for reversals of what is not there (see `content_of`).
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.chain.calls.repository import CallRepository
from clearing.chain.contract import encode_call
from clearing.kit.config import Settings
from clearing.ledger.journal.repository import BlockRepository
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from clearing.pipeline.models import Transaction
from clearing.pipeline.repository import TransactionRepository
from clearing.pipeline.reversal_proofs import ReversalProofs

CALL_GAS = 1_000_000
"""Gas of a privileged call."""
_ROWS = 500
"""Each may have 126 kB."""


class Content(NamedTuple):
    """What a transaction asks of the contract."""

    data: bytes
    gas: int


def drop_old_bytes(session: Session, before: datetime, limit: int, *, confirmations: int) -> bool:
    """Drops the bytes of some transactions that were signed before this moment and whose blocks are final; whether there may be
    more."""
    last = BlockRepository(session).last()
    if last is None:
        return False
    some = min(limit, _ROWS)
    return TransactionRepository(session).drop_bytes(before, last.number - confirmations, some) == some


def content_of(session: Session, transaction: Transaction, settings: Settings) -> Content:
    """What a transaction carries that fell out of the chain.

    An order whose reversals cannot be proven now leaves it and queues again: what it reverses may have fallen out too, and may not
    come back before this order's deadline. Later transactions of the same key would wait for it as long.
    """
    for call in CallRepository(session).in_transactions([transaction.id]):
        return Content(encode_call(call.function, call.arguments), CALL_GAS)
    proofs = ReversalProofs(session)
    progress = OrderProgressRepository(session)
    orders = progress.of_transaction(transaction.id)
    covered = [order for order in orders if proofs.cover(order)]
    if len(covered) < len(orders):
        kept = {order.row.seq for order in covered}
        progress.requeue(transaction.id, [order.row.seq for order in orders if order.row.seq not in kept])
        transaction.orders = len(covered)
    return Content(proofs.calldata(covered), settings.batch_max_gas)
