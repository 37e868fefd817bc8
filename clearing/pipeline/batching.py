"""Puts accepted orders into batches and signs them; makes batches smaller when the chain or the node cannot take them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError
from clearing.chain.node_errors import explanation_of, is_batch_too_large
from clearing.kit import tracing
from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.role_keys import RoleKeys
from clearing.kit.wakeups.channels import Channel, Pause
from clearing.ordering.orders.events import LARGEST_WHOLE_ORDER, OrderEvents
from clearing.ordering.orders.models import OrderRow, QueuedOrder
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from clearing.ordering.orders.traces import traceparents_of_orders
from clearing.pipeline.capacity import BatchCapacity
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.outbox import NodeAnswers, Outbox
from clearing.pipeline.repository import PendingWork, TransactionRepository
from clearing.pipeline.reversal_proofs import ReversalProofs
from clearing.pipeline.simulation import simulate
from clearing.pipeline.turns import Turns
from clearing.pipeline.unsent_orders import reject_too_large
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)

_BLOCKED_PAUSE = 1.0
"""Seconds between two looks at a contract that refuses every batch."""


class BatchSigner:
    """Turns accepted orders into signed batches."""

    def __init__(
        self, database: Database, client: ChainClient, settings: Settings, keys: RoleKeys, outbox: Outbox
    ) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._keys = keys
        self._outbox = outbox
        self.capacity = BatchCapacity(settings)
        self.newest_seen: int | None = None
        """Id of the newest batch in a block that the capacity has learned from."""
        self._turns = Turns()
        self._tried: set[int] = set()
        """Ids of batches that were tried out before they were sent, and of which nothing was learned yet."""
        self._max_gas: int | None = None
        self._blocked_until = 0.0
        self._ripe_at: float | None = None
        """When the queue is old enough for a batch that is not full, while it is too young."""

    def sign_next(self, pending: PendingWork) -> bool:
        """Stores the next batch as a signed transaction. False when there is none to make yet."""
        self._ripe_at = None
        if not pending.queued or pending.paused or self._database.clock.monotonic() < self._blocked_until:
            return False
        self._learn_from_mined(pending)
        if not self._is_due(pending):
            return False
        self._gas()  # asks the node, if it must: not in the transaction
        answers = self._outbox.ask_node("sequencer")
        attributes: dict[str, str | int] = {}
        with tracing.joint("batch", attributes) as traced, self._database.session.begin() as session:
            proofs = ReversalProofs(session)
            orders = self._next_orders(session, proofs)
            if orders and self.capacity.careful:
                orders, rejected = self._largest_accepted(session, orders, proofs)
                if rejected:
                    return True
            if not orders:
                return False
            transaction = self._sign(session, in_sequence(orders), proofs, answers)
            attributes |= {"tongdui.transaction": hex_of(transaction.hash), "tongdui.orders": len(orders)}
            traced.extend(traceparents_of_orders(session, [order.row for order in orders]))
        self._turns.note(order.row for order in orders)
        self._outbox.note_signed(transaction)
        return True

    def pause(self) -> Pause | None:
        """What a queue waits for that is too young for a batch. Other orders are no reason to look: they make it no older."""
        if self._ripe_at is None:
            return None
        return Pause(max(0.0, self._ripe_at - self._database.clock.monotonic()), (Channel.DECIDED,))

    def shrink(self, session: Session, transaction: Transaction) -> None:
        """The node takes no transaction like this: half of it goes out under the same nonce, the rest queues again."""
        before = self._gas()
        self._max_gas = None
        repository = OrderProgressRepository(session)
        orders = repository.of_transaction(transaction.id)
        kept = orders
        if self._gas() == before:  # otherwise only the gas limit was too high: the chain's blocks have become smaller
            if len(orders) > 1:  # one that is too large by itself says nothing about the others
                self.capacity.halve(sum(order.row.size for order in orders))
            kept = orders[: len(orders) // 2]
        rest = orders[len(kept) :]
        repository.requeue(transaction.id, [order.row.seq for order in rest])
        if len(orders) == len(rest) == 1:
            reject_too_large(session, rest[0].row.seq)
        transaction.orders = len(kept)
        data = ReversalProofs(session).calldata(kept)
        self._outbox.replace(session, transaction, data, self._gas(), self._outbox.first_fees())

    # ---------------------------------------------------------------- choosing and signing

    def _is_due(self, pending: PendingWork) -> bool:
        """Whether a batch may be made now.

        A queue waits only while a batch is in flight: what comes meanwhile will share the next one. Alone, an order goes at once.
        """
        if not pending.in_flight or pending.oldest is None:
            return True
        if pending.in_flight >= (1 if self.capacity.careful else self._settings.batches_in_flight):
            return False
        age = (self._database.clock.now() - pending.oldest).total_seconds()
        if age >= self._settings.batch_max_age or pending.queued >= self.capacity.limit:
            return True
        self._ripe_at = self._database.clock.monotonic() + self._settings.batch_max_age - age
        return False

    def _next_orders(self, session: Session, proofs: ReversalProofs) -> list[QueuedOrder]:
        """Accepted orders whose turn it is, locked, as many as a batch takes."""
        repository = OrderProgressRepository(session)
        queued = repository.take(self.capacity.limit, self._turns.ahead())
        covered = [order for order in queued if proofs.cover(order)]
        return self.capacity.choose(covered, self._gas(), repository.savings)

    def _sign(
        self, session: Session, orders: Sequence[QueuedOrder], proofs: ReversalProofs, answers: NodeAnswers
    ) -> Transaction:
        data = proofs.calldata(orders)
        transaction = self._outbox.sign(session, "sequencer", data, self._gas(), answers, orders=len(orders))
        if self.capacity.careful:
            self._tried.add(transaction.id)
        self._mark_submitted(session, [order.row for order in orders], transaction)
        log.info(
            "batch signed",
            orders=len(orders),
            first=orders[0].row.id,
            last=orders[-1].row.id,
            hash=hex_of(transaction.hash),
            bytes=len(data),
        )
        return transaction

    def _mark_submitted(self, session: Session, orders: Sequence[OrderRow], transaction: Transaction) -> None:
        repository = OrderProgressRepository(session)
        submitted = repository.submit(orders, transaction.id, clock_of(session).now())
        small = [order for order in submitted if order.size <= LARGEST_WHOLE_ORDER]
        OrderEvents(session).changed(submitted, repository.instructions_of(small), "sequencer")

    def _gas(self) -> int:
        """Gas of a batch: what the settings say, unless the chain's blocks are smaller."""
        if self._max_gas is None:
            block = self._client.call("eth_getBlockByNumber", "latest", False)
            self._max_gas = min(self._settings.batch_max_gas, int(block["gasLimit"], 16))
        return self._max_gas

    # ---------------------------------------------------------------- batches that fail

    def _learn_from_mined(self, pending: PendingWork) -> None:
        """Adapts the capacity to what became of earlier batches."""
        newest, seen = pending.newest_in_block, self.newest_seen
        if newest is None or newest <= (seen or 0):
            return
        if pending.reverted or not self.capacity.is_full:
            with self._database.reading() as session:
                ends = TransactionRepository(session).ends_of_batches(seen, newest)
            for batch, state in ends:
                if state is TransactionState.REVERTED:
                    self.capacity.batch_failed()
                else:
                    self.capacity.batch_succeeded(tried=batch in self._tried)
            self._tried = {batch for batch in self._tried if batch > newest}
        self.newest_seen = newest

    def _largest_accepted(
        self, session: Session, orders: list[QueuedOrder], proofs: ReversalProofs
    ) -> tuple[list[QueuedOrder], bool]:
        """As many of the orders as the chain will take in one batch, none while it takes no batch at all; and whether one was
        rejected instead, because it would not even fit alone."""
        while True:
            error = self._simulated(proofs.calldata(in_sequence(orders)))
            if error is None:
                return orders, False
            if not is_batch_too_large(error) or self._simulated(proofs.calldata([])) is not None:
                self._wait_for_contract(error)
                return [], False
            if len(orders) == 1:
                reject_too_large(session, orders[0].row.seq)
                return [], True
            self.capacity.halve(sum(order.row.size for order in orders))
            orders = self.capacity.choose(orders, self._gas(), OrderProgressRepository(session).savings)

    def _simulated(self, data: bytes) -> ChainError | None:
        sender = self._keys.signer("sequencer").address
        return simulate(self._client, sender=sender, contract=self._settings.contract, data=data, gas=self._gas())

    def _wait_for_contract(self, error: ChainError) -> None:
        """The contract is paused, or this key may not sequence: another batch would change nothing."""
        self._blocked_until = self._database.clock.monotonic() + _BLOCKED_PAUSE
        log.error("the contract refuses every batch", error=explanation_of(error))


def in_sequence(orders: Iterable[QueuedOrder]) -> list[QueuedOrder]:
    """The orders as a batch has them: as they were accepted. So a batch can be made again from its orders."""
    return sorted(orders, key=lambda order: order.row.seq)
