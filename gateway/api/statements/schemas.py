"""Daily statements."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from gateway.http.schemas import View


class StatementLineView(View):
    """What entries of one kind, program and agreement did on the day."""

    kind: str = Field(examples=["exchange"])
    of: str | None = Field(description="the kind that a reversal reversed")
    program: str
    agreement: str | None
    count: int
    points: int
    out: int = Field(description="points given in the agreement's target program")
    received_micros: int
    paid_micros: int
    fees_paid_micros: int
    fees_received_micros: int


class StatementView(View):
    """A merchant's day: closing = opening + received - paid - fees paid + fees received + deposited - withdrawn."""

    id: str
    merchant: str
    day: date
    revision: int = Field(description="counts up when the chain changes a day that already had a statement")
    opening_micros: int
    closing_micros: int
    deposited_micros: int
    withdrawn_micros: int
    lines: list[StatementLineView]
    last_block: int
    created_at: datetime
