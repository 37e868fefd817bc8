"""Movements of points, as responses show them. Their request bodies follow from the kinds, see `bodies`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import Field

from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.models import Direction, OrderState
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
    """One instruction and what became of it, as you may see it. Both sides see the same movement."""

    id: str
    object: str = Field(json_schema_extra={"enum": [kind.noun for kind in KINDS]})
    order: str = Field(description="only the signer may open it")
    state: OrderState
    reason: str | None = Field(description="why it was rejected", examples=["insufficient_points"])
    direction: Direction | None = Field(
        description="of your points: `out` if you give, `in` if you receive; null if they stay in your program"
    )
    merchant: str = Field(description="who signed it")
    giver: str | None = Field(description="the merchant whose points go; null where they come out of nothing")
    receiver: str | None = Field(
        description="the merchant whose points come, or who takes them for goods; null where they end"
    )
    counterparty: str | None = Field(description="the other merchant")
    member: str | None = Field(description="the member; if you do not know it yet, you can register it by this id")
    external_id: str | None = Field(description="your own number for the member; null if you do not know the member")
    program: str = Field(description="the program whose points `points` counts", examples=["FUEL"])
    source_program: str | None = Field(description="the program that points leave", examples=["FUEL"])
    target_program: str | None = Field(description="the program that points enter", examples=["CINE"])
    agreement: str | None
    points: int = Field(description="as asked for; `entry.points` is what moved")
    reference: str | None = Field(description="the signer's document number; only the signer sees it")
    metadata: dict[str, Any] | None = Field(
        description="what the signer keeps beside it; null for everybody else, and in events"
    )
    expires_on: date | None
    recipient: str | None = Field(description="of a transfer: the member to whom the points go")
    reverses: str | None = Field(description="of a reversal: the movement that it undoes, or a part of it")
    reversed_points: int = Field(description="points of it that reversals have undone or, pending, will undo")
    reversible_points: int = Field(description="points of it that can still be undone")
    created_at: datetime
    entry: MovementEntryView | None
