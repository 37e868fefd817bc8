"""Puts orders into batches and batches onto the chain; sends the privileged calls too.

A transaction is stored with its bytes before it is sent. After any crash the same bytes are sent again, so the worst that can
happen is that a node is told twice. `Sequencer.step()` does one bounded piece of work; tests call it between crashes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState
from clearing.chain.client import ChainClient, ChainError
from clearing.chain.contract import encode_call
from clearing.chain.node_errors import explained, is_of_contract, is_want_of_room
from clearing.kit.clock import now
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.keyring import RoleKeys
from clearing.ledger.journal.repository import EntryRepository
from clearing.ordering.orders.finalisation import OrderFinalisation, record_state
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.repository import OrderRepository
from clearing.pipeline.capacity import BatchCapacity
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.outbox import Outbox
from clearing.pipeline.repository import TransactionRepository
from clearing.pipeline.submission import fail_call, requeue_orders
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository
from tongdui import orders as wire
from tongdui.encoding import hex_of
from tongdui.orders import Kind, Reason
from tongdui.receipts import Evidence

log = structlog.get_logger(__name__)

TOO_LARGE = "too_large"
"""Why an order is refused that does not fit into a transaction even alone."""

_CALL_GAS = 1_000_000
_CALLS_A_STEP = 20
_NO_POWER = "MissingRole"
_BLOCKED_PAUSE = 1.0
"""Seconds between two looks at a contract that refuses every batch."""


class Sequencer:
    """The one process that writes to the chain. Whoever runs it holds the leadership first."""

    def __init__(self, database: Database, client: ChainClient, settings: Settings, keys: RoleKeys) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._keys = keys
        self._outbox = Outbox(database, client, settings, keys)
        self._capacity = BatchCapacity(settings)
        self._learned: int | None = None
        """Id of the newest batch transaction whose end the room knows."""
        self._max_gas: int | None = None
        self._blocked_until = 0.0

    def step(self) -> bool:
        """Sends what is due, expires what is late, signs what is next. False when there was nothing to do.

        The privileged calls come last: when one of them cannot be signed, orders go on.
        """
        with self._database.reading() as session:
            waiting = TransactionRepository(session).waiting(self._outbox.overdue())
        worked = False
        if waiting.orders:
            worked |= self.expire_late_orders()
            worked |= self.sign_batch()
        if waiting.transactions or worked:
            worked |= self.send_due()
        if waiting.calls and self.sign_calls():
            worked = True
            self.send_due()
        return worked

    # ---------------------------------------------------------------- signing: stored, not yet sent

    def sign_batch(self) -> bool:
        """Stores the next batch as a signed transaction. False when there is none to make yet."""
        if time.monotonic() < self._blocked_until:
            return False
        with self._database.session.begin() as session:
            if SwitchRepository(session).off(SEQUENCING) is not None:
                return False
            self._learn(session)
            unmined = [transaction for transaction in TransactionRepository(session).unmined() if transaction.orders]
            if len(unmined) >= (1 if self._capacity.careful else self._settings.batches_in_flight):
                return False
            proofs = _Proofs(session)
            orders = self._next_orders(session, proofs)
            if orders and self._capacity.careful:
                first = orders[0]
                orders = self._tried_out(session, orders, proofs)
                if not orders:
                    return first.state.is_final
            if not orders:
                return False
            data = _calldata(orders, proofs)
            transaction = self._outbox.sign(session, "sequencer", data, self._gas())
            transaction.orders = len(orders)
            session.flush()
            self._mark_submitted(session, orders, transaction)
            log.info(
                "batch signed",
                orders=len(orders),
                first=orders[0].id,
                last=orders[-1].id,
                hash=hex_of(transaction.hash),
                bytes=len(data),
            )
        return True

    def _next_orders(self, session: Session, proofs: _Proofs) -> list[Order]:
        """Accepted orders, oldest first, as many as a batch takes; none while a young queue may still fill one."""
        orders = OrderRepository(session)
        queued = orders.queued(self._capacity.limit)
        young = queued and now() - queued[0].created_at < timedelta(seconds=self._settings.batch_max_age)
        if young and sum(order.size for order in queued) < self._capacity.limit:
            return []
        queue = orders.take([order.seq for order in queued])
        return self._capacity.choose([order for order in queue if proofs.have(order)], self._gas())

    def _gas(self) -> int:
        """Gas of a batch: what the settings say, unless the chain's blocks are smaller."""
        if self._max_gas is None:
            block = self._client.call("eth_getBlockByNumber", "latest", False)
            self._max_gas = min(self._settings.batch_max_gas, int(block["gasLimit"], 16))
        return self._max_gas

    # ---------------------------------------------------------------- batches that fail

    def _learn(self, session: Session) -> None:
        """Takes in what became of earlier batches."""
        for transaction in TransactionRepository(session).ended_batches(self._learned):
            if transaction.state is TransactionState.REVERTED:
                self._capacity.failed()
            else:
                self._capacity.settled()
            self._learned = transaction.id

    def _tried_out(self, session: Session, orders: list[Order], proofs: _Proofs) -> list[Order]:
        """As many of the orders as the chain will take in one batch; none while it takes no batch at all."""
        while True:
            error = self._try_out(_calldata(orders, proofs))
            if error is None:
                return orders
            if not is_want_of_room(error) or self._try_out(_calldata([], proofs)) is not None:
                self._wait_for_contract(error)
                return []
            if len(orders) == 1:
                self._refuse(session, orders)
                return []
            self._capacity.halve(sum(order.size for order in orders))
            orders = self._capacity.choose(orders, self._gas())

    def _try_out(self, data: bytes) -> ChainError | None:
        request = {
            "from": self._keys.address("sequencer"),
            "to": self._settings.contract,
            "data": hex_of(data),
            "gas": hex(self._gas()),
        }
        try:
            self._client.call("eth_call", request, "latest")
        except ChainError as error:
            if not is_of_contract(error):
                raise
            return error
        return None

    def _wait_for_contract(self, error: ChainError) -> None:
        """It is paused, or this key may not sequence: nothing that another batch would change."""
        self._blocked_until = time.monotonic() + _BLOCKED_PAUSE
        log.error("the contract refuses every batch", error=explained(error))

    def _refuse(self, session: Session, orders: Sequence[Order]) -> None:
        """Orders that do not fit into a transaction even alone would hold up everybody else's."""
        for order in orders:
            log.error("order too large for a transaction", order=order.id, instructions=order.size)
        OrderFinalisation(session).withdraw(orders, OrderState.REJECTED, TOO_LARGE, "sequencer")

    def _make_smaller(self, session: Session, transaction: Transaction) -> None:
        """The node takes no transaction like this: half of it goes under the same nonce, the rest queues again."""
        before = self._gas()
        self._max_gas = None
        orders = OrderRepository(session).of_transaction(transaction.id)
        kept = orders
        if self._gas() == before:  # otherwise only the gas limit was too high: the chain's blocks have become smaller
            if len(orders) > 1:  # one that is too large by itself says nothing about the others
                self._capacity.halve(sum(order.size for order in orders))
            kept = orders[: len(orders) // 2]
        rest = orders[len(kept) :]
        requeue_orders(session, transaction.id, [order.seq for order in rest])
        if len(orders) == len(rest) == 1:
            session.refresh(rest[0])
            self._refuse(session, rest)
        transaction.orders = len(kept)
        data = _calldata(kept, _Proofs(session))
        self._outbox.replace(session, transaction, data, self._gas(), self._outbox.first_fees())

    def _mark_submitted(self, session: Session, orders: Sequence[Order], transaction: Transaction) -> None:
        at = now()
        for order in orders:
            order.state = OrderState.SUBMITTED
            order.transaction_id = transaction.id
            order.submitted_at = at
            record_state(session, order, "sequencer")

    def sign_calls(self) -> bool:
        """Stores the waiting privileged calls as signed transactions, oldest first. False when there was nothing to do."""
        with self._database.session.begin() as session:
            repository = TransactionRepository(session)
            lonely = not any(transaction.orders == 0 for transaction in repository.unmined())
            signed = 0
            for call in repository.pending_calls(_CALLS_A_STEP):
                # Behind another one a call cannot be tried out: it may build on that one. What has reverted waits for this.
                if call.error is not None and not lonely:
                    break
                refusal = self._refusal(call) if lonely else None
                if refusal is not None and refusal.startswith(_NO_POWER):
                    log.error("the contract does not let this key call it", role=call.role, error=refusal)
                    break
                if refusal is not None:
                    fail_call(session, call, refusal)
                    return True  # what waits behind it may have changed
                lonely = False
                self._sign_call(session, call)
                signed += 1
        return signed > 0

    def _sign_call(self, session: Session, call: Call) -> None:
        data = encode_call(call.function, call.arguments)
        transaction = self._outbox.sign(session, call.role, data, _CALL_GAS)
        session.flush()
        call.transaction_id = transaction.id
        call.state = CallState.SUBMITTED
        log.info("call signed", function=call.function, subject=call.subject, hash=hex_of(transaction.hash))

    def _refusal(self, call: Call) -> str | None:
        """Why the contract would refuse the call now; None if it would not."""
        request = {
            "from": self._keys.address(call.role),
            "to": self._settings.contract,
            "data": hex_of(encode_call(call.function, call.arguments)),
            "gas": hex(_CALL_GAS),
        }
        try:
            self._client.call("eth_call", request, "latest")
        except ChainError as error:
            if not is_of_contract(error):
                raise
            return explained(error)
        return None

    # ---------------------------------------------------------------- sending

    def send_due(self) -> bool:
        """Sends what was never sent, and what was sent but is in no block after a while."""
        return self._outbox.send_due(self._make_smaller)

    # ---------------------------------------------------------------- late orders

    def expire_late_orders(self) -> bool:
        """Orders whose deadline passed before they got into a batch are final. (In a batch, the chain decides.)"""
        with self._database.session.begin() as session:
            late = OrderRepository(session).late(self._database.clock.unix())
            if not late:
                return False
            finalisation = OrderFinalisation(session)
            finalisation.withdraw(late, OrderState.EXPIRED, Reason.DEADLINE_PASSED.code, "sequencer")
        return True


class _Proofs:
    """Proofs of the entries that reversals undo, looked up once."""

    def __init__(self, session: Session) -> None:
        self._entries = EntryRepository(session)
        self._found: dict[bytes, Evidence | None] = {}

    def have(self, order: Order) -> bool:
        """Whether the order's reversals can be proven: not while a reorganisation has taken an original back."""
        if Kind.REVERSE not in order.kinds():
            return True
        links = [i.link for i in order.signed().order.instructions if i.kind is Kind.REVERSE]
        return all(self._find(link) is not None for link in links)

    def of(self, instruction: wire.Instruction) -> Evidence:
        """The evidence of a reversal."""
        found = self._find(instruction.link)
        if found is None:
            raise LookupError(f"no entry with leaf {hex_of(instruction.link)}")
        return found

    def _find(self, leaf: bytes) -> Evidence | None:
        if leaf not in self._found:
            proof = self._entries.receipt(leaf)
            self._found[leaf] = Evidence(proof.entry.wire(), proof.path) if proof is not None else None
        return self._found[leaf]


def _calldata(orders: Sequence[Order], proofs: _Proofs) -> bytes:
    some = (order.signed() if Kind.REVERSE in order.kinds() else order.packed for order in orders)
    return wire.execute_calldata(some, proofs.of)
