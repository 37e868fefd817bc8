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
        keys = newest_first(select(Batch.number), Batch.number, after, limit).subquery("page")
        return self._closed(select(Batch.number).join(keys, keys.c.number == Batch.number))

    def by_number(self, number: int) -> ClosedBatch | None:
        """The batch with this number."""
        return next(iter(self._closed(select(Batch.number).where(Batch.number == number))), None)

    def _closed(self, numbers: Select[int]) -> Sequence[ClosedBatch]:
        query = (
            numbers.with_only_columns(Batch, Block.timestamp, Transaction.orders)
            .outerjoin(Block, Block.number == Batch.block_number)
            .outerjoin(Transaction, Transaction.hash == Batch.tx_hash)
            .order_by(Batch.number.desc())
        )
        return [ClosedBatch(*row) for row in self._session.execute(query)]
