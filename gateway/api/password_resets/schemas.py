"""New passwords by mail."""

from __future__ import annotations

from pydantic import Field

from clearing.parties.staff.emails import Email
from gateway.api.invitations.schemas import Token
from gateway.api.profile.schemas import NewPassword
from gateway.http.schemas import Body, View


class PasswordResetRequest(Body):
    """Whose password is lost."""

    email: Email


class PasswordResetPerformance(Body):
    """What the link in the mail has, and the password that you want."""

    token: Token = Field(examples=["tdr_01k..._5f3a..."])
    password: NewPassword


class PasswordResetView(View):
    """It is done. Of a request: a mail is on its way, if anybody may sign in with that address."""

    email: str | None = None
