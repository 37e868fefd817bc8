"""Merchants."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StrictBool, model_validator

from clearing.kit.fields import MicrosOrZero, Text
from clearing.parties.merchants.models import MerchantStatus
from gateway.api.approvals.schemas import Reason
from gateway.http.schemas import Body, View


class MerchantCreate(Body):
    """A merchant to onboard, with its own signer key or a managed one."""

    name: Annotated[Text, Field(min_length=1, max_length=32, description="at most 32 bytes of UTF-8")]
    signer_address: Annotated[str, Field(max_length=42)] | None = None
    managed_key: StrictBool = False

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.signer_address is not None) == self.managed_key:
            raise ValueError('give exactly one of signer_address and "managed_key": true')
        return self


class CreditLimitChange(Body):
    """How far below zero a position may go."""

    credit_limit_micros: MicrosOrZero
    reason: Reason


class SignerView(View):
    """The key that signs for a merchant."""

    address: str
    managed: bool = Field(description="the gateway keeps the key")


class MerchantView(View):
    """A legal entity in the network."""

    id: str
    number: int = Field(description="its number on chain")
    name: str
    status: MerchantStatus
    signer: SignerView | None
    created_at: datetime
