"""Positions and money at the settlement bank."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from clearing.kit.fields import MerchantId, Micros, Text
from clearing.ledger.settlement.models import BankMovementState
from gateway.api.approvals.schemas import Reason
from gateway.api.closings import ClosingView
from gateway.http.schemas import Body, View

BankReference = Annotated[Text, Field(min_length=1, max_length=140)]


class BankMovementCreate(Body):
    """Money that came in or will go out."""

    merchant: MerchantId
    micros: Micros
    bank_reference: Annotated[BankReference, Field(description="it can be booked once")]
    reason: Reason


class BankMovementView(View):
    """Money at the settlement bank."""

    id: str
    object: Literal["deposit", "withdrawal"]
    merchant: str
    micros: int
    bank_reference: str
    state: BankMovementState
    created_at: datetime


class PositionView(View):
    """A merchant's net settlement balance."""

    merchant: str
    position_micros: int
    credit_limit_micros: int
    reserved_micros: int = Field(description="what pending orders and withdrawals will take")
    liquidity_micros: int = Field(description="position + credit limit - reserved: what it can still pay")


class ClosingPositionView(ClosingView):
    """A merchant's net settlement balance at the end of a day (`as_of`). What was pending, and the credit limit, are not kept."""

    merchant: str
    position_micros: int
