"""A running network with its console, and people who look at it with a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response

from clearing.runtime.embedded.network import EmbeddedNetwork
from console.sessions import SessionCookie
from console.settings import Settings
from scripts.demo.participants import Participants
from tongdui import Issue

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / ".build" / "screenshots"
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
_WAIT = 60.0

LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@dataclass(slots=True)
class Site:
    """The network of these tests, with its console. `seats` has the token of a session for each seat, by its kind."""

    network: EmbeddedNetwork
    participants: Participants
    seats: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    """Tokens of other merchants, by the code of their program."""

    @property
    def url(self) -> str:
        """The console's address."""
        return self.network.console_url

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return SessionCookie(Settings()).name

    def http(self, token: str | None = None) -> httpx.Client:
        """A client without a browser, signed in with this token."""
        cookies = {self.cookie: token} if token else {}
        return httpx.Client(base_url=self.url, cookies=cookies, headers={"Accept-Language": "en"}, timeout=60)


def seeded(network: EmbeddedNetwork) -> Site:
    """Has merchants join, and points move between them."""
    participants = Participants(network)
    participants.onboard(lambda _: None)
    site = Site(network, participants)
    site.seats = {role: network.api_keys[role] for role in ("operator", "treasury", "auditor")}
    site.seats["merchant:admin"] = participants["FUEL"].api_key
    site.others = {code: participants[code].api_key for code in ("CINE", "MART", "VIP")}
    _move(participants)
    return site


def _move(participants: Participants) -> None:
    """A morning at the gas station."""
    station, market = participants["FUEL"].client, participants["MART"].client
    for number in (1001, 1002, 1003):
        station.members.create(external_id=f"FC-{number}")
    issues = [
        Issue(program="FUEL", member=f"external:FC-{number}", points=12_345, reference=f"RECEIPT-{number}")
        for number in (1001, 1002, 1003)
    ]
    station.orders.create(issues, wait=_WAIT).raise_for_rejection()
    exchange = participants.agreements["FUEL", "MART"].id
    given = station.exchanges.create(agreement=exchange, member="external:FC-1001", points=1_000, wait=_WAIT)
    station.redemptions.create(program="FUEL", member="external:FC-1002", points=300, wait=_WAIT).raise_for_rejection()
    market.reversals.create(given, points=100, wait=_WAIT).raise_for_rejection()


# -------------------------------------------------------------------- people with browsers


@dataclass(slots=True)
class Person:
    """Somebody with a browser of their own. Whatever the browser complains about fails the test, unless it is `excused`."""

    site: Site
    context: BrowserContext
    page: Page
    seat: str
    language: str
    width: str
    complaints: list[str] = field(default_factory=list)
    excused: list[str] = field(default_factory=list)
    """Regular expressions of complaints that are right."""

    def open(self, path: str, *, status: int = 200) -> Page:
        """Opens a page of the console, and waits until it is drawn."""
        response = self.page.goto(self.site.url + path)
        assert response is not None
        assert response.status == status, f"{path}: {response.status}"
        self.page.wait_for_load_state("load")
        return self.page

    def check(self, name: str | None = None) -> None:
        """The page is right as it is now: accessible, no wider than the screen. Keeps a screenshot if it has a name."""
        if name is not None:
            self.picture(name)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[self.width][0], (
            "wider than the screen"
        )
        self.page.evaluate(AXE)
        found = self.page.evaluate(
            "async tags => (await axe.run(document, {runOnly: tags})).violations.map("
            "one => one.id + ': ' + one.nodes.map(node => node.target + ' ' + node.failureSummary).join('; '))",
            list(WCAG),
        )
        assert found == [], f"{self.page.url} ({self.language}, {self.width}):\n" + "\n".join(found)

    def picture(self, name: str) -> Path:
        """A screenshot of the whole page, in .build/screenshots/<language>/<width>/<seat>/."""
        path = SCREENSHOTS / self.language / self.width / self.seat.replace(":", "-") / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)
        return path

    def finish(self) -> None:
        """Nothing may be left to complain about."""
        left = [one for one in self.complaints if not any(re.search(excuse, one) for excuse in self.excused)]
        assert left == [], "\n".join(left)


@contextmanager
def person(
    site: Site,
    browser: Browser,
    seat: str | None,
    *,
    language: str = "zh",
    width: str = "desktop",
    token: str | None = None,
    scheme: str = "light",
) -> Iterator[Person]:
    """Somebody on a seat, with a browser in a language and of a width; nobody in particular without a seat."""
    wide, high = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": wide, "height": high},
        locale=LANGUAGES[language],
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        timezone_id="Asia/Shanghai",
    )
    own = token or (site.seats[seat] if seat else None)
    if own:
        context.add_cookies(
            [{"name": site.cookie, "value": own, "url": site.url, "httpOnly": True, "sameSite": "Strict"}]
        )
    page = context.new_page()
    found = Person(site, context, page, seat or "nobody", language, width)
    _listen(page, found.complaints)
    try:
        yield found
        found.finish()
    finally:
        context.close()


def _listen(page: Page, complaints: list[str]) -> None:
    def failed(request: Request) -> None:
        if not request.url.endswith("/live"):  # which ends with its page
            complaints.append(f"request failed: {request.method} {request.url} {request.failure}")

    def answered(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"status {response.status}: {response.request.method} {response.url}")

    page.on(
        "console",
        lambda said: complaints.append(f"console: {said.text}") if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("requestfailed", failed)
    page.on("response", answered)


def browsers_arguments() -> Sequence[str]:
    """How Chromium runs where there is no screen and no sandbox."""
    return ("--headless", "--no-sandbox", "--disable-background-networking")
