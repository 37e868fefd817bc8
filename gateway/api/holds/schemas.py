"""Holds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from clearing.ordering.holds.models import HoldState
from clearing.ordering.orders.requests import InstructionRequest
from gateway.api.movements.schemas import AuthorizationBody
from gateway.http.schemas import MAX_SAFE, Body, Id, MemberName, Points, ProgramName, Reference, View, Word
from tongdui.encoding import bytes_of
from tongdui.orders import Kind

_KINDS = {"redeem": Kind.REDEEM, "exchange": Kind.EXCHANGE}


class HoldCreate(Body):
    """Points of a program of yours to set aside."""

    program: ProgramName
    member: MemberName
    points: Points
    expires_in: Annotated[int, Field(strict=True, ge=1, le=31_536_000, description="seconds")] = 900
    reference: Reference | None = None


class HoldCapture(Body):
    """What the hold becomes. The member, the program and, unless it is less, the points are the hold's."""

    kind: Literal["redeem", "exchange"]
    points: Points | None = Field(default=None, description="all of the hold's, if it is missing; the rest is set free")
    agreement: Id | None = None
    target_program: ProgramName | None = None
    min_out: Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE)] | None = None
    reference: Reference | None = None
    ref: Word | None = Field(default=None, description="salted hash of the reference, for the chain; zero if missing")
    authorization: AuthorizationBody | None = None

    def request(self, points: int) -> InstructionRequest:
        """What the service takes."""
        return InstructionRequest(
            _KINDS[self.kind],
            "",
            self.points or points,
            agreement=self.agreement,
            target_program=self.target_program,
            min_out=self.min_out,
            reference=self.reference,
            ref=bytes_of(self.ref) if self.ref else None,
        )


class HoldView(View):
    """Points set aside. Only a pending hold can change."""

    id: str
    state: HoldState
    merchant: str
    member: str | None
    program: str
    points: int
    captured: int = Field(description="of them, what its order asked for")
    order: str | None = Field(description="what it became")
    movement: str | None
    reference: str | None
    expires_at: datetime
    ended_at: datetime | None
    created_at: datetime
