"""Members and their accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StrictBool, model_validator

from clearing.kit.fields import ExternalId, MemberId, MemberName, Text
from gateway.api.closings import ClosingView
from gateway.http.schemas import Body, View

Reissue = Annotated[
    StrictBool, Field(description="give an id out again that you have retired: a card with the number of a lost one")
]


class MemberCreate(Body):
    """A customer to register under your own number. With a link code: one that another merchant has registered. With
    `member`: one whose points you have received, from whatever merchant."""

    external_id: ExternalId
    link_code: Annotated[Text, Field(min_length=1, max_length=40)] | None = None
    member: MemberId | None = Field(
        default=None, description="the `member` of a movement in which you have received points"
    )
    reissue: Reissue = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.link_code is not None and self.member is not None:
            raise ValueError("give link_code or member, not both")
        return self


class MembersRegister(Body):
    """Customers to register under your own numbers: 1 to 500 of them."""

    external_ids: Annotated[list[ExternalId], Field(min_length=1, max_length=500)]


class MembersLookup(Body):
    """Members to find: 1 to 500 of them."""

    members: Annotated[list[MemberName], Field(min_length=1, max_length=500)]


class ExternalIdAdd(Body):
    """A further number of yours for a member: a second card."""

    external_id: ExternalId
    reissue: Reissue = False


class FreezeCreate(Body):
    """Why the member is frozen. The reason is shown to those that see the freeze."""

    reason: Annotated[Text, Field(min_length=1, max_length=200, examples=["card reported stolen"])]


class MemberErase(Body):
    """Whether the member gives its points up. Without that, a member with points is not erased."""

    forfeit_points: StrictBool = False


class ForfeitView(View):
    """Points that an erased member gave up. They stay on the chain, out of reach, until they expire."""

    program: str
    points: int


class ErasureView(View):
    """What was erased."""

    member: str
    complete: bool = Field(
        description="true: nobody in the network knows the member any more; false: other merchants do"
    )
    forfeited: list[ForfeitView] = Field(description="points that are out of reach now, in programs that you deal with")


class FreezeView(View):
    """Somebody's word that this member's points must not be taken."""

    merchant: str = Field(description="who froze the member; the network's own merchant stands for everybody")
    reason: str
    created_at: datetime


class MemberView(View):
    """A customer."""

    id: str
    external_id: str | None = Field(description="the caller's own number for the member; the oldest of several")
    external_ids: list[str] = Field(description="all of the caller's own numbers for the member, oldest first")
    address: str = Field(description="the pseudonym on chain")
    state: Literal["active", "frozen"] = Field(description="a frozen member's points cannot be taken")
    freezes: list[FreezeView] = Field(description="the network's freeze and the caller's own; all, for the operator")
    merged: list[str] = Field(description="ids of members that were merged into this one, and lead to it")
    created_at: datetime


class LinkCodeView(View):
    """A one-time code. Only the first response shows it: a repeated one has null."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"code"})

    code: str | None
    expires_at: datetime


class AccountView(View):
    """A member's balance in a program."""

    member: str | None = Field(description="null for an address whose member was erased")
    program: str
    posted: int
    reserved: int
    available: int


class ClosingAccountView(ClosingView):
    """A member's balance in a program at the end of a day (`as_of`): what the chain had posted. What was pending is not kept."""

    member: str | None = Field(description="null for an address whose member was erased")
    program: str
    posted: int
