"""Rules of batches: everyone may see them, for the chain shows them to anyone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing.kit.errors import NotFound
from clearing.oversight.batches.facts import ClosedBatch
from clearing.oversight.batches.repository import ClosedBatchRepository


class BatchService:
    """Batches in one session. Reads only."""

    def __init__(self, session: Session) -> None:
        self._batches = ClosedBatchRepository(session)

    def list(self, *, after: int | None, limit: int) -> Sequence[ClosedBatch]:
        """Batches newest first; `after` is the number of the last one of the page before."""
        return self._batches.list(after, limit)

    def one(self, number: int) -> ClosedBatch:
        """The batch with this number, or NotFound."""
        found = self._batches.by_number(number)
        if found is None:
            raise NotFound(f"there is no batch {number}")
        return found
