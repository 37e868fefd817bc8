"""One request of a customer: who asks, in which language, in which transaction. A route is a plain function; the rest follows."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from loyalty.customer_pages.parts import Parts
from loyalty.customer_pages.registry import PAGES, ROOT, Shelf, page_of
from loyalty.customer_pages.rules import CUSTOMER_RULES, Who
from loyalty.customer_sessions.service import SignedInCustomer
from loyalty.customers.models import Customer
from loyalty.web.visit import SignInNeeded, SiteVisit, presented, visit_of, visited
from pages.security import SAFE_METHODS
from pages.translations import gettext as _

_SHELVES = [Shelf("", [*PAGES])]


@dataclass(slots=True)
class Visit(SiteVisit[Parts, SignedInCustomer]):
    """What a route is given: the transaction of its request, and who asks."""

    @property
    def customer(self) -> Customer:
        """Who asks."""
        assert self.signed_in is not None, "the rule of this route lets nobody in without signing in"
        return self.signed_in.customer

    @property
    def device(self) -> str:
        """What the browser calls itself: a new name if it has none."""
        return self.parts.device(self.request) or secrets.token_urlsafe(32)

    @property
    def actor(self) -> str:
        """Who the audit log says has done it."""
        return self.customer.id

    def page(self, template: str, *, status: int = 200, seen: str | None = None, **context: Any) -> Response:
        """Answers with a page. One that changes while it is open says what of the customer it has `seen`."""
        frame = {} if self.signed_in is None else self._frame(seen)
        return self.shown(template, status, frame | context)

    def _frame(self, seen: str | None) -> dict[str, Any]:
        assert self.signed_in is not None
        page = page_of(self.request.url.path)
        seat = {"label": _("Customer"), "id": self.signed_in.session.id}
        return {
            "account": [],
            "crumbs": [] if page is None else [{"title": page.title, "href": page.path}],
            "current": None if page is None else page.name,
            "is_answer": self.request.method not in SAFE_METHODS,
            "live": seen is not None,
            "live_source": f"{ROOT}/live?seen={seen}",
            "navigation": _SHELVES,
            "person": {"name": _("Your account"), "email": None},
            "seat": seat,
            "seats": [seat],
        }


Visiting = Annotated[Visit, Depends(visit_of)]
"""The argument of every route."""


def page_router(below: str = "") -> APIRouter:
    """A router for the routes of the page with this path below the root."""
    return APIRouter(prefix=below, route_class=CustomerRoute, default_response_class=HTMLResponse)


class CustomerRoute(APIRoute):
    """A route that knows which customer asks, runs in one transaction, and takes forms of ours only, each of which acts once."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler around FastAPI's own."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            parts: Parts = request.app.state.parts
            secret = parts.secret(request)
            signed_in = None if secret is None else await run_in_threadpool(parts.signed_in, secret)
            own = secret if signed_in is not None and secret is not None else parts.visit_secret(request)
            form_secret = presented(request, own)
            if signed_in is None and CUSTOMER_RULES[request.method, self.path_format] is not Who.ANYBODY:
                raise SignInNeeded
            return await visited(
                request,
                own,
                lambda session, sent: Visit(request, parts, session, signed_in, form_secret, not own, sent),
                handle,
            )

        return handled
