"""Signed transactions on their way to the chain: stored, sent, and sent again until a block contains them.

A transaction that is replaced (by a higher fee or by less content) keeps its row and its nonce. Its earlier bytes stay in
`transaction_attempts`, because a node may still have them and may still mine them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError
from clearing.chain.fees import Fees, decoded
from clearing.chain.node_errors import Refusal, refusal_of
from clearing.chain.transactions import SignedTransaction, sign_transaction
from clearing.kit import metrics
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.role_keys import RoleKeys
from clearing.kit.signing.signer import Signer
from clearing.kit.wakeups.channels import Channel, notify
from clearing.ledger.journal.repository import BlockRepository
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.old_bytes import content_of
from clearing.pipeline.repository import TransactionRepository
from clearing.pipeline.submission import abandon_transaction
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)

for _refusal in Refusal:
    metrics.REFUSED.labels(_refusal.name.lower())

_OTHERS_FIRST = 2.0
"""Seconds for which a transaction waits for an earlier one that another process has not sent."""

Shrink = Callable[[Session, Transaction], None]
"""Replaces a batch that the node finds too large by a smaller one."""


class NodeAnswers(NamedTuple):
    """What a new transaction needs to know of the node."""

    fees: dict[str, Any]
    nonce: int | None
    """The next one of the key; None if the database knows it."""


class UsedNonces(NamedTuple):
    """Up to which of the projector's blocks these transactions' nonces are used."""

    block_number: int
    block_hash: bytes
    transactions: frozenset[int]


class Outbox:
    """Signs the transactions of some roles' keys and sends them. Those of other keys are other processes' business."""

    def __init__(
        self, database: Database, client: ChainClient, settings: Settings, keys: RoleKeys, roles: Sequence[str]
    ) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._signers = {role: keys.signer(role) for role in roles}
        self.senders = frozenset(signer.address for signer in self._signers.values())
        """The addresses of those keys, lower-case."""
        self._fees = Fees(client, settings.max_fee_per_gas)
        self._unsent: list[tuple[Transaction, bytes]] = []
        """Stored since the last sending, and not sent yet."""
        self._asked: set[str] = set()
        """Senders whose next nonce the node has told since one was last taken by somebody else."""
        self._held_since: float | None = None
        """Since when something due has been waiting for what another process is to send before."""

    # ---------------------------------------------------------------- signing: stored, not yet sent

    def ask_node(self, role: str) -> NodeAnswers:
        """What the node has to say before a transaction of the role's key is signed. Ask before the database's transaction begins:
        a node that is slow must not keep that open."""
        sender = self._signers[role].address
        return NodeAnswers(self._fees.first(), None if sender in self._asked else self._client.next_nonce(sender))

    def sign(
        self, session: Session, role: str, data: bytes, gas: int, answers: NodeAnswers, *, orders: int = 0
    ) -> Transaction:
        """Stores a signed transaction with the next nonce of the role's key; from here on it has its id."""
        signer = self._signers[role]
        sender = signer.address
        transactions = TransactionRepository(session)
        nonce = self._next_nonce(sender, transactions.highest_nonce(sender), answers.nonce)
        raw, tx_hash = self._signed(signer, nonce, data, gas, answers.fees)
        transaction = Transaction(sender=sender, nonce=nonce, raw=raw, hash=tx_hash, orders=orders)
        transactions.add(transaction)
        return transaction

    def _next_nonce(self, sender: str, stored: int | None, told: int | None) -> int:
        """The node is asked once, and again after somebody else has used a nonce of the key: nobody should."""
        if told is None and stored is not None:
            return stored + 1
        if told is None:
            told = self._client.next_nonce(sender)  # the first transaction of the key was signed, but not stored
        self._asked.add(sender)
        return max(told, stored + 1 if stored is not None else 0)

    def replace(self, session: Session, transaction: Transaction, data: bytes, gas: int, fees: dict[str, Any]) -> None:
        """Gives a transaction other bytes under the same nonce. The next `send_due` sends them."""
        signer = next(signer for signer in self._signers.values() if signer.address == transaction.sender)
        raw, tx_hash = self._signed(signer, transaction.nonce, data, gas, fees)
        if tx_hash == transaction.hash:
            transaction.raw = raw
            return
        TransactionRepository(session).keep_attempt(transaction)
        log.warning(
            "transaction replaced by us", nonce=transaction.nonce, before=hex_of(transaction.hash), hash=hex_of(tx_hash)
        )
        transaction.raw, transaction.hash, transaction.sent_at = raw, tx_hash, None

    def first_fees(self) -> dict[str, Any]:
        """The fees of a new transaction."""
        return self._fees.first()

    def _signed(self, signer: Signer, nonce: int, data: bytes, gas: int, fees: dict[str, Any]) -> SignedTransaction:
        """A signed call of the contract."""
        contract, chain_id = self._settings.contract, self._settings.chain_id
        return sign_transaction(signer, chain_id=chain_id, nonce=nonce, to=contract, data=data, gas=gas, fees=fees)

    # ---------------------------------------------------------------- sending: the same bytes, as often as it takes

    def overdue(self) -> datetime:
        """A transaction that was sent before this moment and is in no block is due again."""
        return self._database.clock.now() - timedelta(seconds=self._settings.resend_after)

    def note_signed(self, transaction: Transaction) -> None:
        """The transaction is stored, and committed: `send_signed` may send it."""
        assert transaction.raw is not None, "it was signed a moment ago"
        self._unsent.append((transaction, transaction.raw))

    def send_signed(self, shrink: Shrink) -> None:
        """Sends what was signed since the last time, without asking the database for it."""
        signed, self._unsent = self._unsent, []
        self._send([transaction for transaction, _ in signed], [raw for _, raw in signed], shrink)

    def send_due(self, shrink: Shrink) -> bool:
        """Sends the transactions that are due: those never sent, and those sent a while ago that no block contains.

        Where gas costs money, the latter get a higher fee first. `shrink` is called for a batch that the node finds too large.
        """
        self._unsent.clear()  # they are among those that are due
        due, raw = self._prepare_due()
        self._send(due, raw, shrink)
        return bool(due)

    def _send(self, due: Sequence[Transaction], raw: Sequence[bytes], shrink: Shrink) -> None:
        if not due:
            return
        metrics.SENT.inc(len(due))
        errors = self._client.send_raw(raw)
        refused = [
            sent
            for sent, error in zip(due, errors, strict=True)
            if error is not None and refusal_of(error) is Refusal.NONCE_USED
        ]
        used_in = self._block_with_nonces(refused) if refused else None
        with self._database.session.begin() as session:
            transactions = TransactionRepository(session)
            transactions.mark_sent([sent.id for sent in due], self._database.clock.now())
            for sent, error in zip(due, errors, strict=True):
                if error is not None:
                    transaction = transactions.lock(sent.id)
                    if transaction.state is TransactionState.SIGNED:
                        self._handle_refusal(session, transaction, error, shrink, used_in)
            notify(session, Channel.SENT)

    def _prepare_due(self) -> tuple[list[Transaction], list[bytes]]:
        """The transactions that are due, with raised fees where necessary, and their bytes."""
        with self._database.session.begin() as session:
            overdue = self.overdue()
            transactions = TransactionRepository(session)
            self._sign_again(session)
            unmined = transactions.unmined(self.senders)
            stuck = [stored for stored in unmined if stored.sent_at is not None and stored.sent_at < overdue]
            self._raise_fees(session, stuck)
            due = [stored for stored in unmined if stored.sent_at is None or stored.sent_at < overdue]
            due = self._after_others(due, transactions.oldest_unsent_of_others(self.senders))
            session.flush()  # a raised fee has changed the bytes
            return due, transactions.raw_of(due) if due else []

    def _after_others(self, due: list[Transaction], unsent: int | None) -> list[Transaction]:
        """Those of the due that may go now. After a reorganisation every process sends again what fell out, and a batch may need a
        deposit that was signed before it: so that goes first, unless its process does not send it."""
        ready = [stored for stored in due if unsent is None or stored.id < unsent]
        if len(ready) == len(due):
            self._held_since = None
            return due
        now = self._database.clock.monotonic()
        if self._held_since is None:
            self._held_since = now
        return ready if now - self._held_since < _OTHERS_FIRST else due

    def _sign_again(self, session: Session) -> None:
        """Signs the transactions that have no bytes any more."""
        for transaction in TransactionRepository(session).without_bytes(self.senders):
            content = content_of(session, transaction, self._settings)
            block = self._client.call("eth_getBlockByNumber", "latest", False)
            gas = min(content.gas, int(block["gasLimit"], 16))
            self.replace(session, transaction, content.data, gas, self._fees.first())
        session.flush()

    def _raise_fees(self, session: Session, stuck: list[Transaction]) -> None:
        if self._fees.free:
            return
        for transaction in stuck:
            if not self._is_mined(session, transaction):
                self._raise_fee(session, transaction)

    def _raise_fee(self, session: Session, transaction: Transaction) -> None:
        assert transaction.raw is not None, "`_sign_again` has seen to that"
        fees = self._fees.raised(transaction.raw)
        if fees is None:
            log.warning("the fee is at its ceiling", hash=hex_of(transaction.hash), nonce=transaction.nonce)
            return
        before = decoded(transaction.raw)
        self.replace(session, transaction, bytes(before["data"]), before["gas"], fees)

    def _handle_refusal(
        self,
        session: Session,
        transaction: Transaction,
        error: ChainError,
        shrink: Shrink,
        used_in: UsedNonces | None,
    ) -> None:
        refusal = refusal_of(error)
        metrics.REFUSED.labels(refusal.name.lower()).inc()
        match refusal:
            case Refusal.KNOWN:
                pass
            case Refusal.NONCE_USED:
                self._abandon_if_replaced(session, transaction, used_in)
            case Refusal.TOO_CHEAP if not self._fees.free:
                self._raise_fee(session, transaction)
            case Refusal.TOO_LARGE if transaction.orders:
                shrink(session, transaction)
            case _:
                log.error("the node refused a transaction", hash=hex_of(transaction.hash), error=error.message)

    def _block_with_nonces(self, refused: Sequence[Transaction]) -> UsedNonces | None:
        """The projector's newest block, and those of these transactions whose nonces are used up to it; None where the node's chain
        lacks that block."""
        with self._database.reading() as session:
            last = BlockRepository(session).last()
        if last is None or self._client.block_hash(last.number) != last.hash:
            return None
        next_nonces = {
            sender: self._client.next_nonce(sender, hex(last.number)) for sender in {one.sender for one in refused}
        }
        return UsedNonces(
            last.number, last.hash, frozenset(one.id for one in refused if one.nonce < next_nonces[one.sender])
        )

    def _abandon_if_replaced(self, session: Session, transaction: Transaction, used_in: UsedNonces | None) -> None:
        """Abandons a transaction whose nonce another one has used. If it was this one, the projector will see it.

        A node may count a transaction a moment before it shows the block. So the projector's blocks decide: they used the nonce,
        and none of them contained this transaction. (The block must still be there: the node was asked before this began.)
        """
        if used_in is None or transaction.id not in used_in.transactions:
            return
        block = BlockRepository(session).by_number(used_in.block_number)
        if block is None or block.hash != used_in.block_hash:
            return
        self._asked.discard(transaction.sender)
        abandon_transaction(session, transaction)

    def _is_mined(self, session: Session, transaction: Transaction) -> bool:
        """Whether a block contains the transaction in its present version or in an earlier one."""
        hashes = [transaction.hash, *TransactionRepository(session).earlier_hashes(transaction.id)]
        receipts = self._client.batch([("eth_getTransactionReceipt", (hex_of(tx_hash),)) for tx_hash in hashes])
        for receipt in receipts:
            if isinstance(receipt, ChainError):
                raise receipt
        return any(receipt is not None for receipt in receipts)
