"""Quotes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from clearing.kit.fields import Id, MemberName, Points, ProgramName
from gateway.http.schemas import Body, View


class QuoteCreate(Body):
    """An exchange to price: by agreement, or by the agreement in force between two programs."""

    agreement: Id | None = None
    source_program: ProgramName | None = None
    target_program: ProgramName | None = None
    points: Points
    member: MemberName | None = Field(default=None, description="if given, the member's balance is checked, too")


class QuoteView(View):
    """What an exchange gives, locked until it expires."""

    id: str
    agreement: str
    points: int
    points_burnt: int
    out: int
    settled_micros: int
    fee_micros: int
    rate_num: int
    rate_den: int
    expires_at: datetime
