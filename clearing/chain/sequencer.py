"""Puts orders into batches and batches onto the chain; sends the privileged calls too.

A transaction is stored with its bytes before it is sent. After any crash the same bytes are sent again, so the worst that can happen
is that a node is told twice. `Sequencer.step()` does one bounded piece of work; tests call it between crashes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlalchemy.orm import Session

from tongdui import orders as wire
from tongdui.receipts import Evidence
from tongdui.words import hex_of

from ..config import Settings
from ..database import Database, now
from ..orders.finalisation import Reservations, expire, order_event
from ..orders.models import Order, OrderState
from ..orders.repository import OrderRepository
from ..signing.keyring import RoleKeys
from .client import ChainClient, ChainError
from .contract import decode_error, encode_call
from .effects import Effects
from .models import Call, CallState, Transaction, TransactionState
from .projection import apply_sums
from .repository import EntryRepository, TransactionRepository
from .submission import fail_call, requeue_orders

log = structlog.get_logger(__name__)

_CALL_GAS = 1_000_000
_CALLS_A_STEP = 20
_KNOWN = ("already known", "already imported", "known transaction")
_NONCE_USED = ("nonce too low", "nonce is too low", "nonce below current nonce")


class Sequencer:
    """The one process that writes to the chain. Whoever runs it holds the leadership first."""

    def __init__(self, database: Database, client: ChainClient, settings: Settings, keys: RoleKeys) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._keys = keys
        self._batch_limit = settings.batch_max_instructions

    def step(self) -> bool:
        """Sends what is due, expires what is late, signs what is next. False when there was nothing to do."""
        worked = self.expire_late_orders()
        worked |= self.sign_calls()
        worked |= self.sign_batch()
        return self.send_due() or worked

    # ---------------------------------------------------------------- signing: stored, not yet sent

    def sign_batch(self) -> bool:
        """Stores the next batch as a signed transaction. False when there is none to make yet."""
        with self._database.session.begin() as session:
            unmined = [transaction for transaction in TransactionRepository(session).unmined() if transaction.orders]
            if len(unmined) >= self._settings.batches_in_flight:
                return False
            orders = self._next_orders(session)
            if not orders:
                return False
            proofs = EntryRepository(session)
            data = wire.execute_calldata(
                [order.signed() for order in orders], lambda instruction: _evidence(proofs, instruction)
            )
            transaction = self._sign(session, "sequencer", data, self._settings.batch_max_gas)
            transaction.orders = len(orders)
            session.flush()
            self._mark_submitted(session, orders, transaction)
            log.info("batch signed", orders=len(orders), hash=hex_of(transaction.hash), bytes=len(data))
        return True

    def _next_orders(self, session: Session) -> list[Order]:
        """Accepted orders, oldest first, as many as a batch takes; none while a young queue may still fill one."""
        queue = OrderRepository(session).queue(self._batch_limit)
        chosen: list[Order] = []
        size = 0
        for order in queue:
            if chosen and size + order.size > self._batch_limit:
                return chosen
            chosen.append(order)
            size += order.size
        young = chosen and now() - chosen[0].created_at < timedelta(seconds=self._settings.batch_max_age)
        return [] if young and size < self._batch_limit else chosen

    def _mark_submitted(self, session: Session, orders: Sequence[Order], transaction: Transaction) -> None:
        at = now()
        for order in orders:
            order.state = OrderState.SUBMITTED
            order.transaction_id = transaction.id
            order.submitted_at = at
            session.add(order_event(order, "sequencer"))

    def sign_calls(self) -> bool:
        """Stores the waiting privileged calls as signed transactions, oldest first."""
        with self._database.session.begin() as session:
            repository = TransactionRepository(session)
            calls = repository.pending_calls(_CALLS_A_STEP)
            lonely = not any(transaction.orders == 0 for transaction in repository.unmined())
            for call in calls:
                refusal = self._refusal(call) if lonely else None
                if refusal is not None:
                    fail_call(session, call, refusal)
                    continue
                lonely = (
                    False  # what follows may build on this call, so it cannot be tried out before this one is mined
                )
                self._sign_call(session, call)
        return bool(calls)

    def _sign_call(self, session: Session, call: Call) -> None:
        data = encode_call(call.function, call.arguments)
        transaction = self._sign(session, call.role, data, _CALL_GAS)
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
        }
        try:
            self._client.call("eth_call", request, "latest")
        except ChainError as error:
            if isinstance(error.data, str) and error.data.startswith("0x"):
                return decode_error(bytes.fromhex(error.data[2:]))
            return error.message
        return None

    def _sign(self, session: Session, role: str, data: bytes, gas: int) -> Transaction:
        account: LocalAccount = Account.from_key(self._keys.private_key(role))
        sender = account.address.lower()
        stored = TransactionRepository(session).highest_nonce(sender)
        nonce = max(self._client.next_nonce(sender), stored + 1 if stored is not None else 0)
        fields: dict[str, Any] = {
            "chainId": self._settings.chain_id,
            "to": self._settings.contract,
            "nonce": nonce,
            "gas": gas,
            "data": data,
            "value": 0,
            **self._fees(),
        }
        signed = account.sign_transaction(fields)
        transaction = Transaction(
            sender=sender, nonce=nonce, raw=bytes(signed.raw_transaction), hash=bytes(signed.hash)
        )
        session.add(transaction)
        return transaction

    def _fees(self) -> dict[str, Any]:
        if self._settings.max_fee_per_gas is None:
            return {"gasPrice": 0}
        ceiling = self._settings.max_fee_per_gas
        return {"maxFeePerGas": ceiling, "maxPriorityFeePerGas": min(ceiling, 1_000_000_000)}

    # ---------------------------------------------------------------- sending: the same bytes, as often as it takes

    def send_due(self) -> bool:
        """Sends what was never sent, and what was sent but is in no block after a while."""
        with self._database.session.begin() as session:
            overdue = now() - timedelta(seconds=self._settings.resend_after)
            due = [
                transaction
                for transaction in TransactionRepository(session).unmined()
                if transaction.sent_at is None or transaction.sent_at < overdue
            ]
        if not due:
            return False
        answers = self._client.send_raw([transaction.raw for transaction in due])
        with self._database.session.begin() as session:
            for stale, error in zip(due, answers, strict=True):
                transaction = session.get_one(Transaction, stale.id)
                transaction.sent_at = now()
                if error is not None:
                    self._take_refusal(session, transaction, error)
        return True

    def _take_refusal(self, session: Session, transaction: Transaction, error: ChainError) -> None:
        message = error.message.lower()
        if any(known in message for known in _KNOWN):
            return
        if any(used in message for used in _NONCE_USED):
            self._drop_if_replaced(session, transaction)
            return
        log.error("the node refused a transaction", hash=hex_of(transaction.hash), error=error.message)

    def _drop_if_replaced(self, session: Session, transaction: Transaction) -> None:
        """The nonce is used: by this very transaction, then the projector will see it, or by another one, then it is dead."""
        if transaction.state is not TransactionState.SIGNED:
            return
        if self._client.call("eth_getTransactionReceipt", hex_of(transaction.hash)) is not None:
            return
        log.error("transaction replaced", hash=hex_of(transaction.hash), nonce=transaction.nonce)
        transaction.state = TransactionState.REPLACED
        requeue_orders(session, transaction.id)
        for call in TransactionRepository(session).calls_of([transaction.id]):
            call.state = CallState.PENDING
            call.transaction_id = None

    # ---------------------------------------------------------------- late orders

    def expire_late_orders(self) -> bool:
        """Orders whose deadline passed before they got into a batch are final. (In a batch, the chain decides.)"""
        with self._database.session.begin() as session:
            late = OrderRepository(session).late(int(time.time()))
            if not late:
                return False
            released = Reservations()
            for order in late:
                expire(session, order)
                released.add(order.instructions)
            apply_sums(session, Effects(), released)
        return True


def _evidence(proofs: EntryRepository, instruction: wire.Instruction) -> Evidence:
    proof = proofs.receipt(instruction.link)
    if proof is None:
        raise LookupError(f"no entry with leaf {hex_of(instruction.link)}")
    return Evidence(proof.entry.wire(), proof.path)
