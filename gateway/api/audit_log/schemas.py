"""The audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.api.operations.schemas import ActorView
from gateway.http.schemas import View


class AuditView(View):
    """What somebody did to the network."""

    id: str = Field(description="of the event that records it")
    at: datetime
    actor: ActorView
    type: str = Field(examples=["merchant.credit_limit_requested"])
    subject: str = Field(description="what it was done to")
    merchant: str | None = Field(description="the merchant that it concerns; one of them, if it concerns several")
    data: dict[str, Any] = Field(description="what it was about: what is new, and what was `before`")
