"""Whatever goes wrong, in plain words: a page with one sentence and a way on, or a sentence beside the field of a form."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.parts import Parts
from console.problem_texts import sentence_about, sentence_of
from console.sessions import NoSession
from console.visit import FirstStepNeeded, Forged, NotYours, SignInNeeded, here_of, opening, present_request
from pages.forms import Form
from pages.presentation import presentation
from pages.security import SAFE_METHODS
from pages.translations import gettext as _
from tongdui import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    ForbiddenError,
    IdempotencyInFlightError,
    NotFoundError,
    OutcomeUnknownError,
    PendingError,
    RateLimitedError,
    RejectedError,
    TongduiError,
    UnavailableError,
)

logger = logging.getLogger(__name__)
SIGN_IN = "/sign-in"


@contextmanager
def refusals(form: Form) -> Iterator[None]:
    """What the gateway refuses within the block is shown in the form, beside the field at fault; then the form is shown again.

    Within it stands what the gateway is asked to do, and nothing else: whatever fails after that is no refusal. The form is valid
    afterwards if nothing was refused.

    ```
    if form.is_valid:
        with refusals(form):
            member = await visit.client.members.create(**form.values, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(f"/members/{member.id}", _("The member is registered."))
    return visit.page("members/new.html", form=form, status=form.status)
    ```
    """
    try:
        yield
    except (AuthenticationError, ForbiddenError):
        raise  # nothing that is typed differently would help
    except OutcomeUnknownError as error:
        form.original = str(error)
        form.refuse(
            None, _("The gateway did not answer. Sign in again to see whether this has happened, before you repeat it.")
        )
    except APIConnectionError:
        # Whether it has happened nobody knows: sent again with the same key, it happens once.
        form.refuse_unanswered(_("The gateway did not answer. Send it again: it will happen only once."))
    except IdempotencyInFlightError as error:  # an earlier attempt, which was not waited for, may still succeed
        form.original = str(error)
        form.refuse_unanswered(sentence_of(error.code, error.title))
    except APIError as error:
        if not 400 <= error.status < 500:  # an answer that nobody understands says nothing about what was done
            form.refuse_unanswered(_("The gateway did not answer. Send it again: it will happen only once."))
            return
        form.renew_key()
        form.original = str(error)
        form.refuse_at([one.pointer for one in error.errors], sentence_about(error))
    except RejectedError as error:
        form.renew_key()
        form.refuse(None, sentence_of(error.reason, str(error)))
    except (TongduiError, ValueError) as error:  # the SDK sends nothing that cannot be meant
        form.original = str(error)
        form.refuse(None, _("The request cannot be built from what was typed."))


def install(app: FastAPI) -> None:
    """Has the application answer every exception with a page."""
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(FirstStepNeeded, _first_step)
    app.add_exception_handler(AuthenticationError, _session_ended)
    app.add_exception_handler(NoSession, _session_ended)
    app.add_exception_handler(NotYours, _not_yours)
    app.add_exception_handler(ForbiddenError, _not_yours)
    app.add_exception_handler(Forged, _forged)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(APIConnectionError, _gateway_down)
    app.add_exception_handler(UnavailableError, _gateway_down)
    app.add_exception_handler(RateLimitedError, _too_often)
    app.add_exception_handler(TongduiError, _refused)
    app.add_exception_handler(RequestValidationError, _not_found)
    app.add_exception_handler(HTTPException, _http)


class FailureMiddleware:
    """Answers with a page what nothing else has caught.

    A handler of FastAPI for that runs outside of all middleware, so its answer would lack their headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            response = await _failed(Request(scope), error)
            await response(scope, receive, send)


def problem_page(
    request: Request,
    status: int,
    heading: str,
    text: str,
    *,
    ways: Sequence[tuple[str, str]] | None = None,
    picture: str = "alert",
    original: str | None = None,
    passes: bool = False,
) -> Response:
    """A page that says what is wrong, and needs nothing that could be broken as well. If it `passes`, it tries again by itself."""
    parts: Parts = request.app.state.parts
    new_secret = None if presentation().csrf_secret else secrets.token_urlsafe(32)
    if new_secret:
        present_request(request, new_secret, None)
    shown = parts.templates.get_template("pages/problem.html").render(
        heading=heading,
        text=text,
        ways=ways if ways is not None else [("/", _("To the start"))],
        picture=picture,
        original=original,
        here=here_of(request),
        passes=passes,
        flashes=(),
    )
    response = HTMLResponse(shown, status)
    if new_secret:
        parts.cookie.write_visit(response, new_secret)
    return response


