"""A person's own affairs as the API shows them."""

from __future__ import annotations

from clearing.parties.staff.credentials import CredentialService
from clearing.parties.staff.second_factor import NewTotp
from gateway.api.profile.schemas import ProfileView, TotpView
from gateway.api.sessions.view import person_view
from gateway.http.qr import qr_svg


def profile_view(credentials: CredentialService) -> ProfileView:
    """A person, as it sees itself."""
    person = credentials.person
    return ProfileView(
        **person_view(person).model_dump(),
        has_password=person.password_hash is not None,
        recovery_codes_left=credentials.recovery_codes_left,
        created_at=person.created_at,
    )


def totp_view(totp: NewTotp) -> TotpView:
    """What an app of one-time codes needs."""
    return TotpView(secret=totp.secret, uri=totp.uri, qr_svg=qr_svg(totp.uri))
