"""API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from clearing.kit.fields import MerchantId, Moment, NetworkText, Text
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
    expires_at: Moment | None = Field(
        default=None, description="when it ends by itself; if it is missing, with the key that makes it, or never"
    )
    networks: list[NetworkText] = Field(
        default=[],
        max_length=50,
        description="addresses and networks (CIDR) from which it may be used; none: as the key that makes it",
        examples=[["203.0.113.0/24", "2001:db8::/32"]],
    )
    reason: Reason | None = Field(default=None, description="for a key of the operator or the treasury: why")


class ApiKeyView(View):
    """An API key. `secret` is shown once, when the key is made."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret"})

    id: str
    role: Role
    merchant: str | None
    scopes: list[Scope]
    name: str
    parent: str | None = Field(description="the key that made it, with which it is revoked; null if no key did")
    created_by: str = Field(description="the actor that made it: a key, a person (`staff:...`) or a command")
    expires_at: datetime | None = Field(description="when it ends by itself; null: never")
    networks: list[str] = Field(description="where it may be used from; empty: from anywhere")
    secret: str | None = Field(default=None, examples=["tdk_01k..._5f3a..."])
    created_at: datetime
    last_used_at: datetime | None = Field(description="to the minute; null if it was never used")
    revoked_at: datetime | None
