"""One request for a page: who asks, in which language, in which transaction. A route is a plain function; the rest follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from loyalty.pages.pages import PAGES
from loyalty.pages.parts import Parts, may_see
from loyalty.pages.registry import page_of
from loyalty.pages.rules import ANYBODY, PAGE_RULES
from loyalty.people.models import Person
from loyalty.people.sign_in import SignedIn
from loyalty.web.visit import SignInNeeded, SiteVisit, presented, visit_of, visited
from pages.translations import Text


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step on the way to a page."""

    title: Text
    href: str | None = None


class NotYours(Exception):
    """The page exists, and this person may not see it."""


@dataclass(slots=True)
class Visit(SiteVisit[Parts, SignedIn]):
    """What a route is given: the transaction of its request, and who asks."""

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
        frame = {} if self.signed_in is None else self._frame(crumbs)
        return self.shown(template, status, frame | context)

    def _frame(self, crumbs: Sequence[tuple[Text, str | None]]) -> dict[str, Any]:
        page = page_of(PAGES, self.request.url.path)
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


Visiting = Annotated[Visit, Depends(visit_of)]
"""The argument of every route."""


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
            form_secret = presented(request, own)
            if allowed != ANYBODY:
                if signed_in is None:
                    raise SignInNeeded
                if signed_in.person.role not in allowed:
                    raise NotYours
            return await visited(
                request,
                own,
                lambda session, sent: Visit(request, parts, session, signed_in, form_secret, not own, sent),
                handle,
            )

        return handled


def page_router(below: str = "") -> APIRouter:
    """A router for the routes of the page with this path below the root."""
    return APIRouter(prefix=below, route_class=PageRoute, default_response_class=HTMLResponse)
