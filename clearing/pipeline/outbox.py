"""Signed transactions on their way to the chain: stored, then sent, as often as it takes; replaced under their own nonce.

A transaction that is replaced (its fee raised, its content made smaller) keeps its row; the bytes it had before stay in
`transaction_attempts`, because a node may still have them, and then they may be what is mined.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlalchemy.orm import Session

from clearing.chain.calls.models import CallState
from clearing.chain.client import ChainClient, ChainError
from clearing.chain.fees import Fees, decoded
from clearing.chain.node_errors import Refusal, refusal_of
from clearing.kit import metrics
from clearing.kit.clock import now
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.keyring import RoleKeys
from clearing.ledger.journal.repository import BlockRepository
from clearing.pipeline.models import Transaction, TransactionAttempt, TransactionState
from clearing.pipeline.repository import TransactionRepository
from clearing.pipeline.submission import requeue_orders
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)

_ROLES = ("sequencer", "operator", "treasury")


class Outbox:
    """Signs and sends."""

    def __init__(self, database: Database, client: ChainClient, settings: Settings, keys: RoleKeys) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._keys = keys
        self._fees = Fees(client, settings.max_fee_per_gas)

    # ---------------------------------------------------------------- signing: stored, not yet sent

    def sign(self, session: Session, role: str, data: bytes, gas: int) -> Transaction:
        """Stores a signed transaction with the next nonce of the role's key."""
        account = self._account(role)
        sender = account.address.lower()
        stored = TransactionRepository(session).highest_nonce(sender)
        nonce = max(self._client.next_nonce(sender), stored + 1 if stored is not None else 0)
        raw, tx_hash = self._signed(account, nonce, data, gas, self._fees.first())
        transaction = Transaction(sender=sender, nonce=nonce, raw=raw, hash=tx_hash)
        session.add(transaction)
        return transaction

    def replace(self, session: Session, transaction: Transaction, data: bytes, gas: int, fees: dict[str, Any]) -> None:
        """Gives a transaction other bytes under the same nonce; they are sent with the next `send_due`."""
        account = next(a for a in map(self._account, _ROLES) if a.address.lower() == transaction.sender)
        raw, tx_hash = self._signed(account, transaction.nonce, data, gas, fees)
        if tx_hash == transaction.hash:
            return
        session.add(TransactionAttempt(hash=transaction.hash, transaction_id=transaction.id, raw=transaction.raw))
        log.warning(
            "transaction replaced by us", nonce=transaction.nonce, before=hex_of(transaction.hash), hash=hex_of(tx_hash)
        )
        transaction.raw, transaction.hash, transaction.sent_at = raw, tx_hash, None

    def first_fees(self) -> dict[str, Any]:
        """The fees of a new transaction."""
        return self._fees.first()

    def _signed(
        self, account: LocalAccount, nonce: int, data: bytes, gas: int, fees: dict[str, Any]
    ) -> tuple[bytes, bytes]:
        fields: dict[str, Any] = {
            "chainId": self._settings.chain_id,
            "to": self._settings.contract,
            "nonce": nonce,
            "gas": gas,
            "data": data,
            "value": 0,
            **fees,
        }
        signed = account.sign_transaction(fields)
        return bytes(signed.raw_transaction), bytes(signed.hash)

    def _account(self, role: str) -> LocalAccount:
        account: LocalAccount = Account.from_key(self._keys.private_key(role))
        return account

    # ---------------------------------------------------------------- sending: the same bytes, as often as it takes

    def overdue(self) -> datetime:
        """What was sent before this moment and is in no block is sent again."""
        return now() - timedelta(seconds=self._settings.resend_after)

    def send_due(self, make_smaller: Callable[[Session, Transaction], None]) -> bool:
        """Sends what was never sent, and what was sent but is in no block after a while, with a higher fee where fees count.

        `make_smaller` is called for a batch that the node finds too large.
        """
        with self._database.session.begin() as session:
            overdue = self.overdue()
            unmined = TransactionRepository(session).unmined()
            stuck = [t for t in unmined if t.sent_at is not None and t.sent_at < overdue]
            self._raise_fees(session, stuck)
            due = [t for t in unmined if t.sent_at is None or t.sent_at < overdue]
            session.flush()  # a raised fee has changed the bytes
            raw = TransactionRepository(session).raw_of(due) if due else []
        if not due:
            return False
        metrics.SENT.inc(len(due))
        answers = self._client.send_raw(raw)
        with self._database.session.begin() as session:
            for stale, error in zip(due, answers, strict=True):
                transaction = session.get_one(Transaction, stale.id, with_for_update=True)
                transaction.sent_at = now()
                if error is not None and transaction.state is TransactionState.SIGNED:
                    self._take_refusal(session, transaction, error, make_smaller)
        return True

    def _raise_fees(self, session: Session, stuck: list[Transaction]) -> None:
        if self._fees.free:
            return
        for transaction in stuck:
            if not self._is_mined(session, transaction):
                self._raise_fee(session, transaction)

    def _raise_fee(self, session: Session, transaction: Transaction) -> None:
        fees = self._fees.raised(transaction.raw)
        if fees is None:
            log.warning("the fee is at its ceiling", hash=hex_of(transaction.hash), nonce=transaction.nonce)
            return
        before = decoded(transaction.raw)
        self.replace(session, transaction, bytes(before["data"]), before["gas"], fees)

    def _take_refusal(
        self,
        session: Session,
        transaction: Transaction,
        error: ChainError,
        make_smaller: Callable[[Session, Transaction], None],
    ) -> None:
        refusal = refusal_of(error)
        metrics.REFUSED.labels(refusal.name.lower()).inc()
        match refusal:
            case Refusal.KNOWN:
                pass
            case Refusal.NONCE_USED:
                self._drop_if_replaced(session, transaction)
            case Refusal.TOO_CHEAP if not self._fees.free:
                self._raise_fee(session, transaction)
            case Refusal.TOO_LARGE if transaction.orders:
                make_smaller(session, transaction)
            case _:
                log.error("the node refused a transaction", hash=hex_of(transaction.hash), error=error.message)

    def _drop_if_replaced(self, session: Session, transaction: Transaction) -> None:
        """The nonce is used: by this very transaction, then the projector will see it, or by another one, then it is dead.

        A node may count a transaction a moment before it shows the block. So what the projector has read decides: its blocks
        used the nonce, and this transaction was in none of them.
        """
        last = BlockRepository(session).last()
        if last is None or self._client.block_hash(last.number) != last.hash:
            return
        if self._client.next_nonce(transaction.sender, hex(last.number)) <= transaction.nonce:
            return
        log.error("transaction replaced by another's", hash=hex_of(transaction.hash), nonce=transaction.nonce)
        transaction.state = TransactionState.REPLACED
        requeue_orders(session, transaction.id)
        for call in TransactionRepository(session).calls_of([transaction.id]):
            call.state = CallState.PENDING
            call.transaction_id = None

    def _is_mined(self, session: Session, transaction: Transaction) -> bool:
        """Whether a block contains the transaction, as it is now or as it was before."""
        hashes = [transaction.hash, *TransactionRepository(session).earlier_hashes(transaction.id)]
        receipts = self._client.batch([("eth_getTransactionReceipt", (hex_of(tx_hash),)) for tx_hash in hashes])
        for receipt in receipts:
            if isinstance(receipt, ChainError):
                raise receipt
        return any(receipt is not None for receipt in receipts)
