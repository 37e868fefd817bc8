"""Batches."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from gateway.http.schemas import Hex, View


class BatchView(View):
    """A batch, as the chain closed it. Its entries: `GET /v1/entries?batch=`."""

    number: int
    block_number: int
    block_at: datetime | None = Field(description="the block's time")
    tx_hash: Hex
    root: Hex = Field(description="of the Merkle tree whose leaves are the batch's entries")
    head: Hex = Field(description="of the chain of roots, with this one")
    orders: int | None = Field(description="how many orders it carried; null if it was sent past this gateway")
    entries: int
    gas_used: int
