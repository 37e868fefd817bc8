"""Sends transactions with a key that is here, one after the other: for whoever has no outbox in a database.

Every version of a transaction has the first nonce that no block has used, and nothing is sent while an earlier transaction of the
key waits that cannot be outbid. So a sender that was killed anywhere may begin again: of all that it has ever signed under a nonce,
the chain takes one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_utils.address import to_checksum_address

from clearing.chain.client import ChainClient, Receipt
from clearing.chain.fees import Fees, decoded
from clearing.chain.node_errors import Refusal, refusal_of
from clearing.chain.transactions import sign_transaction
from clearing.kit.signing.signer import Signer
from tongdui.encoding import hex_of, keccak256

_RAISE_AFTER = 10.0
"""Seconds after which a transaction that waits is replaced by one that pays more."""
_LOOK_EVERY = 0.02
_PATIENCE = 120.0


class CannotSend(Exception):
    """A transaction cannot be brought into a block; the message says why, and what to do about it."""


def _not_announced(_tx_hash: bytes) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A transaction to be: its recipient (None creates a contract), its calldata and its gas."""

    to: str | None
    data: bytes
    gas: int
    is_done: Callable[[], bool]
    """Whether the newest block shows its effect."""
    announce: Callable[[bytes], None] = field(default=_not_announced)
    """Told the hash of what was signed, before it is sent for the first time."""


class Sender:
    """Sends transactions of one key, each until its effect is on the chain."""

    def __init__(self, client: ChainClient, signer: Signer, fees: Fees, *, owner: str) -> None:
        """`owner` is how messages call the account, such as `admin`."""
        self._client = client
        self._signer = signer
        self._address = to_checksum_address(signer.address)
        self._fees = fees
        self._name = f"{owner} account {self._address}"
        self._chain_id = client.chain_id()

    @property
    def address(self) -> str:
        """Of the key, checksummed."""
        return str(self._address)

    def check_funds(self, gas: int) -> None:
        """Refuses fees that the chain does not take (FeesTooLow), and an account that cannot pay for so much gas (CannotSend)."""
        price = self._fees.most()
        balance, needed = self._client.balance(self._address), gas * price
        if balance < needed:
            raise CannotSend(
                f"the {self._name} has {balance} wei and needs {needed} wei, for {gas} gas at up to "
                f"{price} wei; send it at least {needed - balance} wei and run the same command again"
            )

    def send(self, sending: Sending, *, patience: float | None = None) -> Receipt | None:
        """Sends a transaction until a block contains it, for higher fees from time to time; its receipt.

        None where its effect was there before it was sent: an earlier run's transaction, or somebody else's, has brought it. Raises
        CannotSend where it has no effect, or is in no block after `patience` seconds.
        """
        patience = _PATIENCE if patience is None else patience
        deadline = time.monotonic() + patience
        while True:
            self._let_earlier_through(deadline, patience)
            if sending.is_done():
                return None
            receipt = self._send_once(sending, deadline, patience)
            if receipt is not None:
                return self._checked(receipt, sending)
            # Another transaction of the key has taken the nonce: perhaps to the same effect.
            if time.monotonic() > deadline:
                raise CannotSend(f"somebody else sends transactions of the {self._name}; run the same command again")

    def _let_earlier_through(self, deadline: float, patience: float) -> None:
        """Where gas is free nobody can be outbid, so whatever the key has sent before comes first."""
        address = self._address
        while self._fees.free and self._client.next_nonce(address, "pending") > self._client.next_nonce(address):
            if time.monotonic() > deadline:
                raise CannotSend(
                    f"a transaction that the {self._name} has sent before is in no block after {patience:g} s, and where gas is "
                    "free it cannot be outbid; see whether the chain makes blocks, and run the same command again"
                )
            time.sleep(_LOOK_EVERY)

    def _send_once(self, sending: Sending, deadline: float, patience: float) -> Receipt | None:
        """Sends under the next nonce until a block has used it; None if it was not with this."""
        nonce = self._client.next_nonce(self._address)
        raw = self._signed(nonce, sending.to, sending.data, sending.gas, self._fees.first())
        sending.announce(keccak256(raw))
        raw = self._offer(raw)
        versions = [raw]
        raise_at = time.monotonic() + _RAISE_AFTER
        while self._client.next_nonce(self._address) == nonce:
            if time.monotonic() > deadline:
                raise CannotSend(
                    f"transaction {hex_of(keccak256(raw))} of the {self._name} is in no block after {patience:g} s; see "
                    "whether the chain makes blocks, and run the same command again: it goes on from here"
                )
            if time.monotonic() > raise_at:
                raw = self._offer(self._raised(raw) or raw)
                versions.append(raw)
                raise_at = time.monotonic() + _RAISE_AFTER
            time.sleep(_LOOK_EVERY)
        return next((found for version in versions if (found := self._client.receipt(keccak256(version)))), None)

    def _checked(self, receipt: Receipt, sending: Sending) -> Receipt:
        if not receipt.succeeded or not sending.is_done():
            raise CannotSend(
                f"transaction {hex_of(receipt.tx_hash)} of the {self._name} changed nothing: "
                + ("something else has undone it" if receipt.succeeded else "it was reverted")
            )
        return receipt

    def _offer(self, raw: bytes) -> bytes:
        """Sends the bytes; others with higher fees, where an earlier run's transaction is in the way. The bytes that were taken."""
        while True:
            (error,) = self._client.send_raw([raw])
            refusal = refusal_of(error) if error is not None else Refusal.KNOWN
            if error is None or refusal in (Refusal.KNOWN, Refusal.NONCE_USED):
                return raw
            higher = self._raised(raw) if refusal is Refusal.TOO_CHEAP else None
            if higher is None:
                raise error
            raw = higher

    def _raised(self, raw: bytes) -> bytes | None:
        """The same transaction for higher fees; None where these would be over the ceiling."""
        fees = self._fees.raised(raw)
        if fees is None:
            return None
        before = decoded(raw)
        to = hex_of(before["to"]) if before["to"] else None
        return self._signed(before["nonce"], to, bytes(before["data"]), before["gas"], fees)

    def _signed(self, nonce: int, to: str | None, data: bytes, gas: int, fees: dict[str, Any]) -> bytes:
        signed = sign_transaction(
            self._signer, chain_id=self._chain_id, nonce=nonce, to=to, data=data, gas=gas, fees=fees
        )
        return signed.raw
