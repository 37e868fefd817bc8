"""Quotes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from clearing.kit.fields import AgreementId, MemberName, MerchantId, Points, ProgramName
from gateway.http.schemas import Body, View


class QuoteCreate(Body):
    """An exchange or a spend to price: by agreement, or by the one in force for a program and its target.

    With `target_program` it is an exchange. With `target_merchant` it is a spend; an acceptor need not name itself.
    """

    agreement: AgreementId | None = None
    source_program: ProgramName | None = None
    target_program: ProgramName | None = None
    target_merchant: MerchantId | None = None
    points: Points
    member: MemberName | None = Field(default=None, description="if given, the member's balance is checked, too")


class QuoteView(View):
    """What an exchange or a spend gives, locked until it expires."""

    id: str
    agreement: str
    points: int = Field(description="source points, as asked for")
    points_burnt: int = Field(description="source points that it takes; the rest stays with the member")
    out: int = Field(description="target points that the member gets; 0 for a spend")
    settled_micros: int = Field(description="what the source merchant pays the target merchant")
    fee_micros: int = Field(description="what the source merchant pays the operator on top")
    rate_num: int = Field(description="target points ...")
    rate_den: int = Field(description="... for so many source points")
    expires_at: datetime
