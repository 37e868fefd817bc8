"""SQL of batches with their blocks and transactions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from clearing.kit.paging import newest_first
from clearing.ledger.journal.models import Batch, Block
from clearing.oversight.batches.facts import ClosedBatch
from clearing.pipeline.models import Transaction


class ClosedBatchRepository:
    """Batches in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, after: int | None, limit: int) -> Sequence[ClosedBatch]:
        """Batches newest first, before number `after`."""
        return self._closed(newest_first(_BATCHES, Batch.number, after, limit))

    def by_number(self, number: int) -> ClosedBatch | None:
        """The batch with this number."""
        return next(iter(self._closed(_BATCHES.where(Batch.number == number))), None)

    def _closed(self, query: Select[Batch, int, int]) -> Sequence[ClosedBatch]:
        return [ClosedBatch(*row) for row in self._session.execute(query)]


_BATCHES = (
    select(Batch, Block.timestamp, Transaction.orders)
    .outerjoin(Block, Block.number == Batch.block_number)
    .outerjoin(Transaction, Transaction.hash == Batch.tx_hash)
)
