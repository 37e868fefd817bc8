"""Member codes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from clearing.kit.fields import MemberCode, MerchantId, Points, ProgramName
from clearing.parties.codes.models import MemberCodeState
from gateway.http.schemas import Body, View


class MemberCodeCreate(Body):
    """What the member agrees to: that another merchant draws on its points, once."""

    points: Annotated[Points, Field(description="the ceiling", examples=[1_000])]
    program: ProgramName | None = Field(
        default=None, description="one program of yours; any of yours, if it is missing"
    )
    merchant: MerchantId | None = Field(
        default=None, description="the only merchant that may present it; any, if it is missing"
    )
    expires_in: Annotated[int, Field(strict=True, ge=60, le=600, description="seconds")] = 300


class MemberCodeLookup(Body):
    """A code that a member has shown you, and what you want to draw on with it."""

    member_code: MemberCode
    program: ProgramName
    points: Points


class MemberCodeView(View):
    """A member's consent. Only the first response shows the code: a repeated one, and a GET, have null."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"code", "qr", "qr_svg"})

    id: str
    member: str
    state: MemberCodeState
    code: str | None = Field(default=None, description="to be read out or typed", examples=["K7Q2M-9XD4R"])
    qr: str | None = Field(
        default=None,
        description="what its QR code says; a till may present it as it is",
        examples=["tongdui:code:K7Q2M9XD4R"],
    )
    qr_svg: str | None = Field(default=None, description="the QR code as an image (SVG), for the member's screen")
    points: int = Field(description="the ceiling")
    program: str | None
    merchant: str | None = Field(description="the only merchant that may present it; null: any")
    used_by: str | None = Field(description="the merchant that presented it")
    used_points: int | None
    used_for: str | None = Field(description="the hold or movement that it became")
    used_at: datetime | None
    expires_at: datetime
    created_at: datetime
