"""A person's own affairs: name and language, password, second factor."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from clearing.parties.staff.models import Language
from clearing.parties.staff.passwords import LONGEST, SHORTEST
from gateway.api.sessions.schemas import Name, OneTimeCode, Password, PersonView, SessionView
from gateway.http.schemas import Body, View

NewPassword = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST,
        description=f"at least {SHORTEST} characters, not easy to guess",
        examples=["four-random-words-help"],
    ),
]


class ProfileChange(Body):
    """Fields to change; those that are missing stay as they are."""

    name: Name | None = None
    language: Language | None = None


class PasswordChange(Body):
    """The password that you have, and the one that you want."""

    password: Password
    new_password: NewPassword


class PasswordProof(Body):
    """Your current password; without one, if you sign in elsewhere."""

    password: Password | None = None


class TotpConfirmation(Body):
    """The first code of your app."""

    one_time_code: OneTimeCode


class ProfileView(PersonView):
    """A person, as it sees itself."""

    has_password: bool = Field(description="false: the person signs in at another issuer only")
    recovery_codes_left: int
    created_at: datetime


class TotpView(View):
    """What your app needs, shown once: scan the QR code, or type the secret."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    uri: str = Field(examples=["otpauth://totp/Tongdui:li%40partner.example?secret=JBSW...&issuer=Tongdui"])
    qr_svg: str


class RecoveryCodesView(View):
    """Ten codes, shown once: each takes the place of your app's code once."""

    recovery_codes: list[str] = Field(examples=[["K7Q2M-9XD4R-T0B5N"]])


class SecondFactorView(RecoveryCodesView):
    """Your app works. All other sessions have ended, and yours goes on with another token."""

    session: SessionView
