"""Members and their accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from clearing.kit.fields import Text
from gateway.http.schemas import Body, View


class MemberCreate(Body):
    """A customer to register under your own number. With a link code: one that another merchant has registered."""

    external_id: Annotated[Text, Field(min_length=1, max_length=128, examples=["8620017"])]
    link_code: Annotated[Text, Field(min_length=1, max_length=40)] | None = None


class MemberView(View):
    """A customer."""

    id: str
    external_id: str | None = Field(description="the caller's own number for the member")
    address: str = Field(description="the pseudonym on chain")
    created_at: datetime


class LinkCodeView(View):
    """A one-time code. Only the first response shows it: a repeated one has null."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"code"})

    code: str | None
    expires_at: datetime


class AccountView(View):
    """A member's balance in a program."""

    member: str
    program: str
    posted: int
    reserved: int
    available: int
