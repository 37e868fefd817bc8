"""Who is signed in. The browser's cookie holds the session's token and nothing else; the gateway says whose it is."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

import tongdui
from console.settings import Settings
from console.titles import TITLES
from tongdui import AsyncClient, NotFoundError

_CACHE_SECONDS = 20.0
_CACHED = 2_000
_COOKIE = "tongdui_session"
_VISIT_COOKIE = "tongdui_visit"
_OIDC_COOKIE = "tongdui_oidc"
_SEAT_COOKIE = "tongdui_seat"
_TOKEN = re.compile(r"[\w-]{8,255}", re.ASCII)


class NoSession(Exception):
    """The credential belongs to no person who has signed in."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the staff."""

    id: str
    name: str
    email: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """For whom a person acts: the network's operator, treasury or auditor, or a merchant with a title."""

    id: str
    role: str
    title: str = ""
    merchant: str | None = None
    merchant_name: str | None = None

    @property
    def kind(self) -> str:
        """As pages name it: `operator`, or `merchant:admin`."""
        return f"{self.role}:{self.title}" if self.merchant else self.role

    @property
    def label(self) -> str:
        """As people read it."""
        title = str(TITLES.get(self.title or self.role, self.title or self.role))
        return f"{self.merchant_name} · {title}" if self.merchant_name else title


@dataclass(frozen=True, slots=True)
class Session:
    """A person on a seat. `token` is the credential of every request to the gateway."""

    token: str = field(repr=False)
    person: Person
    seat: Seat
    seats: tuple[Seat, ...] = ()
    restriction: str | None = None
    """What the person has to do before anything else: `password_change` or `second_factor`."""


class SessionCookie:
    """Reads and writes the cookie with the session's token."""

    def __init__(self, settings: Settings) -> None:
        self._secure = settings.is_secure
        prefix = "__Host-" if self._secure else ""
        self.name = prefix + _COOKIE
        self.visit_name = prefix + _VISIT_COOKIE
        self.oidc_name = prefix + _OIDC_COOKIE
        self.seat_name = prefix + _SEAT_COOKIE

    def token(self, request: Request) -> str | None:
        """The token of the browser's session; None for what cannot be one."""
        found = request.cookies.get(self.name, "")
        return found if _TOKEN.fullmatch(found) else None

    def write(self, response: Response, token: str) -> None:
        """Begins a session in the browser. A token that was there before is gone: nobody can fix a session in advance."""
        self._keep(response, self.name, token)
        self._forget(response, self.visit_name)
        self._forget(response, self.seat_name)

    def clear(self, response: Response) -> None:
        """Ends the session in the browser."""
        self._forget(response, self.name)
        self._forget(response, self.seat_name)

    def write_seat(self, response: Response, seat: str) -> None:
        """Tells every console that answers this browser which seat the session has taken: what it remembers may be older."""
        self._keep(response, self.seat_name, seat)

    def seat(self, request: Request) -> str | None:
        """The seat that this browser has taken last; None as long as it has changed none. The gateway decides which one it is."""
        return request.cookies.get(self.seat_name)

    def write_visit(self, response: Response, secret: str) -> None:
        """Remembers the secret of forms for somebody who has not signed in."""
        self._keep(response, self.visit_name, secret)

    def write_oidc(self, response: Response, kept: str, seconds: int) -> None:
        """Remembers what somebody began who is on its way to another issuer. It comes back from another site: hence Lax."""
        self._keep(response, self.oidc_name, kept, samesite="lax", max_age=seconds)

    def oidc(self, request: Request) -> dict[str, str]:
        """The same, of whoever comes back."""
        return dict(parse_qsl(request.cookies.get(self.oidc_name, "")))

    def clear_oidc(self, response: Response) -> None:
        """Forgets it: each attempt ends once."""
        self._forget(response, self.oidc_name)

    def _keep(
        self,
        response: Response,
        name: str,
        value: str,
        *,
        samesite: Literal["strict", "lax"] = "strict",
        max_age: int | None = None,
    ) -> None:
        """Gives the browser a cookie that no script reads and that goes over https only, where there is https."""
        response.set_cookie(
            name, value, max_age=max_age, httponly=True, samesite=samesite, secure=self._secure, path="/"
        )

    def _forget(self, response: Response, name: str) -> None:
        response.delete_cookie(name, httponly=True, samesite="strict", secure=self._secure, path="/")


class SessionDirectory:
    """Asks the gateway whose token it is, and remembers the answer for some seconds. A revoked session can do nothing meanwhile:
    the gateway refuses every request of it."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Session]] = OrderedDict()
        self._forgotten = 0

    async def of(self, client: AsyncClient, token: str, *, anew: bool = False, seat: str | None = None) -> Session:
        """The session with this token. Raises AuthenticationError.

        What is about to change something asks `anew`: another console may have changed the seat. So does what knows of another
        `seat` than is remembered.
        """
        known = None if anew else self._known.get(_name(token))
        if known is not None and known[0] > time.monotonic() and seat in (None, known[1].seat.id):
            return known[1]
        forgotten = self._forgotten
        session = await identify(client, token)
        if forgotten == self._forgotten:  # else it may be what the gateway said before a seat changed
            self.remember(session)
        return session

    def remember(self, session: Session) -> None:
        """Keeps what the gateway has just said."""
        self._known[_name(session.token)] = (time.monotonic() + _CACHE_SECONDS, session)
        while len(self._known) > _CACHED:
            self._known.popitem(last=False)

    def forget(self, token: str) -> None:
        """Asks again next time: the session has another seat, or has ended. Answers that are under way count for once only."""
        self._forgotten += 1
        self._known.pop(_name(token), None)


def _name(token: str) -> str:
    """Under which name a session is remembered: not under its secret."""
    return hashlib.sha256(token.encode()).hexdigest()


async def identify(client: AsyncClient, token: str) -> Session:
    """Whose token it is. Raises AuthenticationError, and NoSession for an API key."""
    try:
        return session_of(token, await client.sessions.current())
    except NotFoundError:
        raise NoSession from None


def session_of(token: str, told: tongdui.Session) -> Session:
    """A session as the gateway tells it."""
    person = Person(told.person.id, told.person.name, told.person.email, told.person.language)
    return Session(token, person, _seat(told.seat), tuple(_seat(seat) for seat in told.seats), told.restriction)


def _seat(told: tongdui.Seat) -> Seat:
    return Seat(told.id, told.role, told.title, told.merchant, told.merchant_name)
