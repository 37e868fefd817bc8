"""What all requests share: templates, the database, who is signed in, the navigation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

import pages
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.pages.names import GLOBALS
from loyalty.pages.pages import GROUPS, PAGES
from loyalty.pages.registry import FOLDER, ROOT, Page
from loyalty.pages.rules import PAGE_RULES
from loyalty.people.sealing import Seal
from loyalty.people.sign_in import Limits, SessionService, SignedIn
from loyalty.staff.models import Role
from pages.templates import environment
from pages.translations import load_catalogues

_SESSION, _VISIT = "loyalty_session", "loyalty_visit"
_YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Shelf:
    """A group of the navigation with the pages that a role sees."""

    title: str
    pages: list[Page]


@dataclass(slots=True)
class Parts:
    """What all requests share."""

    database: Database
    settings: Settings
    seal: Seal
    templates: Environment = field(init=False)
    limits: Limits = field(init=False)
    zone: ZoneInfo = field(init=False)

    def __post_init__(self) -> None:
        load_catalogues([Path(pages.__file__).parent, FOLDER])
        folders = {"staff": FOLDER / "templates"}
        folders |= {name: FOLDER / name / "templates" for name in ("plans", "signin")}
        self.templates = environment(folders | {page.name: page.templates for page in PAGES}, ROOT)
        self.templates.globals |= GLOBALS
        self.limits = Limits(
            timedelta(seconds=self.settings.session_idle), timedelta(seconds=self.settings.session_lifetime)
        )
        self.zone = ZoneInfo(self.settings.timezone)

    def navigation(self, role: Role) -> list[Shelf]:
        """The pages that a role sees."""
        shelves = [
            Shelf(str(group.title), [page for page in PAGES if page.group is group and may_see(role, page)])
            for group in GROUPS
        ]
        return [shelf for shelf in shelves if shelf.pages]

    # ---------------------------------------------------------------- who is signed in

    def signed_in(self, secret: str) -> SignedIn | None:
        """Whose session has this secret; None if it has ended. Notes that it is in use."""
        with self.database.reading() as session:
            sessions = SessionService(session, self.limits)
            found = sessions.of(secret)
            is_due = found is not None and sessions.is_due(found.session)
        if found is not None and is_due:
            with self.database.session.begin() as session:
                SessionService(session, self.limits).see(found.session.id)
        return found

    # ---------------------------------------------------------------- cookies

    @property
    def cookie(self) -> str:
        """The name of the cookie with the session's secret. Over https no other site below the domain can set it."""
        return self._name(_SESSION)

    def secret(self, request: Request) -> str | None:
        """The secret of the browser's session."""
        return request.cookies.get(self.cookie) or None

    def visit_secret(self, request: Request) -> str:
        """What forms' tokens are made of for a browser in which nobody has signed in."""
        return request.cookies.get(self._name(_VISIT), "")

    def begin(self, response: Response, secret: str) -> None:
        """Begins a session in the browser."""
        self._keep(response, _SESSION, secret)
        self._forget(response, _VISIT)

    def end(self, response: Response) -> None:
        """Ends the session in the browser."""
        self._forget(response, _SESSION)

    def keep_visit(self, response: Response, secret: str) -> None:
        """Remembers what forms' tokens are made of."""
        self._keep(response, _VISIT, secret)

    def keep_preference(self, response: Response, cookie: str, value: str) -> None:
        """Has the browser remember how somebody wants pages to be shown."""
        response.set_cookie(
            cookie, value, max_age=_YEAR_SECONDS, httponly=True, samesite="lax", secure=self.settings.is_secure
        )

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.settings.is_secure else name

    def _keep(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(
            self._name(name), value, httponly=True, samesite="strict", secure=self.settings.is_secure, path="/"
        )

    def _forget(self, response: Response, name: str) -> None:
        response.delete_cookie(
            self._name(name), httponly=True, samesite="strict", secure=self.settings.is_secure, path="/"
        )


def may_see(role: Role, page: Page) -> bool:
    """Whether a role sees a page at all."""
    return role in PAGE_RULES["GET", page.below]
