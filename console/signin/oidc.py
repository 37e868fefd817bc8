"""Signing in at another issuer (OpenID Connect): the way there, and the way back.

The gateway makes state and nonce; a cookie binds the state to this browser. It is Lax, because the person comes back from another
site. The session's own cookie is Strict: so what answers at the end is a page of ours that leads on, and no redirect.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from console.preferences import local_address
from console.problem_texts import sentence_of
from console.signin.begun import take, work_for
from console.signin.routes import refused_page
from console.visit import Anybody, Guest
from pages.translations import gettext as _
from tongdui import APIConnectionError, APIError

router = APIRouter(prefix="/sign-in/oidc")
_SECONDS = 600
_LONGEST_NEXT = 1_000


@router.get("/begin")
async def begin(guest: Anybody) -> Response:
    """Sends the person to the issuer. What it wanted to see is kept for the way back."""
    onward = local_address(guest.request.query_params.get("next"), guest.request)
    try:
        begun = await guest.parts.client(None).sessions.begin_oidc()
    except (APIError, APIConnectionError) as error:
        return await _refused(guest, error)
    response = RedirectResponse(begun.authorization_url, 303)
    kept = urlencode({"state": begun.state, "next": onward if len(onward) <= _LONGEST_NEXT else "/"})
    guest.parts.cookie.write_oidc(response, kept, _SECONDS)
    return response


@router.get("")
async def come_back(guest: Anybody) -> Response:
    """Begins a session, if the person comes back to the browser that has sent it, and the issuer vouches for it."""
    asked = guest.request.query_params
    kept = guest.parts.cookie.oidc(guest.request)
    state = asked.get("state", "")
    if "error" in asked:  # some issuers leave the state out of it
        return await _page(guest, 403, _denial(guest.request))
    if not kept.get("state") or not hmac.compare_digest(state.encode(), kept["state"].encode()):
        return await _page(guest, 403, _("This did not begin in this browser, or too long ago. Begin again."))
    try:
        session = await guest.parts.client(None).sessions.create_by_oidc(
            code=asked.get("code", ""),
            state=state,
            address=guest.address,
            user_agent=guest.request.headers.get("user-agent"),
        )
    except (APIError, APIConnectionError) as error:
        return await _refused(guest, error)
    onward = local_address(kept.get("next"), guest.request)
    work_for(guest, session)
    response = guest.page("signin/signed_in.html", onward=onward)
    take(guest, session, response)
    guest.parts.cookie.clear_oidc(response)
    return response


def _denial(request: Request) -> str:
    """What the issuer says in place of a code."""
    if request.query_params["error"] == "access_denied":
        return _("You were not let in there, or gave up. Begin again, or sign in with a password.")
    return _("The other issuer has not let you in. Begin again.")


async def _refused(guest: Guest, error: APIError | APIConnectionError) -> Response:
    if isinstance(error, APIConnectionError):
        return await _page(guest, 503, _("The gateway does not answer. Try again in a moment."))
    return await _page(guest, error.status, sentence_of(error.code, error.title))


async def _page(guest: Guest, status: int, sentence: str) -> Response:
    """The page on which people sign in, with what went wrong. The attempt is over."""
    response = await refused_page(guest, status, sentence)
    guest.parts.cookie.clear_oidc(response)
    return response
