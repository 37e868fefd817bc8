"""A running network with its console, and people who look at it with a browser."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Error, Page, Request, Response

from clearing.kit.database import Database
from clearing.parties.access.service import Scope
from clearing.parties.merchants.service import require_merchant
from clearing.parties.staff.models import Language
from clearing.parties.staff.people import NewPerson, PeopleService
from clearing.parties.staff.titles import Title
from clearing.runtime.embedded.network import EmbeddedNetwork
from console.sessions import SessionCookie
from console.settings import Settings
from console.visit import LANGUAGE_COOKIE
from tests.gateway.staff import PASSWORD, password_hash
from tongdui import Agreement, Client, Issue, Movement, testing, yuan
from tongdui._flow import tls

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / ".build" / "screenshots"
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
_WAIT = 60.0

LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


MERCHANT_TITLES = ("admin", "manager", "cashier", "accountant", "viewer")
NETWORK_TITLES = ("operator", "treasury", "auditor")
NAMES = {
    "admin": "林岚",
    "manager": "赵启明",
    "cashier": "陈小燕",
    "accountant": "周正",
    "viewer": "吴迪",
    "operator": "沈和",
    "treasury": "钱敏",
    "auditor": "郑清",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What a merchant joins with; money in yuan."""

    code: str
    name: str
    program: str | None
    deposit: int
    credit: int


PROFILES = (
    Profile("FUEL", "长河石油", "加油积分", 20_000, 10_000),
    Profile("MART", "丰收超市", "丰收印花", 5_000, 5_000),
    Profile("WASH", "净悦洗车", None, 0, 500),
)


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant on board, whose key the gateway keeps. `client` may do everything that the merchant may."""

    id: str
    name: str
    code: str
    api_key: str
    client: Client


@dataclass(slots=True)
class Site:
    """The network of these tests, with its console. `seats` has the token of a session for each seat, by its kind."""

    network: EmbeddedNetwork
    operator: Client
    treasury: Client
    auditor: Client
    merchants: dict[str, Merchant] = field(default_factory=dict)
    """By code: the gas station FUEL, the supermarket MART, and the car wash WASH, which has no program."""
    agreements: dict[tuple[str, str], Agreement] = field(default_factory=dict)
    """FUEL to MART is an exchange, FUEL to WASH an acceptance."""
    movements: dict[str, Movement] = field(default_factory=dict)
    """What has moved so far: issue, exchange, redeem, reverse."""
    seats: dict[str, str] = field(default_factory=dict)
    strangers: dict[str, str] = field(default_factory=dict)
    """The token of an admin of each merchant, by code."""

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
        cookies = {self.cookie: token, LANGUAGE_COOKIE: "en"} if token else {}
        return httpx.Client(
            base_url=self.url, cookies=cookies, headers={"Accept-Language": "en"}, timeout=60, verify=tls()
        )

    def close(self) -> None:
        """Closes the connections."""
        for client in (self.operator, self.treasury, self.auditor, *(one.client for one in self.merchants.values())):
            client.close()


def seeded(network: EmbeddedNetwork) -> Site:
    """Has merchants join and agree, and points move between them."""
    site = Site(network, *(Client(network.url, network.api_keys[role]) for role in ("operator", "treasury", "auditor")))
    for profile in PROFILES:
        site.merchants[profile.code] = _join(site, profile)
    _agree(site)
    _move(site)
    with closing(Database(network.settings.database_url)) as database:
        for title in NETWORK_TITLES:
            site.seats[title] = signed_in(site, database, f"{title}@tongdui.example", title, None)
        for title in MERCHANT_TITLES:
            email = f"{title}@fuel.example"
            site.seats[f"merchant:{title}"] = signed_in(site, database, email, title, site.merchants["FUEL"])
        for code, merchant in site.merchants.items():
            site.strangers[code] = signed_in(site, database, f"{code.lower()}@stranger.example", "admin", merchant)
    return site


def signed_in(site: Site, database: Database, email: str, title: str, merchant: Merchant | None) -> str:
    """Makes somebody with this title and signs them in; the session's token."""
    new = NewPerson(email, NAMES[title], Language.CHINESE, password_hash())
    with database.session.begin() as session:
        people = PeopleService(session)
        number = require_merchant(session, merchant.id).number if merchant is not None else None
        people.seat(people.add(new, actor="test"), Title(title), number, actor="test")
    with Client(site.network.url) as client:
        return str(client.sessions.create(email=email, password=PASSWORD).token)


def two_seats(site: Site) -> str:
    """The token of somebody new who is an admin of two merchants, FUEL and MART."""
    email = f"both-{secrets.token_hex(4)}@example.com"
    with closing(Database(site.network.settings.database_url)) as database, database.session.begin() as session:
        people = PeopleService(session)
        somebody = people.add(NewPerson(email, "林岚", Language.CHINESE, password_hash()), actor="test")
        for code in ("FUEL", "MART"):
            number = require_merchant(session, site.merchants[code].id).number
            people.seat(somebody, Title.ADMIN, number, actor="test")
    with Client(site.network.url) as client:
        return str(client.sessions.create(email=email, password=PASSWORD).token)


