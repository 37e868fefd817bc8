"""Merges of members."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from clearing.kit.fields import MemberName, Points, ProgramName, Reference, Word
from clearing.ordering.merges.models import MergeState
from gateway.api.movements.bodies import AuthorizationBody
from gateway.http.schemas import Body, View

WARNING = (
    "A merge cannot be undone. Once you confirm it, every id and number of `member` leads to `into`, and the points of all "
    "programs follow by transfers that each program's merchant signs."
)


class MergeCreate(Body):
    """Two members of yours that are one person."""

    member: MemberName = Field(description="the member that ends; its id and numbers will lead to the other one")
    into: MemberName = Field(description="the member that stays")


class MergeTransferCreate(Body):
    """A transfer that `accounts` of the merge says is due, signed by you."""

    program: ProgramName
    points: Points = Field(description="as many as `available` says, or fewer")
    reference: Reference = Field(description="as the account of the merge shows it")
    ref: Word | None = Field(default=None, description="salted hash of the reference, for the chain; zero if missing")
    authorization: AuthorizationBody | None = None


class MergeAccountView(View):
    """Points of the member that ends, in one program that you deal with."""

    program: str
    merchant: str = Field(description="whose program it is: that merchant signs the transfer")
    signed_by: Literal["gateway", "merchant"] = Field(
        description="`gateway`: it keeps the merchant's key and signs at once"
    )
    posted: int = Field(description="points that are still at the old address")
    available: int = Field(description="of them, those that the next transfer may move now")
    reference: str = Field(description="of the next transfer")


class MergeView(View):
    """Two members become one. `moving` lasts until no points are left at the old address."""

    id: str
    state: MergeState
    merchant: str = Field(description="who proposed it")
    member: str
    member_address: str | None = Field(description="where the points leave; null once the members were erased")
    into: str
    into_address: str | None = Field(description="where the points arrive")
    warning: str | None = Field(description="what you should know before you confirm", examples=[WARNING])
    accounts: list[MergeAccountView]
    created_at: datetime
    confirmed_at: datetime | None
    done_at: datetime | None
