"""One request for a page: who asks, in which language, in which transaction. A route is a plain function; the rest follows."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from loyalty.http.idempotency.models import IdempotencyRecord
from loyalty.http.idempotency.service import IdempotencyService
from loyalty.kit.errors import Refusal
from loyalty.pages.pages import PAGES
from loyalty.pages.parts import Parts, may_see
from loyalty.pages.registry import ROOT, Page
from loyalty.pages.rules import ANYBODY, PAGE_RULES
from loyalty.pages.sentences import sentence_of
from loyalty.people.models import Person
from loyalty.people.sign_in import SignedIn
from pages import csrf
from pages.flash import Flash, read, written
from pages.forms import Form
from pages.forms.form import KEY
from pages.paging import address_of
from pages.presentation import Presentation, present
from pages.security import SAFE_METHODS
from pages.translations import Text, chosen_language

FLASH_COOKIE, LANGUAGE_COOKIE, SCHEME_COOKIE = "loyalty_flash", "tongdui_language", "tongdui_scheme"
SCHEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step on the way to a page."""

    title: Text
    href: str | None = None


class Forged(Exception):
    """The request lacks the token of a form of ours."""


class SignInNeeded(Exception):
    """Nobody is signed in, or the session has ended."""


class NotYours(Exception):
    """The page exists, and this person may not see it."""


@dataclass(slots=True)
class Visit:
    """What a route is given: the transaction of its request, and who asks."""

    request: Request
    parts: Parts
    session: Session
    signed_in: SignedIn | None
    secret: str
    """What forms' tokens and messages are made of: the session's secret, or a cookie's before signing in."""
    is_new: bool
    """Whether the browser does not have this secret yet."""
    sent: FormData
    """The form, if one was sent."""

    @property
    def person(self) -> Person:
        """Who asks."""
        assert self.signed_in is not None, "the rule of this route lets nobody in without signing in"
        return self.signed_in.person

    @property
    def actor(self) -> str:
        """Who the audit log says has done it."""
        return self.person.id

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return self.request.client.host if self.request.client else ""

    @property
    def browser(self) -> str:
        """What the browser says that it is."""
        return self.request.headers.get("user-agent", "")

    def may(self, method: str, path: str) -> bool:
        """Whether the person may open this page or send this form."""
        return self.person.role in PAGE_RULES[method, path]

    def path_of(self, name: str) -> str | None:
        """The address of the page with this name; None if the person does not see it, so that no link leads there."""
        role = self.person.role
        return next((page.path for page in PAGES if page.name == name and may_see(role, page)), None)

    # ---------------------------------------------------------------- answering

    def page(
        self, template: str, *, status: int = 200, crumbs: Sequence[tuple[Text, str | None]] = (), **context: Any
    ) -> Response:
        """Answers with a page. `crumbs` are the steps below the page's own in the navigation: titles with their addresses."""
        waiting = read(self.request.cookies.get(FLASH_COOKIE), self.secret)
        frame = {"here": here_of(self.request), "flashes": waiting, "request": self.request}
        if self.signed_in is not None:
            frame |= self._frame(crumbs)
        html = self.parts.templates.get_template(template).render(**frame, **context)
        response = HTMLResponse(html, status)
        if waiting:
            response.delete_cookie(FLASH_COOKIE, httponly=True, samesite="strict")
        return self._kept(response)

    def redirect(self, below: str, message: Text | None = None) -> Response:
        """Answers with another page of ours, which shows the message once."""
        response = RedirectResponse(ROOT + below, 303)
        if message:
            content = written([Flash(str(message))], self.secret)
            response.set_cookie(FLASH_COOKIE, content, max_age=300, httponly=True, samesite="strict")
        return self._kept(response)

    def _kept(self, response: Response) -> Response:
        if self.is_new:
            self.parts.keep_visit(response, self.secret)
        return response

    def _frame(self, crumbs: Sequence[tuple[Text, str | None]]) -> dict[str, Any]:
        page = _page_of(self.request)
        seat = {"label": self.parts.templates.globals["role_name"](self.person.role), "id": "one"}  # type: ignore[operator]
        steps = [Crumb(page.title, page.path)] if page else []
        return {
            "account": [(account.title, account.path) for account in PAGES if account.name == "account"],
            "crumbs": [*steps, *(Crumb(title, href) for title, href in crumbs)],
            "current": page.name if page else None,
            "live": False,
            "may": self.may,
            "navigation": self.parts.navigation(self.person.role),
            "path_of": self.path_of,
            "person": {"name": self.person.name, "email": self.person.login},
            "seat": seat,
            "seats": [seat],
        }

    # ---------------------------------------------------------------- what is refused

    @contextmanager
    def refusals(self, form: Form, prefix: str = "") -> Iterator[Sequence[Refusal]]:
        """What is refused within the block is undone, and shown in the form beside the field at fault. `prefix` is what the form's
        fields stand below in the pointers of refusals. The form is valid afterwards if nothing was refused; what was is yielded."""
        refused: list[Refusal] = []
        try:
            with self.session.begin_nested():
                yield refused
        except Refusal as error:
            refused.append(error)
            form.renew_key()
            form.original = error.detail
            pointers = [error.pointer, *(fault.pointer for fault in error.faults)]
            form.refuse_at([pointer.removeprefix(prefix) for pointer in pointers if pointer], sentence_of(error))


