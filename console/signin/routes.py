"""Signing in and out, and changing the seat."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from console.preferences import local_address
from console.problem_texts import sentence_of
from console.signin.begun import go_on_with
from console.signin.codes import code_field, codes_of
from console.visit import Anybody, Guest, Visiting
from pages.forms import Email, Form, Hidden, Secret
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import APIError, AuthenticationError, RateLimitedError, SecondFactorRequiredError, Session

router = APIRouter()


class SignIn(Form):
    """Who somebody is."""

    email = Email(lazy("Email"), autocomplete="username", focus=True)
    password = Secret(lazy("Password"), autocomplete="current-password")
    one_time_code = code_field()
    next = Hidden("", required=False)


@router.get("/sign-in")
async def ask(guest: Anybody) -> Response:
    """Asks who it is."""
    if guest.session is not None:
        return RedirectResponse("/", 303)
    return await _page(guest, SignIn({"next": guest.request.query_params.get("next")}))


@router.post("/sign-in")
async def sign_in(guest: Anybody) -> Response:
    """Begins a session, and leads to where the person was."""
    form = await SignIn.read(guest.request)
    if form.is_valid and (session := await _begun(guest, form)) is not None:
        return go_on_with(guest, session, local_address(form.values["next"], guest.request))
    return await _page(guest, form)


@router.post("/sign-out")
async def sign_out(visit: Visiting) -> Response:
    """Ends the session, here and at the gateway."""
    visit.parts.sessions.forget(visit.signed_in.token)
    await visit.client.sessions.end()
    response = RedirectResponse("/sign-in", 303)
    visit.parts.cookie.clear(response)
    return response


@router.post("/seat")
async def take_seat(visit: Visiting) -> Response:
    """Goes on for another merchant, or in another role."""
    seat = (await visit.request.form()).get("seat")
    taken = await visit.client.sessions.take_seat(seat if isinstance(seat, str) else "")
    visit.parts.sessions.forget(visit.signed_in.token)
    response = RedirectResponse("/", 303)
    visit.parts.cookie.write_seat(response, taken.seat.id)
    return response


async def _begun(guest: Guest, form: SignIn) -> Session | None:
    """The new session; None if the gateway refuses it, which the form then says."""
    values, request = form.values, guest.request
    try:
        return await guest.parts.client(None).sessions.create(
            email=values["email"],
            password=values["password"],
            **codes_of(values["one_time_code"]),
            address=guest.address,
            user_agent=request.headers.get("user-agent"),
        )
    except SecondFactorRequiredError as error:
        form.refuse("one_time_code", sentence_of(error.code, error.title))
    except RateLimitedError:
        form.refuse(None, _("Too many attempts. Wait a minute, then try again."))
    except AuthenticationError as error:
        form.refuse(None, sentence_of(error.code, error.title))
    except APIError as error:
        if error.status >= 500:
            raise
        form.refuse(None, sentence_of(error.code, error.title))
    return None


async def refused_page(guest: Guest, status: int, sentence: str) -> Response:
    """The page after an attempt elsewhere that has failed."""
    form = SignIn()
    form.refuse(None, sentence)
    return await _page(guest, form, status)


async def _page(guest: Guest, form: SignIn, status: int | None = None) -> Response:
    guest.keep_secret()
    onward = form["next"].value
    return guest.page(
        "signin/sign_in.html",
        form=form,
        issuers=await guest.parts.issuers(),
        begin="/sign-in/oidc/begin" + (f"?{urlencode({'next': onward})}" if onward else ""),
        status=status or form.status,
    )
