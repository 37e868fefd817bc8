"""Holds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, create_model

from clearing.kit.fields import AgreementId, MemberCode, MemberName, Points, ProgramName, Reference
from clearing.ledger.availability.models import HoldState
from clearing.ordering.orders.kinds import KINDS
from gateway.api.movements.bodies import AuthorizationBody, one_of, request_fields
from gateway.http.schemas import Body, View


class HoldCreate(Body):
    """Points to set aside: of a program of yours, or of one that an agreement lets you draw on with the member's code.

    Name the agreement, or the program; beside the program `target_program`, if the hold will become an exchange.
    """

    program: ProgramName | None = None
    agreement: AgreementId | None = Field(default=None, description="the hold is bound to it, and so is its capture")
    target_program: ProgramName | None = None
    member: MemberName | None = None
    member_code: MemberCode | None = None
    points: Points
    expires_in: Annotated[int, Field(strict=True, ge=1, le=31_536_000, description="seconds")] = 900
    reference: Reference | None = None


class CaptureBody(Body):
    """What the hold becomes. The member, the program and, unless it is less, the points are the hold's."""

    kind: str
    points: Points | None = Field(default=None, description="all of the hold's, if it is missing; the rest is set free")
    authorization: AuthorizationBody | None = None

    def captured(self) -> dict[str, Any]:
        """What the body says beside the kind, the points and the signature."""
        own = set(type(self).model_fields) - {"kind", "points", "authorization"}
        return {name: value for name in sorted(own) if (value := getattr(self, name)) is not None}


def _captured_fields() -> dict[str, Any]:
    """The fields that some kind takes from whoever captures a hold; which kind takes which, the service knows."""
    found: dict[str, Any] = {}
    for kind in _CAPTURES:
        own = kind.captured_fields()
        found |= {name: field for name, field in request_fields(kind).items() if name in own}
    return found


_CAPTURES = [kind for kind in KINDS if kind.can_capture]

HoldCapture: type[CaptureBody] = create_model(
    "HoldCapture",
    __base__=CaptureBody,
    __doc__=CaptureBody.__doc__,
    kind=(one_of(*(kind.label for kind in _CAPTURES)), ...),
    **_captured_fields(),
)
"""`CaptureBody` with the fields of the kinds that a hold can become."""


class HoldView(View):
    """Points set aside. Only a pending hold can change."""

    id: str
    state: HoldState
    merchant: str
    member: str | None
    member_address: str = Field(description="the member on the chain: what an order that captures the hold must sign")
    program: str
    agreement: str | None = Field(description="the agreement to which the hold is bound; null for none")
    points: int
    captured: int = Field(description="of them, what its order asked for")
    order: str | None = Field(description="what it became")
    movement: str | None
    reference: str | None
    taken_on: date = Field(
        description="the network's day on which it was taken: points that were alive on that day are captured first"
    )
    expires_at: datetime
    ended_at: datetime | None
    created_at: datetime