def sign_in_address(request: Request) -> str:
    """Where to sign in, so as to come back here afterwards."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or _is_for_a_part(request):
        return SIGN_IN
    return f"{SIGN_IN}?{urlencode({'next': here})}" if here != "/" else SIGN_IN


def _to_sign_in(request: Request) -> Response:
    address = sign_in_address(request)
    if _is_for_a_part(request):
        return Response(status_code=401, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


def _is_for_a_part(request: Request) -> bool:
    """Whether a script asks, for a part of a page that is open or for what happens."""
    headers = request.headers
    return "hx-request" in headers or "x-part" in headers or headers.get("accept") == "text/event-stream"


async def _first_step(_request: Request, error: Exception) -> Response:
    assert isinstance(error, FirstStepNeeded)
    return RedirectResponse(error.path, 303)


async def _sign_in(request: Request, _error: Exception) -> Response:
    return _to_sign_in(request)


async def _session_ended(request: Request, _error: Exception) -> Response:
    """The gateway does not know the token any more."""
    parts: Parts = request.app.state.parts
    token = parts.cookie.token(request)
    if token is not None:
        parts.sessions.forget(token)
    response = _to_sign_in(request)
    parts.cookie.clear(response)
    return response


async def _not_yours(request: Request, error: Exception) -> Response:
    _present(request)
    original = str(error) if isinstance(error, APIError) else None
    text = _("Your seat in the network does not include this. Whoever administers the staff can change that.")
    return problem_page(request, 403, _("This is not yours to see"), text, picture="lock", original=original)


async def _forged(request: Request, _error: Exception) -> Response:
    _present(request)
    text = _("The form is too old, or comes from another session. Open the page again; nothing was done.")
    return problem_page(request, 403, _("Please send that again"), text)


async def _not_found(request: Request, error: Exception) -> Response:
    _present(request)
    original = str(error) if isinstance(error, APIError) else None
    text = _("It does not exist, or only others may see it.")
    return problem_page(request, 404, _("There is nothing here"), text, picture="search", original=original)


async def _gateway_down(request: Request, error: Exception) -> Response:
    _present(request)
    text = _("The console works, but the gateway behind it does not answer. Nothing is lost; try again in a moment.")
    ways = [(here_of(request), _("Try again"))]
    heading = _("The gateway cannot be reached")
    # What was sent is not sent again by itself: nobody knows what has become of it.
    passes = request.method in SAFE_METHODS
    return problem_page(request, 503, heading, text, ways=ways, original=str(error), passes=passes)


async def _too_often(request: Request, error: Exception) -> Response:
    _present(request)
    assert isinstance(error, RateLimitedError)
    return problem_page(request, 429, _("Too fast"), sentence_about(error), picture="clock", original=str(error))


async def _refused(request: Request, error: Exception) -> Response:
    _present(request)
    if isinstance(error, APIError) and error.status < 500:
        text = sentence_of(error.code, error.title)
        return problem_page(request, error.status, _("That was refused"), text, original=str(error))
    if isinstance(error, PendingError):
        text = _("The chain has not confirmed it yet. Look again in a moment.")
        return problem_page(request, 409, _("Not yet"), text, picture="clock", original=str(error))
    if isinstance(error, RejectedError):
        text = sentence_of(error.reason, str(error))
        return problem_page(request, 409, _("The chain has rejected it"), text, original=str(error))
    return await _failed(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await _not_found(request, error)
    if error.status_code == 405 and request.method in SAFE_METHODS:
        return RedirectResponse(opening(request), 303)  # somebody reloads, by its address, what a form has answered
    _present(request)
    text = _("This address takes no such request.")
    return problem_page(request, error.status_code, _("That cannot be done here"), text, original=str(error.detail))


async def _failed(request: Request, error: Exception) -> Response:
    """Our own mistake: it gets a number under which the log has it."""
    number = secrets.token_hex(4)
    logger.error("failure %s at %s %s", number, request.method, request.url.path, exc_info=error)
    _present(request)
    text = _("The failure is in the log. Whoever runs the console finds it by its number.")
    return problem_page(request, 500, _("Something went wrong on our side"), text, original=number)


def _present(request: Request) -> None:
    """The language of whoever asks: handlers run outside the page's own request."""
    parts: Parts = request.app.state.parts
    secret = parts.cookie.token(request) or request.cookies.get(parts.cookie.visit_name, "")
    present_request(request, secret, None)
