"""Sessions: people who are signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from clearing.kit.fields import Form, Text
from clearing.parties.access.models import Role
from clearing.parties.staff.emails import Email
from clearing.parties.staff.models import Language, Restriction, SignInMethod
from clearing.parties.staff.passwords import LONGEST
from clearing.parties.staff.titles import Title
from gateway.http.schemas import Body, View

Name = Annotated[Text, Field(min_length=1, max_length=80, examples=["Li Na"])]
Password = Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["correct-horse-battery"])]
OneTimeCode = Annotated[
    Text, Field(min_length=1, max_length=32, description="the code that your app shows now", examples=["492039"])
]
RecoveryCode = Annotated[Text, Field(min_length=1, max_length=40)]
SeatId = Annotated[
    str,
    Form("^sea_[0-9a-z]{26}$", "must be a seat's id, sea_...; GET /v1/sessions/current shows your seats"),
    Field(examples=["sea_01k0g4m5v6a7b8c9d0e1f2g3h4"]),
]


class SessionCreate(Body):
    """An address and a password; and a code, where the person has an app for one-time codes."""

    email: Email
    password: Password
    one_time_code: OneTimeCode | None = None
    recovery_code: RecoveryCode | None = Field(
        default=None, description="one of the ten codes that take the place of the app's, once each"
    )


class OidcAnswer(Body):
    """What the other issuer has sent the person back with. The state must be the one that the person's browser has kept."""

    code: Annotated[str, Field(min_length=1, max_length=4_096)]
    state: Annotated[str, Field(min_length=1, max_length=400)]


class IssuerView(View):
    """Another issuer (OpenID Connect) at which people of the network may sign in."""

    name: str = Field(description="what people call it", examples=["Partner's directory"])
    url: str = Field(examples=["https://login.operator.example"])


class IssuersView(View):
    """Where people may sign in besides here: at one issuer, or at none."""

    data: list[IssuerView]


class OidcAuthorizationView(View):
    """Where to send a person who signs in at another issuer."""

    authorization_url: str
    state: str = Field(description="keep it in the person's browser, and compare it when the person comes back")


class SeatTaking(Body):
    """A seat of yours."""

    seat: SeatId


class PersonView(View):
    """Somebody who works with the network."""

    id: str
    name: str
    email: str
    language: Language
    second_factor: bool = Field(description="whether the person needs a one-time code to sign in")


class SeatView(View):
    """What a person is at a merchant, or in the network itself."""

    id: str
    role: Role
    title: Title
    merchant: str | None
    merchant_name: str | None


class SignedInView(View):
    """Where a person is signed in."""

    id: str
    seat: SeatView
    method: SignInMethod
    second_factor: bool = Field(description="whether a one-time code was shown, or another issuer has vouched")
    address: str = Field(description="where the person signed in from")
    user_agent: str
    created_at: datetime
    last_seen_at: datetime = Field(description="within about half a minute")
    expires_at: datetime
    is_current: bool = Field(description="whether this request came with it")


class SessionView(View):
    """A session. Its `token` is shown once, when it begins: send it as an API key is sent."""

    id: str
    token: str | None = Field(default=None, examples=["tds_01k..._5f3a..."])
    person: PersonView
    seat: SeatView = Field(description="the one on which the session sits: what it may do")
    seats: list[SeatView] = Field(description="all seats of the person")
    restriction: Restriction | None = Field(description="what the person has to do before anything else")
    created_at: datetime
    expires_at: datetime
