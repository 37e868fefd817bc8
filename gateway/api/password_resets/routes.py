"""New passwords by mail."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.parties.staff import passwords
from clearing.parties.staff.password_resets import PasswordResetService
from gateway.api.password_resets.schemas import PasswordResetPerformance, PasswordResetRequest, PasswordResetView
from gateway.http.context import OpenCall
from gateway.http.endpoint import Endpoint, Open
from gateway.http.problems import documented

router = APIRouter(route_class=Endpoint, tags=["sessions"])


@router.post("/v1/password_resets", status_code=202, responses=documented(429))
def request_password_reset(body: PasswordResetRequest, call: Open) -> PasswordResetView:
    """Sends a mail with which whoever reads it chooses a new password. The response is the same if nobody has the address."""
    call.transact(lambda: _resets(call).request(body.email, call.origin))
    return PasswordResetView(email=body.email)


@router.post("/v1/password_resets/perform", status_code=201, responses=documented(404, 409))
def perform_password_reset(body: PasswordResetPerformance, call: Open) -> PasswordResetView:
    """Takes the new password, and ends all sessions of the person. A second factor is still needed to sign in."""
    email = call.transact(lambda: _resets(call).person_of(body.token).email)
    passwords.require_good(body.password, email)
    password_hash = passwords.hash_of(body.password)
    call.transact(lambda: _resets(call).perform(body.token, password_hash))
    return PasswordResetView(email=email)


def _resets(call: OpenCall) -> PasswordResetService:
    return PasswordResetService(
        call.session, keyring=call.gateway.keyrings.mailed_links, settings=call.gateway.settings
    )
