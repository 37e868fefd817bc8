"""Movements of points, as responses show them. Their request bodies follow from the kinds, see `bodies`."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.models import OrderState
from gateway.http.schemas import Hex, View


class MovementEntryView(View):
    """What the chain posted."""

    leaf: Hex
    batch: int
    index: int
    points: int
    out: int
    settled_micros: int
    fee_micros: int
    tx_hash: Hex
    block_number: int
    settled_at: datetime | None


class MovementView(View):
    """One instruction and what became of it."""

    id: str
    object: str = Field(json_schema_extra={"enum": [kind.noun for kind in KINDS]})
    order: str
    state: OrderState
    reason: str | None = Field(description="why it was rejected", examples=["insufficient_points"])
    merchant: str
    member: str | None
    program: str
    agreement: str | None
    points: int = Field(description="as asked for; `entry.points` is what moved")
    reference: str | None
    expires_on: date | None
    recipient: str | None = Field(description="of a transfer: the member to whom the points go")
    reverses: str | None = Field(description="of a reversal: the movement that it undoes, or a part of it")
    reversed_points: int = Field(description="points of it that reversals have undone or, pending, will undo")
    reversible_points: int = Field(description="points of it that can still be undone")
    created_at: datetime
    entry: MovementEntryView | None
