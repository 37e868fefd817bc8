"""The network itself."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from gateway.http.schemas import View


class NetworkView(View):
    """What signatures are bound to, and the network's day."""

    chain_id: int
    contract: str
    currency: str
    utc_offset_seconds: int
    today: date
    minimum_fee_bps: int = Field(description="the least `fee_bps` of a new agreement")
    rpc_hint: str | None = Field(
        description="a chain node that the operator lets everybody use; to check receipts, better take one that you trust"
    )