def _join(site: Site, profile: Profile) -> Merchant:
    merchant = site.operator.merchants.create(name=profile.name, managed_key=True, wait=_WAIT)
    testing.lend(site.operator, site.treasury, merchant, yuan(profile.credit))
    if profile.program:
        site.operator.programs.create(
            merchant=merchant, code=profile.code, name=profile.program, default_lifetime_days=730, wait=_WAIT
        )
    if profile.deposit:
        testing.deposit(site.treasury, site.operator, merchant, yuan(profile.deposit), f"ICBC-{profile.code}")
    key = testing.first_key(site.operator, site.treasury, merchant, [str(scope) for scope in Scope])
    return Merchant(merchant.id, profile.name, profile.code, key, Client(site.network.url, key))


def _agree(site: Site) -> None:
    station, market, wash = (site.merchants[profile.code] for profile in PROFILES)
    terms: Any = {
        "source_program": "FUEL",
        "unit_price_micros": yuan("0.01"),
        "fee_bps": 50,
        "max_points": 100_000,
        "daily_cap": 1_000_000,
        "valid_until": datetime.now(UTC) + timedelta(days=365),
    }
    exchange = station.client.agreements.propose(target_program="MART", rate="9/10", **terms)
    taking = station.client.agreements.propose(target_merchant=wash.id, initiators=("source", "target"), **terms)
    site.agreements["FUEL", "MART"] = market.client.agreements.sign(exchange, wait=_WAIT)
    site.agreements["FUEL", "WASH"] = wash.client.agreements.sign(taking, wait=_WAIT)


def _move(site: Site) -> None:
    """A morning at the gas station."""
    station, market = site.merchants["FUEL"].client, site.merchants["MART"].client
    for number in (1001, 1002, 1003):
        station.members.create(external_id=f"FC-{number}")
    issues = [
        Issue(program="FUEL", member=f"external:FC-{number}", points=12_345, reference=f"RECEIPT-{number}")
        for number in (1001, 1002, 1003)
    ]
    done = station.orders.create(issues, wait=_WAIT).raise_for_rejection()
    exchange = site.agreements["FUEL", "MART"].id
    given = station.exchanges.create(agreement=exchange, member="external:FC-1001", points=1_000, wait=_WAIT)
    redeemed = station.redemptions.create(program="FUEL", member="external:FC-1002", points=300, wait=_WAIT)
    undone = market.reversals.create(given, points=100, wait=_WAIT)
    site.movements = {"issue": done.movements[0], "exchange": given, "redeem": redeemed, "reverse": undone}
    assert all(one.is_settled for one in site.movements.values())


# -------------------------------------------------------------------- people with browsers


@dataclass(slots=True)
class Person:
    """Somebody with a browser of their own. Whatever the browser complains about fails the test, unless it is `excused`."""

    site: Site
    url: str
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
        response = self.page.goto(self.url + path)
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
            "async tags => (await axe.run(document, {runOnly: tags, resultTypes: ['violations']})).violations.map("
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
    at: str | None = None,
) -> Iterator[Person]:
    """Somebody on a seat, with a browser in a language and of a width; nobody in particular without a seat.

    `token` is another session's than the seat's, `at` the address of another console than the site's.
    """
    wide, high = WIDTHS[width]
    address = at or site.url
    with separate(
        browser,
        viewport={"width": wide, "height": high},
        locale=LANGUAGES[language],
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        timezone_id="Asia/Shanghai",
    ) as context:
        context.add_cookies([{"name": LANGUAGE_COOKIE, "value": language, "url": address}])
        own = token or (site.seats[seat] if seat else None)
        if own:
            context.add_cookies(
                [
                    {"name": site.cookie, "value": own, "url": address, "httpOnly": True, "sameSite": "Strict"},
                    {
                        "name": LANGUAGE_COOKIE,
                        "value": language,
                        "url": address,
                    },  # the staff of these tests read Chinese
                ]
            )
        if language != "zh":  # which is what the people of these tests prefer
            context.add_cookies([{"name": LANGUAGE_COOKIE, "value": language, "url": site.url}])
        page = context.new_page()
        found = Person(site, address, context, page, seat or "nobody", language, width)
        _listen(page, found.complaints)
        yield found
        found.finish()


@contextmanager
def separate(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A context of the browser, with cookies of its own.

    Its pages come to rest before it ends: Chromium may forget to close a page that is just going elsewhere by itself, and then
    the close waits for ever.
    """
    context = browser.new_context(**options)
    context.set_default_timeout(120_000)  # a machine may be busy
    try:
        yield context
    finally:
        for page in context.pages:
            with suppress(Error):  # it has crashed, or is closed
                page.goto("about:blank")
        context.close()


def _listen(page: Page, complaints: list[str]) -> None:
    def failed(request: Request) -> None:
        if request.failure == "net::ERR_ABORTED":
            return  # the page was left while it fetched a part, a picture or itself anew
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
