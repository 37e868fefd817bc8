"""Signing in and out."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from console.preferences import local_address
from console.visit import Anybody, Guest, Visiting
from pages.forms import Form, Hidden, Secret
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import AuthenticationError

router = APIRouter()


class SignIn(Form):
    """Who somebody is."""

    api_key = Secret(lazy("API key"), focus=True)
    next = Hidden("", required=False)


@router.get("/sign-in")
async def ask(guest: Anybody) -> Response:
    """Asks who it is."""
    if guest.session is not None:
        return RedirectResponse("/", 303)
    return _page(guest, SignIn({"next": guest.request.query_params.get("next")}))


@router.post("/sign-in")
async def sign_in(guest: Anybody, request: Request) -> Response:
    """Begins a session, and leads to where the person was."""
    form = await SignIn.read(request)
    if form.is_valid:
        token = form.values["api_key"]
        try:
            await guest.parts.sessions.of(guest.parts.client(token), token)
        except (AuthenticationError, ValueError):
            form.refuse("api_key", _("This API key is unknown or revoked."))
        else:
            response = RedirectResponse(local_address(form.values["next"], request), 303)
            guest.parts.cookie.write(response, token)
            return response
    return _page(guest, form, status=422)


@router.post("/sign-out")
async def sign_out(visit: Visiting) -> Response:
    """Ends the session."""
    visit.parts.sessions.forget(visit.signed_in.token)
    response = RedirectResponse("/sign-in", 303)
    visit.parts.cookie.clear(response)
    return response


def _page(guest: Guest, form: SignIn, status: int = 200) -> Response:
    guest.keep_secret()
    return guest.page("signin/sign_in.html", form=form, status=status)
