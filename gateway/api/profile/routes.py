"""A person's own affairs: name and language, password, second factor."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.parties.staff.credentials import CredentialService
from clearing.parties.staff.people import PeopleService
from clearing.parties.staff.sessions import SessionService
from gateway.api.profile.schemas import (
    PasswordChange,
    PasswordProof,
    ProfileChange,
    ProfileView,
    RecoveryCodesView,
    SecondFactorView,
    TotpConfirmation,
    TotpView,
)
from gateway.api.profile.view import profile_view, totp_view
from gateway.api.sessions.schemas import SessionView
from gateway.api.sessions.view import issued_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Oneself, Reading
from gateway.http.problems import documented

router = APIRouter(route_class=Endpoint, tags=["sessions"])

_ISSUER = "Tongdui"


@router.get("/v1/profile")
def get_profile(call: Reading) -> ProfileView:
    """Who you are."""
    return profile_view(call, PeopleService(call.session).of(call.caller))


@router.patch("/v1/profile")
def change_profile(body: ProfileChange, call: Oneself) -> ProfileView:
    """Changes your name, or the language of your mails and pages."""
    people = PeopleService(call.session)
    person = people.locked(call.caller)
    people.change_profile(person, name=body.name, language=body.language, actor=call.actor)
    return profile_view(call, person)


@router.post("/v1/profile/password", status_code=201, responses=documented(429))
def change_password(body: PasswordChange, call: Oneself) -> SessionView:
    """Takes another password. All your sessions end; the response has a new one for you."""
    _credentials(call).change_password(body.password, body.new_password)
    return _begun_anew(call)


@router.post("/v1/profile/totp", status_code=201, responses=documented(409, 429))
def begin_totp(body: PasswordProof, call: Oneself) -> TotpView:
    """Makes a secret for an app of one-time codes. It counts once you have confirmed it with a code."""
    return totp_view(_credentials(call).begin_totp(body.password, _ISSUER))


@router.post("/v1/profile/totp/confirm", status_code=201, responses=documented(409))
def confirm_totp(body: TotpConfirmation, call: Oneself) -> SecondFactorView:
    """Takes the first code of your app. From now on you need one to sign in; all your other sessions end."""
    codes = _credentials(call).confirm_totp(body.one_time_code)
    return SecondFactorView(recovery_codes=codes, session=_begun_anew(call, second_factor=True))


@router.post("/v1/profile/totp/remove", status_code=200, responses=documented(429))
def remove_totp(body: PasswordProof, call: Oneself) -> ProfileView:
    """Forgets your app and your recovery codes."""
    credentials = _credentials(call)
    credentials.remove_totp(body.password)
    return profile_view(call, credentials.person)


@router.post("/v1/profile/recovery_codes", status_code=201, responses=documented(429))
def renew_recovery_codes(body: PasswordProof, call: Oneself) -> RecoveryCodesView:
    """Makes ten recovery codes in the place of the old ones."""
    return RecoveryCodesView(recovery_codes=_credentials(call).new_recovery_codes(body.password))


def _credentials(call: Call) -> CredentialService:
    return CredentialService(call.session, call.caller, keyring=call.gateway.keyring)


def _begun_anew(call: Call, *, second_factor: bool = False) -> SessionView:
    issued = SessionService(call.session).begin_anew(call.caller, call.gateway.settings, second_factor=second_factor)
    return issued_view(call, issued)