def _visit_of(request: Request) -> Visit:
    visit: Visit = request.state.visit
    return visit


Visiting = Annotated[Visit, Depends(_visit_of)]
"""The argument of every route."""


def here_of(request: Request) -> str:
    """The address that a request is about and that can be opened."""
    if request.method in SAFE_METHODS:
        return address_of(request)
    page = _page_of(request)
    return page.path if page else f"{ROOT}/"


def _page_of(request: Request) -> Page | None:
    """The page to which the address belongs."""
    path = request.url.path
    return next((page for page in PAGES if path == page.path or path.startswith(f"{page.path}/")), None)


class PageRoute(APIRoute):
    """A route that knows who asks, runs in one transaction, and takes forms of ours only, each of which acts once."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler around FastAPI's own."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            parts: Parts = request.app.state.parts
            allowed = PAGE_RULES[request.method, self.path_format]
            secret = parts.secret(request)
            signed_in = None if secret is None else await run_in_threadpool(parts.signed_in, secret)
            own = secret if signed_in is not None and secret is not None else parts.visit_secret(request)
            visit_secret = own or secrets.token_urlsafe(32)
            present_request(request, parts, visit_secret)
            if allowed != ANYBODY:
                if signed_in is None:
                    raise SignInNeeded
                if signed_in.person.role not in allowed:
                    raise NotYours
            is_form = request.method not in SAFE_METHODS
            sent = await request.form() if is_form else FormData()
            if is_form:
                _require_ours(request, sent, own)
            session = parts.database.session() if is_form else parts.database.reading()
            try:
                request.state.visit = Visit(request, parts, session, signed_in, visit_secret, not own, sent)
                if not is_form:
                    return await handle(request)
                return await _once(request.state.visit, handle)
            finally:
                await run_in_threadpool(session.close)

        return handled


async def _once(visit: Visit, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Lets a form act, or repeats where it has led to."""
    record = await run_in_threadpool(_record, visit)
    if record is not None and record.status:
        return RedirectResponse(record.body.decode(), 303)
    response = await handle(visit.request)
    if response.status_code < 400 and record is not None:
        record.status = response.status_code
        record.body = response.headers.get("location", here_of(visit.request)).encode()
    if response.status_code >= 400 and visit.signed_in is not None:
        await run_in_threadpool(visit.session.rollback)
    await run_in_threadpool(visit.session.commit)
    return response


def _record(visit: Visit) -> IdempotencyRecord | None:
    """What is kept of this form of this person: changed and sent again, it is another one."""
    key = visit.sent.get(KEY)
    if visit.signed_in is None or not isinstance(key, str) or not key:
        return None
    content = sorted((name, str(value)) for name, value in visit.sent.multi_items() if name != csrf.FIELD)
    asked = json.dumps([visit.request.url.path, content]).encode()
    return IdempotencyService(visit.session).first_answer(visit.person.id, sha256(asked).hexdigest(), asked)


def _require_ours(request: Request, sent: FormData, secret: str) -> None:
    """Refuses a form that no page of ours has sent. Raises Forged."""
    token = request.headers.get(csrf.HEADER) or sent.get(csrf.FIELD)
    if not secret or not isinstance(token, str) or not csrf.is_valid(token, secret):
        raise Forged


def present_request(request: Request, parts: Parts, secret: str) -> None:
    """Shows this request's pages in the language and colours that its sender wants, and in the merchant's time zone."""
    scheme = request.cookies.get(SCHEME_COOKIE, "auto")
    present(
        Presentation(
            language=chosen_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language")),
            zone=parts.zone,
            csrf_secret=secret,
            scheme=scheme if scheme in SCHEMES else "auto",
        )
    )


def page_router(below: str = "") -> APIRouter:
    """A router for the routes of the page with this path below the root."""
    return APIRouter(prefix=below, route_class=PageRoute, default_response_class=HTMLResponse)
