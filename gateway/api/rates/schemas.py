"""The network's rates as a graph."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from gateway.api.agreements.schemas import KindName
from gateway.http.schemas import View


class RateNodeView(View):
    """A program, whose points become others."""

    program: str = Field(examples=["FUEL"])
    name: str
    merchant: str
    merchant_name: str


class RateEdgeView(View):
    """A live agreement: one point of the source program gives `rate_num`/`rate_den` points of the target program."""

    agreement: str
    kind: KindName
    source_program: str
    target_program: str | None = Field(description="null for an acceptance, which gives goods")
    source_merchant: str
    target_merchant: str
    rate_num: int
    rate_den: int
    unit_price_micros: int
    fee_bps: int
    ends_at: datetime


class RatesView(View):
    """Programs, and the live agreements between them that you may see."""

    nodes: list[RateNodeView]
    edges: list[RateEdgeView]
