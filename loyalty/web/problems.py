"""Whatever goes wrong, in plain words: a page with one sentence and a way on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loyalty.kit.errors import Refusal
from loyalty.web.parts import SiteParts
from loyalty.web.visit import Forged, SignInNeeded, here_of, presented
from pages.security import SAFE_METHODS
from pages.translations import gettext as _

log = structlog.get_logger(__name__)
PART: Final = "X-Part"
"""A header: the script of an open page asks, and not a person."""


def install(app: FastAPI) -> None:
    """Has the application answer every exception with a page."""
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(Forged, _forged)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _not_found)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(PoolTimeout, _busy)


def problem_page(
    request: Request,
    status: int,
    heading: str,
    text: str,
    *,
    original: str | None = None,
    picture: str = "alert",
    ways: Sequence[tuple[str, str]] | None = None,
) -> Response:
    """A page that says what is wrong."""
    parts = _parts(request)
    secret = parts.secret(request) or parts.visit_secret(request)
    own = presented(request, secret)
    shown = parts.templates.get_template("pages/problem.html").render(
        heading=heading,
        text=text,
        ways=ways if ways is not None else [(f"{parts.ROOT}/", _("To the start"))],
        picture=picture,
        original=original,
        here=here_of(request),
        passes=False,
        flashes=(),
    )
    response = HTMLResponse(shown, status)
    if not secret:
        parts.keep_visit(response, own)
    return response


class FailureMiddleware:
    """Answers with a page what nothing else has caught, inside of the middleware that adds the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        is_begun = False

        async def watched(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if is_begun or scope["type"] != "http":
                raise
            await _failed(Request(scope), error)(scope, receive, send)


async def _sign_in(request: Request, _error: Exception) -> Response:
    parts = _parts(request)
    if PART in request.headers:
        return Response(status_code=401)  # a page that is open asks: its script says what to do
    query = ""
    if request.method in SAFE_METHODS and request.url.path != f"{parts.ROOT}/":
        query = "?" + urlencode({"next": here_of(request)})
    response = RedirectResponse(f"{parts.ROOT}/sign-in{query}", 303)
    if parts.secret(request) is not None:
        parts.end(response)
    return response


async def _forged(request: Request, _error: Exception) -> Response:
    present_for(request)
    text = _("The form is too old, or comes from another session. Open the page again; nothing was done.")
    return problem_page(
        request, 403, _("Please send that again"), text, ways=[(here_of(request), _("Open the page again"))]
    )


async def _refused(request: Request, error: Exception) -> Response:
    present_for(request)
    assert isinstance(error, Refusal)
    if error.status == 404:
        return await _not_found(request, error)
    return problem_page(
        request, error.status, _("That was refused"), _parts(request).sentence_of(error), original=error.detail
    )


async def _not_found(request: Request, error: Exception) -> Response:
    present_for(request)
    original = error.detail if isinstance(error, Refusal) else None
    text = _("It does not exist, or only others may see it.")
    return problem_page(request, 404, _("There is nothing here"), text, picture="search", original=original)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await _not_found(request, error)
    if error.status_code == 405 and request.method in SAFE_METHODS:
        return RedirectResponse(here_of(request), 303)  # somebody reloads, by its address, what a form has answered
    present_for(request)
    return problem_page(
        request, error.status_code, _("That cannot be done here"), _("This address takes no such request.")
    )


async def _busy(request: Request, error: Exception) -> Response:
    log.warning("the database is unavailable", error=type(error).__name__, detail=str(error)[:300])
    present_for(request)
    text = _("The database is busy. Nothing was done; try again in a moment.")
    return problem_page(request, 503, _("Not now"), text, ways=[(here_of(request), _("Try again"))], picture="clock")


def _failed(request: Request, error: Exception) -> Response:
    """Our own mistake: it gets a number under which the log has it."""
    number = secrets.token_hex(4)
    log.error("a page failed", number=number, method=request.method, path=request.url.path, exc_info=error)
    present_for(request)
    text = _("The failure is in the log. Whoever runs the programme finds it by its number.")
    return problem_page(request, 500, _("Something went wrong on our side"), text, original=number)


def present_for(request: Request) -> None:
    """The language of whoever asks: the failure may have come before it was known."""
    parts = _parts(request)
    presented(request, parts.secret(request) or parts.visit_secret(request))


def _parts(request: Request) -> SiteParts:
    parts: SiteParts = request.app.state.parts
    return parts
