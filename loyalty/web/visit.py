"""One request for a page: who asks, in which language, in which transaction. A form acts once, and only a form of ours."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request

from loyalty.http.idempotency.models import IdempotencyRecord
from loyalty.http.idempotency.service import IdempotencyService
from loyalty.kit.errors import Refusal
from loyalty.web.parts import SiteParts
from pages import csrf
from pages.flash import Flash, read, written
from pages.forms import Form
from pages.forms.form import KEY
from pages.paging import address_of
from pages.security import SAFE_METHODS
from pages.translations import Text

_FLASH_SECONDS = 300
PartsT = TypeVar("PartsT", bound=SiteParts)
SignedInT = TypeVar("SignedInT")


class Forged(Exception):
    """The request lacks the token of a form of ours."""


class SignInNeeded(Exception):
    """Nobody is signed in, or the session has ended."""


@dataclass(slots=True)
class SiteVisit(Generic[PartsT, SignedInT]):
    """What a route is given: the transaction of its request, and who asks."""

    request: Request
    parts: PartsT
    session: Session
    signed_in: SignedInT | None
    secret: str
    """What forms' tokens and messages are made of: the session's secret, or a cookie's before signing in."""
    is_new: bool
    """Whether the browser does not have this secret yet."""
    sent: FormData
    """The form, if one was sent."""

    @property
    def actor(self) -> str:
        """Who the audit log says has done it."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return self.request.client.host if self.request.client else ""

    # ---------------------------------------------------------------- answering

    def shown(self, template: str, status: int, context: Mapping[str, Any]) -> Response:
        """Answers with a page, and with the messages that wait for it."""
        waiting = read(self.request.cookies.get(self.parts.FLASH), self.secret)
        frame = {"here": here_of(self.request), "flashes": waiting, "request": self.request}
        html = self.parts.templates.get_template(template).render(**frame, **context)
        response = HTMLResponse(html, status)
        if waiting:
            response.delete_cookie(self.parts.FLASH, httponly=True, samesite="strict")
        return self._kept(response)

    def redirect(self, below: str, message: Text | None = None) -> Response:
        """Answers with another page of the site, which shows the message once."""
        response = RedirectResponse(self.parts.ROOT + below, 303)
        if message:
            content = written([Flash(str(message))], self.secret)
            response.set_cookie(self.parts.FLASH, content, max_age=_FLASH_SECONDS, httponly=True, samesite="strict")
        return self._kept(response)

    def _kept(self, response: Response) -> Response:
        if self.is_new:
            self.parts.keep_visit(response, self.secret)
        return response

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
            form.refuse_at(
                [pointer.removeprefix(prefix) for pointer in pointers if pointer], self.parts.sentence_of(error)
            )


def visit_of(request: Request) -> Any:
    """The visit of a request that is being handled: what routes depend on."""
    return request.state.visit


def presented(request: Request, own: str) -> str:
    """Shows what follows as the sender of a request wants it; what its forms' tokens are made of. `own` is what the browser has for
    that already, or empty."""
    parts: SiteParts = request.app.state.parts
    secret = own or secrets.token_urlsafe(32)
    parts.present(request, secret)
    return secret


async def visited(
    request: Request,
    own: str,
    make: Callable[[Session, FormData], SiteVisit[Any, Any]],
    handle: Callable[[Request], Awaitable[Response]],
) -> Response:
    """Handles a request within a transaction of its own. `own` is what the browser has for forms' tokens; empty if nothing."""
    parts: SiteParts = request.app.state.parts
    is_form = request.method not in SAFE_METHODS
    sent = await request.form() if is_form else FormData()
    if is_form:
        _require_ours(request, sent, own)
    session = parts.database.session() if is_form else parts.database.reading()
    try:
        request.state.visit = make(session, sent)
        return await (_once(request.state.visit, handle) if is_form else handle(request))
    finally:
        await run_in_threadpool(session.close)
        await sent.close()


async def _once(visit: SiteVisit[Any, Any], handle: Callable[[Request], Awaitable[Response]]) -> Response:
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


def _record(visit: SiteVisit[Any, Any]) -> IdempotencyRecord | None:
    """What is kept of this form of this person: changed and sent again, it is another one."""
    key = visit.sent.get(KEY)
    if visit.signed_in is None or not isinstance(key, str) or not key:
        return None
    content = sorted((name, str(value)) for name, value in visit.sent.multi_items() if name != csrf.FIELD)
    asked = json.dumps([visit.request.url.path, content]).encode()
    return IdempotencyService(visit.session).first_answer(visit.actor, sha256(asked).hexdigest(), asked)


def _require_ours(request: Request, sent: FormData, secret: str) -> None:
    """Refuses a form that no page of ours has sent. Raises Forged."""
    token = request.headers.get(csrf.HEADER) or sent.get(csrf.FIELD)
    if not secret or not isinstance(token, str) or not csrf.is_valid(token, secret):
        raise Forged


def here_of(request: Request) -> str:
    """The address that a request is about and that can be opened."""
    if request.method in SAFE_METHODS:
        return address_of(request)
    parts: SiteParts = request.app.state.parts
    return parts.page_of(request.url.path) or f"{parts.ROOT}/"
