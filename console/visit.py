"""What a page's route works with: who asks, a client of the gateway that acts for them, and how to answer.

```
@router.get("/{member}")
async def show(visit: Visiting, member: str) -> Response:
    return visit.page("members/member.html", member=await visit.client.members.get(member))
```
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Annotated, Any, cast

from fastapi import Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData
from starlette.requests import Request

from console.addresses import Addresses
from console.parts import Parts
from console.registry import Page
from console.sessions import Person, Seat, Session
from pages import csrf
from pages.flash import Flash, read, written
from pages.paging import address_of
from pages.presentation import Presentation, present
from pages.security import SAFE_METHODS
from pages.translations import Text, chosen_language
from pages.translations import gettext as _
from tongdui import AsyncClient, Network

FLASH_COOKIE = "tongdui_flash"
LANGUAGE_COOKIE = "tongdui_language"
SCHEME_COOKIE = "tongdui_scheme"
SCHEMES = ("auto", "light", "dark")
FRAME_FORMS = frozenset({"/preferences", "/seat", "/sign-out"})
"""Where the forms around every page are sent: they mean the same on every seat."""
FIRST_STEPS = {"password_change": "/password", "second_factor": "/second-factor"}
"""Where a person does what its session is restricted to, and changes it later."""


class SignInNeeded(Exception):
    """Nobody is signed in, or the session has ended."""


class FirstStepNeeded(Exception):
    """The session is good for nothing else before its person has done something; `path` is where."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class NotYours(Exception):
    """The page exists, and this person may not see it."""


class Forged(Exception):
    """The request lacks the token of a form of ours."""


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step on the way to a page."""

    title: Text
    href: str | None = None


@dataclass(slots=True)
class Guest:
    """A request by whoever: somebody who has signed in, or nobody in particular."""

    request: Request
    parts: Parts
    session: Session | None
    client: AsyncClient
    """Acts for the person; without a session it has no credential."""
    secret: str
    """What forms' tokens and messages are made of: the session's token, or a cookie's before signing in."""
    new_secret: bool = False

    def page(
        self, template: str, *, status: int = 200, crumbs: Sequence[tuple[Text, str | None]] = (), **context: Any
    ) -> Response:
        """Answers with a page. `crumbs` are the steps below the page's own in the navigation: titles with their addresses."""
        if self.session is None:
            self.keep_secret()  # every page has forms: the language, if nothing else
        waiting = read(self.request.cookies.get(FLASH_COOKIE), self.secret)
        html = self.parts.templates.get_template(template).render(
            **self._frame(crumbs),
            flashes=waiting,
            path_of=self.path_of,
            request=self.request,
            **context,
        )
        response = HTMLResponse(html, status)
        if waiting:
            response.delete_cookie(FLASH_COOKIE, httponly=True, samesite="strict")
        return self._kept(response)

    def redirect(self, address: str, message: Text | None = None, *, tone: str = "good") -> Response:
        """Answers with another page, which shows the message once."""
        messages = [Flash(str(message), tone)] if message else []
        response = RedirectResponse(address, 303)
        if messages:
            response.set_cookie(
                FLASH_COOKIE, written(messages, self.secret), max_age=300, httponly=True, samesite="strict"
            )
        return self._kept(response)

    def path_of(self, name: str) -> str | None:
        """The path of the page with this name; None if the person does not see it, so that no link leads there."""
        seat = self.session.seat if self.session else None
        return next(
            (page.path for page in self.parts.pages if page.name == name and seat and seat.kind in page.seats), None
        )

    @property
    def address(self) -> str | None:
        """Where the request comes from: the gateway counts attempts to sign in by it."""
        return self.request.client.host if self.request.client else None

    def keep_secret(self) -> str:
        """The secret of forms on a page that anybody sees; makes one if the browser has none yet."""
        if not self.secret:
            self.secret, self.new_secret = secrets.token_urlsafe(32), True
            present_request(self.request, self.secret, None)
        return self.secret

    def _kept(self, response: Response) -> Response:
        if self.new_secret:
            self.parts.cookie.write_visit(response, self.secret)
        return response

    def _frame(self, crumbs: Sequence[tuple[Text, str | None]]) -> dict[str, Any]:
        page: Page | None = getattr(self.request.state, "page", None)
        if self.session is None:
            return {"current": page.name if page else None, "here": here_of(self.request)}
        steps = [Crumb(page.title, page.path)] if page else []
        return {
            "crumbs": [*steps, *(Crumb(title, href) for title, href in crumbs)],
            "account": [(_("Your account"), "/account")],
            "current": page.name if page else None,
            "here": here_of(self.request),
            "is_answer": self.request.method not in SAFE_METHODS,
            "live": True,
            "navigation": self.parts.navigation(self.session.seat),
            "person": self.session.person,
            "seat": self.session.seat,
            "seats": self.session.seats,
        }


