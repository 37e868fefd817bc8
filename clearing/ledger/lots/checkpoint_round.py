"""Keeps the checkpoints of addresses whose lots would otherwise be replayed from far back. Nothing but speed depends on it."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from sqlalchemy.orm import Session

from clearing.kit.database import Database
from clearing.kit.rollbacks import transact
from clearing.ledger.lots.checkpoints import Checkpoint
from clearing.ledger.lots.repository import LotRepository

_LONG = 64
"""Fewer entries than this are replayed quickly, without a checkpoint."""
_ADDRESSES = 50
"""In one transaction."""
_BATCHES = 2_000
"""Looked through for busy addresses at a time."""


class CheckpointRound:
    """Writes checkpoints, in transactions of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self) -> int:
        """One round over the batches since the last one. A sample of their entries says whose checkpoints to write: whoever has
        many entries is in it every now and then, so that no replay is long. Returns how many addresses it looked after."""
        looked_after = 0
        while True:
            with self._database.reading() as session:
                lots = LotRepository(session)
                after, newest = lots.cursor(), lots.newest_batch()
                up_to = min(after + _BATCHES, newest)  # less than before, where batches fell out of the chain
                addresses = lots.sampled(after, up_to)
            if up_to == after:
                return looked_after
            self.bring_up_to_date(addresses)
            looked_after += len(addresses)
            with self._database.session.begin() as session:
                LotRepository(session).set_cursor(up_to)

    def shorten(self, addresses: Collection[str]) -> None:
        """Writes the checkpoints of those of these addresses that have many entries which their checkpoints lack."""
        with self._database.reading() as session:
            long = LotRepository(session).with_long_histories(addresses, _LONG)
        self.bring_up_to_date(long)

    def bring_up_to_date(self, addresses: Collection[str]) -> None:
        """Writes the checkpoints of these addresses, as of the newest batch."""
        ordered = sorted(addresses)
        for begin in range(0, len(ordered), _ADDRESSES):
            transact(self._database, partial(write_checkpoints, addresses=ordered[begin : begin + _ADDRESSES]))


def write_checkpoints(session: Session, addresses: Collection[str]) -> None:
    """Writes the checkpoints of these addresses in the caller's transaction, which has done nothing yet."""
    lots = LotRepository(session)
    newest = lots.lock_newest_batch()
    if newest is not None:
        replay = lots.history(addresses, newest).replay()
        checkpoints = [Checkpoint.of(replay, address, last) for address, last in sorted(replay.last_batches.items())]
        lots.save(checkpoints, replay.draws.values())
