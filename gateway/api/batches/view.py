"""Batches as the API shows them."""

from __future__ import annotations

from clearing.kit.identity import instant
from clearing.oversight.batches.facts import ClosedBatch
from gateway.api.batches.schemas import BatchView


def batch_view(closed: ClosedBatch) -> BatchView:
    """A batch with its block and its transaction."""
    batch = closed.batch
    return BatchView(
        number=batch.number,
        block_number=batch.block_number,
        block_at=None if closed.timestamp is None else instant(closed.timestamp),
        tx_hash=batch.tx_hash,
        root=batch.root,
        head=batch.head,
        orders=closed.orders,
        entries=batch.entries,
        gas_used=batch.gas_used,
    )