@dataclass(slots=True)
class Visit(Guest):
    """A request by somebody who has signed in and may see the page."""

    @property
    def signed_in(self) -> Session:
        """The session."""
        return cast("Session", self.session)

    @property
    def person(self) -> Person:
        """Who asks."""
        return self.signed_in.person

    @property
    def seat(self) -> Seat:
        """For whom the person acts."""
        return self.signed_in.seat

    @property
    def merchant(self) -> str:
        """The id of the merchant for which the person acts."""
        if self.seat.merchant is None:
            raise NotYours
        return self.seat.merchant

    async def network(self) -> Network:
        """The network: its day, zone, currency, chain and contract."""
        return await self.parts.network(self.client)


def here_of(request: Request) -> str:
    """The address of the page that a request is about, which can be opened: a form may be sent to an address that cannot."""
    return address_of(request) if request.method in SAFE_METHODS else opening(request)


def opening(request: Request) -> str:
    """The address that can be opened for what a form is sent to."""
    addresses: Addresses = request.app.state.addresses
    return addresses.opening(request)


async def guest(request: Request) -> Guest:
    """The request of anybody. Forms that anybody may send are checked here."""
    parts: Parts = request.app.state.parts
    token = parts.cookie.token(request)
    session = None
    if token is not None:
        client = parts.client(token)
        session = await parts.sessions.of(
            client, token, anew=request.method not in SAFE_METHODS, seat=parts.cookie.seat(request)
        )
        secret = token
        await _present_network(request, parts, client, session)
    else:
        client, secret = parts.client(None), request.cookies.get(parts.cookie.visit_name, "")
        present_request(request, secret, None)
    await check_form(request, secret, session)
    return Guest(request, parts, session, client, secret)


async def visit(request: Request) -> Visit:
    """The request of somebody who has signed in and may see the page. Raises SignInNeeded, NotYours and Forged."""
    found: Visit | None = getattr(request.state, "visit", None)
    if found is not None:
        return found
    parts: Parts = request.app.state.parts
    if parts.cookie.token(request) is None:
        raise SignInNeeded
    page: Page | None = getattr(request.state, "page", None)
    anybody = await guest(request)
    assert anybody.session is not None
    if anybody.session.restriction is not None:
        raise FirstStepNeeded(FIRST_STEPS[anybody.session.restriction])
    if page is not None and anybody.session.seat.kind not in page.seats:
        raise NotYours
    found = Visit(request, parts, anybody.session, anybody.client, anybody.secret)
    request.state.visit = found
    return found


Visiting = Annotated[Visit, Depends(visit)]
"""The argument of a route that somebody calls who has signed in."""
Anybody = Annotated[Guest, Depends(guest)]
"""The argument of a route that anybody may call."""


async def check_form(request: Request, secret: str, session: Session | None = None) -> None:
    """Refuses what changes something and was not sent by a page of ours, made for the seat that the session has now. In another
    window somebody may have taken another one: what was meant for one merchant must not happen for another. Raises Forged."""
    if request.method in SAFE_METHODS:
        return
    secrets_now = [form_secret(secret, session.seat if session else None)]
    if request.url.path in FRAME_FORMS:
        secrets_now = [secret, *(form_secret(secret, seat) for seat in (session.seats if session else ()))]
    token = request.headers.get(csrf.HEADER)
    if token is None:
        sent: FormData = await request.form()
        field = sent.get(csrf.FIELD)
        token = field if isinstance(field, str) else ""
    if not secret or not any(csrf.is_valid(token, one) for one in secrets_now):
        raise Forged


def form_secret(secret: str, seat: Seat | None) -> str:
    """What forms' tokens are made of: the session's secret, and the seat for which they act."""
    return f"{secret} {seat.id}" if seat else secret


def present_request(request: Request, secret: str, session: Session | None, network: Network | None = None) -> None:
    """Shows this request's pages in the language, zone and colours that its sender wants."""
    asked = request.cookies.get(LANGUAGE_COOKIE) or (session.person.language if session else None)
    scheme = request.cookies.get(SCHEME_COOKIE, "auto")
    base = Presentation()
    present(
        Presentation(
            language=chosen_language(asked, request.headers.get("accept-language")),
            zone=timezone(timedelta(seconds=network.utc_offset_seconds)) if network else base.zone,
            currency=network.currency if network else base.currency,
            csrf_secret=form_secret(secret, session.seat if session else None),
            scheme=scheme if scheme in SCHEMES else "auto",
        )
    )


async def _present_network(request: Request, parts: Parts, client: AsyncClient, session: Session) -> None:
    # A session with a restriction may not even ask for the network.
    network = None if session.restriction else await parts.network(client)
    present_request(request, session.token, session, network)
