"""What all requests to one of the sites share: its templates, the database, its cookies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

from loyalty.kit.database import Database
from loyalty.kit.errors import Refusal
from loyalty.kit.settings import Settings
from pages.presentation import Presentation, present
from pages.translations import chosen_language

LANGUAGE_COOKIE, SCHEME_COOKIE = "tongdui_language", "tongdui_scheme"
SCHEMES = ("auto", "light", "dark")
_YEAR_SECONDS = 365 * 86_400


@dataclass(slots=True)
class SiteParts:
    """What all requests to a site share. A site says where it stands, and what its cookies are called."""

    ROOT: ClassVar[str]
    SESSION: ClassVar[str]
    VISIT: ClassVar[str]
    FLASH: ClassVar[str]
    SAME_SITE: ClassVar[Literal["lax", "strict"]]

    database: Database
    settings: Settings
    templates: Environment = field(init=False)
    zone: ZoneInfo = field(init=False)

    def __post_init__(self) -> None:
        self.zone = ZoneInfo(self.settings.timezone)

    @property
    def lasting(self) -> int | None:
        """Seconds for which a browser keeps a session's secret; None until it is closed."""
        return None

    def page_of(self, path: str) -> str | None:
        """The address of the page to which another address belongs, such as that of its form."""
        raise NotImplementedError

    def sentence_of(self, error: Refusal) -> str:
        """What a refusal says to whoever uses the site."""
        raise NotImplementedError

    # ---------------------------------------------------------------- showing

    def present(self, request: Request, secret: str) -> None:
        """Shows this request's pages in the language and colours that its sender wants, and in the merchant's time zone."""
        scheme = request.cookies.get(SCHEME_COOKIE, "auto")
        present(
            Presentation(
                language=chosen_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language")),
                zone=self.zone,
                csrf_secret=secret,
                scheme=scheme if scheme in SCHEMES else "auto",
            )
        )

    # ---------------------------------------------------------------- cookies

    @property
    def cookie(self) -> str:
        """The name of the cookie with the session's secret. Over https no other site below the domain can set it."""
        return self._name(self.SESSION)

    def secret(self, request: Request) -> str | None:
        """The secret of the browser's session."""
        return request.cookies.get(self.cookie) or None

    def visit_secret(self, request: Request) -> str:
        """What forms' tokens are made of for a browser in which nobody has signed in."""
        return request.cookies.get(self._name(self.VISIT), "")

    def begin(self, response: Response, secret: str) -> None:
        """Begins a session in the browser."""
        self._keep(response, self.SESSION, secret, self.lasting)
        self._forget(response, self.VISIT)

    def end(self, response: Response) -> None:
        """Ends the session in the browser."""
        self._forget(response, self.SESSION)

    def keep_visit(self, response: Response, secret: str) -> None:
        """Remembers what forms' tokens are made of."""
        self._keep(response, self.VISIT, secret, None)

    def keep_preference(self, response: Response, cookie: str, value: str) -> None:
        """Has the browser remember how somebody wants pages to be shown."""
        response.set_cookie(
            cookie, value, max_age=_YEAR_SECONDS, httponly=True, samesite="lax", secure=self.settings.is_secure
        )

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.settings.is_secure else name

    def _keep(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        response.set_cookie(
            self._name(name),
            value,
            max_age=seconds,
            httponly=True,
            samesite=self.SAME_SITE,
            secure=self.settings.is_secure,
            path="/",
        )

    def _forget(self, response: Response, name: str) -> None:
        response.delete_cookie(
            self._name(name), httponly=True, samesite=self.SAME_SITE, secure=self.settings.is_secure, path="/"
        )
