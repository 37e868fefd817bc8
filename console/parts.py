"""What all requests share: templates, the connection to the gateway, who is signed in, the network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from jinja2 import Environment
from starlette.responses import Response

from console.audit_jobs.jobs import Jobs
from console.directory import Directory
from console.flow import flow_of
from console.kinds import kind_name, state_name, state_tone
from console.registry import FOLDER, Group, Page
from console.sessions import Seat, SessionCookie, SessionDirectory
from console.settings import Settings
from pages.templates import environment
from pages.translations import load_catalogues
from tongdui import AsyncClient, Issuer, Network, TongduiError

PAGES_FOLDER = FOLDER.parent / "pages"
_NETWORK_SECONDS = 60.0
_YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Shelf:
    """A group of the navigation with the pages that a seat sees."""

    title: str
    pages: list[Page]


@dataclass(slots=True)
class Parts:
    """What all requests share."""

    settings: Settings
    pages: Sequence[Page]
    groups: Sequence[Group]
    templates: Environment = field(init=False)
    cookie: SessionCookie = field(init=False)
    sessions: SessionDirectory = field(default_factory=SessionDirectory)
    directory: Directory = field(default_factory=Directory)
    audits: Jobs = field(init=False)
    _transport: httpx.AsyncHTTPTransport = field(init=False)
    _network: Network | None = None
    _network_until: float = 0.0
    _issuers: Sequence[Issuer] = ()
    _issuers_until: float = 0.0

    def __post_init__(self) -> None:
        folders = {"console": FOLDER / "templates"}
        folders |= {page.name: page.folder / "templates" for page in self.pages}
        folders["signin"] = FOLDER / "signin" / "templates"
        load_catalogues([PAGES_FOLDER, FOLDER, *sorted(path.parent for path in FOLDER.glob("*/zh.po"))])
        load_catalogues([page.folder for page in self.pages])
        self.templates = environment(folders)
        self.templates.globals |= {
            "flow_of": flow_of,
            "name_of_kind": kind_name,
            "name_of_state": state_name,
            "tone_of_state": state_tone,
        }
        self.cookie = SessionCookie(self.settings)
        self.audits = Jobs(self.settings)
        self._transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=40)
        )

    def client(self, token: str | None) -> AsyncClient:
        """A client that acts with this credential. All of them share the connections, so none is closed by itself."""
        address = str(self.settings.gateway_url)
        return AsyncClient(
            address,
            token,
            timeout=10.0,
            max_retries=2,
            longest_backoff=2.0,  # somebody waits for the page
            transport=self._transport,
        )

    async def network(self, client: AsyncClient) -> Network:
        """The network, asked for once a minute."""
        if self._network is None or self._network_until < time.monotonic():
            self._network = await client.network.get()
            self._network_until = time.monotonic() + _NETWORK_SECONDS
        return self._network

    async def issuers(self) -> Sequence[Issuer]:
        """Where people may sign in besides here, asked for once a minute. A gateway that does not answer offers nothing."""
        if self._issuers_until < time.monotonic():
            try:
                self._issuers = (await self.client(None).sessions.issuers()).data
            except TongduiError:
                return ()
            self._issuers_until = time.monotonic() + _NETWORK_SECONDS
        return self._issuers

    def navigation(self, seat: Seat) -> list[Shelf]:
        """The navigation of a seat."""
        shelves = [
            Shelf(str(group.title), [page for page in self.pages if page.group is group and seat.kind in page.seats])
            for group in self.groups
        ]
        return [shelf for shelf in shelves if shelf.pages]

    def keep_preference(self, response: Response, cookie: str, value: str) -> None:
        """Has the browser remember how somebody wants pages to be shown."""
        response.set_cookie(
            cookie, value, max_age=_YEAR_SECONDS, httponly=True, samesite="lax", secure=self.settings.is_secure
        )

    async def close(self) -> None:
        """Closes the connections, and lets the audits stop that it has started."""
        await self._transport.aclose()
        await asyncio.to_thread(self.audits.close)
