"""Puts orders into batches and batches onto the chain. Privileged calls are other keys' business: see `privileged_calls`.

A transaction is stored with its bytes before it is sent. After a crash the same bytes are sent again, so the worst that can
happen is that a node gets them twice. `Sequencer.step()` does one bounded piece of work; tests call it between crashes.
"""

from __future__ import annotations

from clearing.chain.client import ChainClient
from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.role_keys import RoleKeys
from clearing.kit.wakeups.channels import Channel, Pause
from clearing.pipeline.batching import BatchSigner
from clearing.pipeline.outbox import Outbox
from clearing.pipeline.repository import PendingWork, TransactionRepository
from clearing.pipeline.unsent_orders import expire_late_orders


class Sequencer:
    """The one process that sends batches. Whoever runs it holds the leadership first."""

    def __init__(self, database: Database, client: ChainClient, settings: Settings, keys: RoleKeys) -> None:
        self._database = database
        self._settings = settings
        self._outbox = Outbox(database, client, settings, keys, ["sequencer"])
        self._batches = BatchSigner(database, client, settings, keys, self._outbox)
        self._address = keys.signer("sequencer").address

    def step(self) -> bool:
        """Expires late orders, signs the next batch, sends what is due. False when there was nothing to do."""
        pending = self._look()
        worked = False
        if pending.late:
            worked |= self.expire_late_orders()
        worked |= self._batches.sign_next(pending)
        if pending.transactions:
            worked |= self.send_due()
        elif worked:
            self._outbox.send_signed(self._batches.shrink)
        return worked

    def pause(self, *, worked: bool, woken: bool) -> Pause:  # noqa: ARG002 (it finds at once what woke it)
        """What to wait for after a step: a request, or a decision that lets another batch go. Nothing, while there is work."""
        if worked:
            return Pause(0)
        default = Pause(self._settings.poll_interval, (Channel.REQUESTED, Channel.DECIDED))
        return self._batches.pause() or default

    def expire_late_orders(self) -> bool:
        """Ends the accepted orders whose deadline has passed. False when there were none."""
        with self._database.session.begin() as session:
            return expire_late_orders(session)

    def sign_batch(self) -> bool:
        """Stores the next batch as a signed transaction. False when there is none to make yet."""
        return self._batches.sign_next(self._look())

    def send_due(self) -> bool:
        """Sends the transactions that were never sent, and those sent a while ago that no block contains."""
        return self._outbox.send_due(self._batches.shrink)

    def _look(self) -> PendingWork:
        with self._database.reading() as session:
            return TransactionRepository(session).pending_work(
                self._address,
                clock_of(session).unix(),
                self._outbox.overdue(),
                self._batches.capacity.limit,
                self._batches.newest_seen,
            )
