"""What there is to know of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.ledger.journal.models import Batch


@dataclass(frozen=True, slots=True)
class ClosedBatch:
    """A batch with what surrounds it."""

    batch: Batch
    timestamp: int | None
    """Of its block, in Unix seconds."""
    orders: int | None
    """How many orders its transaction carried; None where this network did not send it."""
