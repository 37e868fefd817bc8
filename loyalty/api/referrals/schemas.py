"""How referral schemes, codes and referrals are written and shown."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from loyalty.api.fields import Body, View
from loyalty.api.plan_fields import PlanView, Program
from loyalty.referrals.models import KeptReferralScheme

ReferralCodeText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=12)]
Device = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class NewReferralScheme(Body):
    """A version of a referral scheme, and the program whose points it gives."""

    program: Program = Field(examples=["FUEL"])
    scheme: dict[str, Any] = Field(description="the scheme, as docs/loyalty-referrals.md describes it")


class ReferralSchemeView(PlanView):
    """A version of a referral scheme."""

    program: str


class ReferralSchemeDetailView(ReferralSchemeView):
    """A version of a referral scheme with what it gives."""

    scheme: dict[str, Any]

    @classmethod
    def whole(cls, kept: KeptReferralScheme) -> ReferralSchemeDetailView:
        """The view of a row, with what it gives."""
        return cls.of(kept, scheme=json.loads(kept.content))


class ReferralCodeView(View):
    """The code that a customer hands on."""

    code: str
    created_at: datetime


class NewReferral(Body):
    """Who brought a newcomer."""

    newcomer: str = Field(description="the newcomer's id")
    code: ReferralCodeText
    device: Device | None = Field(default=None, description="what the newcomer's device calls itself; kept as a hash")


class ReferralView(View):
    """One customer brought another one."""

    id: str
    newcomer_id: str
    referrer_id: str
    scheme: str
    created_at: datetime
