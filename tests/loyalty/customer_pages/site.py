"""The customers' pages with a month behind them, served to browsers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import select

from loyalty.network.balances import Expiring, Holding
from loyalty.network.models import Wish, WishState
from loyalty.serving import server_of
from loyalty.web.parts import LANGUAGE_COOKIE
from tests.console.site import AXE, LANGUAGES, SCREENSHOTS, WCAG, _listen, separate
from tests.loyalty.customer_pages.world import CHEN, World, plan
from tests.loyalty.intake.shop import done, fuel, goods
from tests.loyalty.referrals.written import plain as referral_scheme
from tests.loyalty.tasks.written import plain as task
from tests.loyalty.tiers.schemes import plain as tier_scheme

WIDTHS = {"phone": (360, 740), "desktop": (1440, 900)}
LEAF = "0x" + "ab" * 32
TASKS = (
    task("litres", {"kind": "in_sum", "measure": "litres"}, (100, 50), (300, 200), (500, 500), round="month")
    | {
        "name": {"en": "Fill up this month", "zh": "本月加油"},
        "description": {"en": "Every litre counts.", "zh": "每一升都算数。"},
    },
    task("days", {"kind": "streak"}, (3, 100), times=2) | {"name": {"en": "Three days running", "zh": "连续三天"}},
    task("breadth", {"kind": "breadth", "of": "categories"}, (2, 20)) | {"name": {"en": "New tastes", "zh": "尝尝新"}},
)


class Network:
    """What the network says of everybody, in its place."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.points = 12_345

    def of(self, _customer: str, _today: object, _days: int) -> tuple[Holding, ...]:
        """Some points, of which some expire."""
        return (Holding("FUEL", self.points, 0, [Expiring(self.world.clock.now().date() + timedelta(9), 700)]),)


@dataclass(slots=True)
class Site:
    """The programme, where it is served, and one customer."""

    world: World
    customer: str
    network: Network
    url: str = ""

    def sell(self, *lines: dict[str, object]) -> None:
        """A till sends a sale of now."""
        now = self.world.clock.now()
        when = {"business_day": f"{now:%Y-%m-%d}", "time": f"{now:%Y-%m-%dT%H:%M:%S}+00:00"}
        self.world.shop.sell(*lines, customer=self.customer, **when)

    def secret(self) -> str:
        """The secret of a new session of the customer."""
        browser = self.world.signed_in(CHEN)
        self.world.clock.ahead += timedelta(hours=1, minutes=1)  # so that the next one gets a code, too
        return browser.secret()


def seeded(world: World) -> Site:
    """Some days of one customer."""
    world.shop.open()
    chen = world.customer(CHEN)
    plan(world, "tier-schemes", {"scheme": tier_scheme()})
    for one in TASKS:
        plan(world, "tasks", {"program": "FUEL", "task": one})
    plan(world, "referral-schemes", {"program": "FUEL", "scheme": referral_scheme()})
    assert world.app
    network = Network(world)
    world.parts.balances = network  # type: ignore[assignment]
    site = Site(world, chen, network)
    site.sell(fuel(40), goods("drinks", 1_250))
    sale = world.shop.sell(fuel(30), customer=chen)
    done(world.shop.give_back(sale, (1, 10_000, 80_000_000)))
    browser = world.signed_in(CHEN)
    browser.post("/my/friends/code")
    code = next(iter(browser.get("/my/friends").text.split("/my/invitation/")[1:])).split('"')[0]
    world.customer("+8613600136000", referral_code=code)
    browser.post("/my/profile/consents", {"purpose": "marketing", "text_version": "2026-11", "is_given": "yes"})
    with world.database.session.begin() as session:
        for at, wish in enumerate(session.scalars(select(Wish).order_by(Wish.id))):
            if wish.original_id is None and at % 3:
                wish.state, wish.leaf = WishState.SETTLED, LEAF
    return site


@contextmanager
def served(site: Site) -> Iterator[Site]:
    """The site on a port of its own."""
    server = server_of(site.world.app, host="127.0.0.1", port=0, trusted_proxies="127.0.0.1")
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    site.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield site
    server.should_exit = True
    thread.join()


@dataclass(slots=True)
class Visitor:
    """Somebody with a browser. Whatever it complains about fails the test, unless it is `excused`."""

    site: Site
    context: BrowserContext
    page: Page
    language: str
    width: str
    complaints: list[str] = field(default_factory=list)
    excused: tuple[str, ...] = ()

    def open(self, path: str) -> Page:
        """Opens a page."""
        response = self.page.goto(self.site.url + path)
        assert response is not None
        assert response.status == 200, f"{path}: {response.status}"
        return self.page

    def check(self, name: str) -> None:
        """The page is accessible and no wider than the screen. Keeps a screenshot."""
        path = SCREENSHOTS / "customers" / self.language / self.width / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[self.width][0], (
            f"{name} is too wide"
        )
        self.page.evaluate(AXE)
        found = self.page.evaluate(
            "async tags => (await axe.run(document, {runOnly: tags, resultTypes: ['violations']})).violations.map("
            "one => one.id + ': ' + one.nodes.map(node => node.target + ' ' + node.failureSummary).join('; '))",
            list(WCAG),
        )
        assert found == [], f"{name}: " + "\n".join(found)


@contextmanager
def visitor(
    site: Site, browser: Browser, language: str, width: str, *, signed_in: bool, scheme: str = "light"
) -> Iterator[Visitor]:
    """A customer, or a stranger."""
    wide, high = WIDTHS[width]
    with separate(
        browser,
        viewport={"width": wide, "height": high},
        locale=LANGUAGES[language],
        color_scheme=scheme,
        reduced_motion="reduce",
        timezone_id="Asia/Shanghai",
    ) as context:
        context.add_cookies([{"name": LANGUAGE_COOKIE, "value": language, "url": site.url}])
        if signed_in:
            context.add_cookies([{"name": "loyalty_customer", "value": site.secret(), "url": site.url}])
        found = Visitor(site, context, context.new_page(), language, width)
        _listen(found.page, found.complaints)
        yield found
        left = [one for one in found.complaints if not any(word in one for word in found.excused)]
        assert left == [], "\n".join(left)
