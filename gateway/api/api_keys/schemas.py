"""API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from clearing.kit.fields import MerchantId, Text
from clearing.parties.access.models import Role
from clearing.parties.access.service import Scope
from gateway.api.approvals.schemas import Reason
from gateway.http.schemas import Body, View


class ApiKeyCreate(Body):
    """A key to make."""

    role: Role = Role.MERCHANT
    merchant: MerchantId | None = Field(default=None, description="whose key it will be; your own, if it is missing")
    scopes: list[Scope] = Field(default=[], max_length=20)
    name: Annotated[Text, Field(max_length=60, description="what you call it, such as the till that has it")] = ""
    reason: Reason | None = Field(default=None, description="for a key of the operator or the treasury: why")


class ApiKeyView(View):
    """An API key. `secret` is shown once, when the key is made."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret"})

    id: str
    role: Role
    merchant: str | None
    scopes: list[Scope]
    name: str
    secret: str | None = Field(default=None, examples=["tdk_01k..._5f3a..."])
    created_at: datetime
    last_used_at: datetime | None = Field(description="to the minute; null if it was never used")
    revoked_at: datetime | None
