"""A person's own affairs: name and language, password, second factor."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.parties.staff import credentials
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
from gateway.http.endpoint import Endpoint, Oneself, Proving, Reading
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


@router.post("/v1/profile/password", status_code=201, responses=documented(409, 429))
def change_password(body: PasswordChange, call: Proving) -> SessionView:
    """Takes another password. All your sessions end; the response has a new one for you."""
    proof = call.transact(lambda: credentials.begin_change(call.session, call.caller, body.password, body.new_password))
    credentials.compare(proof, body.password)
    password_hash = credentials.new_hash(proof, body.password, body.new_password)

    def change() -> SessionView:
        _service(call, proof).change_password(password_hash)
        return _begun_anew(call)

    return call.transact(change)


@router.post("/v1/profile/totp", status_code=201, responses=documented(409, 429))
def begin_totp(body: PasswordProof, call: Proving) -> TotpView:
    """Makes a secret for an app of one-time codes. It counts once you have confirmed it with a code."""
    proof = _proven(call, body.password)
    return call.transact(lambda: totp_view(_service(call, proof).begin_totp(_ISSUER)))


@router.post("/v1/profile/totp/confirm", status_code=201, responses=documented(409, 429))
def confirm_totp(body: TotpConfirmation, call: Oneself) -> SecondFactorView:
    """Takes the first code of your app. From now on you need one to sign in; all your other sessions end."""
    codes = credentials.confirm_totp(
        call.session, call.caller, body.one_time_code, keyring=call.gateway.keyrings.staff_secrets
    )
    return SecondFactorView(recovery_codes=codes, session=_begun_anew(call, second_factor=True))


@router.post("/v1/profile/totp/remove", status_code=200, responses=documented(429))
def remove_totp(body: PasswordProof, call: Proving) -> ProfileView:
    """Forgets your app and your recovery codes."""
    proof = _proven(call, body.password)

    def remove() -> ProfileView:
        service = _service(call, proof)
        service.remove_totp()
        return profile_view(call, service.person)

    return call.transact(remove)


@router.post("/v1/profile/recovery_codes", status_code=201, responses=documented(429))
def renew_recovery_codes(body: PasswordProof, call: Proving) -> RecoveryCodesView:
    """Makes ten recovery codes in the place of the old ones."""
    proof = _proven(call, body.password)
    codes = call.transact(lambda: _service(call, proof).new_recovery_codes())
    return RecoveryCodesView(recovery_codes=codes)


def _proven(call: Call, password: str | None) -> credentials.Proof:
    """That the person has given its password. Nothing of the database is held while they are compared."""
    proof = call.transact(lambda: credentials.begin(call.session, call.caller, password))
    credentials.compare(proof, password)
    return proof


def _service(call: Call, proof: credentials.Proof) -> CredentialService:
    return CredentialService(call.session, call.caller, proof, keyring=call.gateway.keyrings.staff_secrets)


def _begun_anew(call: Call, *, second_factor: bool = False) -> SessionView:
    issued = SessionService(call.session).begin_anew(call.caller, call.gateway.settings, second_factor=second_factor)
    return issued_view(call, issued)
