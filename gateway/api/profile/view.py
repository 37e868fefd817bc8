"""A person's own affairs as the API shows them."""

from __future__ import annotations

from clearing.parties.staff.models import Person
from clearing.parties.staff.second_factor import NewTotp, SecondFactorService
from gateway.api.profile.schemas import ProfileView, TotpView
from gateway.api.sessions.view import person_view
from gateway.http.context import Call
from gateway.http.qr import qr_svg


def profile_view(call: Call, person: Person) -> ProfileView:
    """A person, as it sees itself."""
    second_factor = SecondFactorService(call.session, keyring=call.gateway.keyrings.staff_secrets)
    return ProfileView(
        **person_view(person).model_dump(),
        has_password=person.password_hash is not None,
        recovery_codes_left=second_factor.left(person),
        created_at=person.created_at,
    )


def totp_view(totp: NewTotp) -> TotpView:
    """What an app of one-time codes needs."""
    return TotpView(secret=totp.secret, uri=totp.uri, qr_svg=qr_svg(totp.uri))
