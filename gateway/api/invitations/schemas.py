"""Invitations: offers of a seat."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from clearing.kit.fields import MerchantId, Text
from clearing.kit.mail.models import MailState
from clearing.parties.access.service import Scope
from clearing.parties.staff.emails import Email
from clearing.parties.staff.models import Language
from clearing.parties.staff.titles import Title
from gateway.api.approvals.schemas import Reason
from gateway.api.profile.schemas import NewPassword
from gateway.api.sessions.schemas import Name, OneTimeCode, RecoveryCode
from gateway.http.schemas import Body, View

Token = Annotated[Text, Field(min_length=1, max_length=200, description="what the link in the mail has")]


Code = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=60,
        description="what another person of the network has handed over, where no mail has brought the link",
    ),
]


class InvitationCreate(Body):
    """A seat to offer."""

    email: Email
    title: Title
    name: Annotated[Text, Field(max_length=80, description="how the person is called, as far as you know")] = ""
    language: Language = Language.CHINESE
    merchant: MerchantId | None = Field(
        default=None,
        description="for the operator: the merchant whose first admin it will be; the network itself, if it is missing",
    )
    reason: Reason | None = Field(default=None, description="for the operator: why, for whoever has to approve it")


class InvitationLookup(Body):
    """The token of an invitation. It stands in the body, because paths are logged."""

    token: Token = Field(examples=["tdi_01k..._5f3a..."])


class InvitationAcceptance(Body):
    """Who accepts: somebody new, with the password that it wants; or somebody who signs in here already, with its own."""

    token: Token = Field(examples=["tdi_01k..._5f3a..."])
    code: Code | None = None
    password: NewPassword
    name: Name | None = Field(default=None, description="for somebody new")
    language: Language | None = Field(default=None, description="for somebody new")
    one_time_code: OneTimeCode | None = Field(default=None, description="for somebody who has an app for such codes")
    recovery_code: RecoveryCode | None = Field(default=None, description="for somebody who has lost that app")


class InvitationRedemption(Body):
    """A program that comes first at a merchant, with the invitation that the merchant has got."""

    token: Token = Field(examples=["tdi_01k..._5f3a..."])
    code: Code | None = None
    scopes: list[Scope] | None = Field(
        default=None, min_length=1, max_length=20, description="what the key may do; everything, if they are missing"
    )
    name: Annotated[Text, Field(max_length=60, description="what you call the key")] = ""


class InvitationMailView(View):
    """What has become of the mail that brings an invitation."""

    state: MailState
    attempts: int
    answer: str | None = Field(description="what the server for mails said to the last attempt that failed")
    sent_at: datetime | None


class InvitationView(View):
    """An offer of a seat. `link` is shown once, and only where the network sends no mail: hand it to whoever is invited."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"link"})

    id: str
    email: str
    name: str
    title: Title
    language: Language
    merchant: str | None
    link: str | None = None
    mail: InvitationMailView | None = Field(default=None, description="missing where the network sends no mails")
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None


class InvitationOfferView(View):
    """What whoever is invited sees."""

    email: str
    name: str
    title: Title
    language: Language
    merchant: str | None
    merchant_name: str | None
    is_known: bool = Field(description="whether the person signs in here already, and so keeps its password")
    needs_code: bool = Field(
        description="whether a code has to come with the link, which another person has handed over"
    )
    expires_at: datetime
