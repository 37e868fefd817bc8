"""Programs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from clearing.kit.fields import MerchantId, ProgramCode, Text
from clearing.parties.programs.models import ProgramStatus
from gateway.http.schemas import Body, View


class ProgramCreate(Body):
    """A points currency to start."""

    merchant: MerchantId
    code: ProgramCode
    name: Annotated[Text, Field(min_length=1, max_length=32, description="at most 32 bytes of UTF-8")]
    default_lifetime_days: Annotated[int, Field(strict=True, ge=1, le=65_535)] | None = None


class ProgramView(View):
    """A points currency."""

    id: str
    number: int = Field(description="its number on chain")
    merchant: str
    code: str
    name: str
    status: ProgramStatus
    default_lifetime_days: int | None
    issuance_cap: int | None = Field(description="the most points that it issues in a network day; null: any number")
    next_issuance_cap: int | None = Field(
        description="what counts in its place from `next_issuance_cap_from` on; null: any number"
    )
    next_issuance_cap_from: date | None = Field(description="null: nothing is to follow")
    created_at: datetime
