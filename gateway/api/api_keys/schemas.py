"""API keys."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from clearing.kit.fields import MerchantId
from clearing.parties.access.models import Role
from clearing.parties.access.service import Scope
from gateway.http.schemas import Body, View


class ApiKeyCreate(Body):
    """A key to make."""

    role: Role = Role.MERCHANT
    merchant: MerchantId | None = Field(default=None, description="whose key it will be; your own, if it is missing")
    scopes: list[Scope] = Field(default=[], max_length=20)


class ApiKeyView(View):
    """An API key. `secret` is shown once, when the key is made."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret"})

    id: str
    role: Role
    merchant: str | None
    scopes: list[Scope]
    secret: str | None = Field(default=None, examples=["tdk_01k..._5f3a..."])
    created_at: datetime
    revoked_at: datetime | None
