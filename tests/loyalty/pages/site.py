"""A programme that has seen something of everything, with its staff, served to browsers."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import select

from loyalty.app import create_app
from loyalty.customers.models import ChannelName
from loyalty.earning.rule_sets import write_rule_set
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.ids import new_id
from loyalty.messages.models import Delivery, DeliveryOutcome, MessageState
from loyalty.messages.service import MessageService
from loyalty.mqtt.service import DeviceMessageService
from loyalty.network.differences import DifferenceService
from loyalty.network.models import Wish, WishState
from loyalty.network.wishes import refuse
from loyalty.people.sign_in import Limits, SessionService
from loyalty.seasons.models import StationDay
from loyalty.staff.models import Role
from loyalty.till_files.mappings import mapping_named
from loyalty.till_files.service import TillFileService, fingerprint_of
from loyalty.till_files.work import take_in_kept
from loyalty.web.parts import LANGUAGE_COOKIE
from pages.forms.form import KEY
from tests.console.site import AXE, LANGUAGES, SCREENSHOTS, WCAG, WIDTHS, _listen, separate
from tests.loyalty.earning.programmes import rule, rule_set
from tests.loyalty.fills.forecourt import Forecourt, given
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done, fuel, goods
from tests.loyalty.people.team import Team, team_on
from tests.loyalty.referrals import written as referrals
from tests.loyalty.tasks import written as tasks
from tests.loyalty.tiers import schemes as levels
from tests.loyalty.till_files import back_office as till

RULES = {
    "id": "club",
    "name": {"en": "Club", "zh": "会员"},
}
OTHER_CARD = "6222000054321"
LEAF = "0x" + "ab" * 32
CONSOLE = "https://console.example"


def _named(key: str, en: str, zh: str, effect: dict[str, Any], **more: Any) -> dict[str, Any]:
    return rule(key, effect, **more) | {"name": {"en": en, "zh": zh}}


LIVE = rule_set(
    _named(
        "litre",
        "points by the litre",
        "加油积分",
        {"kind": "per_litre", "points": 5},
        condition="line.category == 'fuel'",
        budget={"points_per_month": 100_000, "points_in_all": 1_000},
    ),
    _named("yuan", "points by the yuan", "消费积分", {"kind": "per_yuan", "points": 1}, cap=500),
    **RULES,
)
CANDIDATE = rule_set(
    _named(
        "litre",
        "points by the litre",
        "加油积分",
        {"kind": "per_litre", "points": 8},
        condition="line.category == 'fuel'",
    ),
    version=2,
    **RULES,
)

TIERS = levels.plain(window={"kind": "rolling", "days": 1_100})
"""By which the week at the station makes somebody silver."""
HIGHER = levels.plain(version=2, grace_days=0, levels=[TIERS["levels"][0], TIERS["levels"][2]])
"""Without silver: whoever had it goes down."""
THREE_DAYS = tasks.plain(
    "three-days",
    {"kind": "streak"},
    (3, 100),
    (20, 500),
    name={"en": "Days running", "zh": "连续加油"},
    description={"en": "Fill up on days running.", "zh": "连续多日加油。"},
    condition="line.category == 'fuel'",
    budget={"points_in_all": 1_000},
)
AT_ONCE = {"kind": "at_once", "measure": "litres", "amount": 40}
GIFTS = {
    "id": "gifts",
    "version": 1,
    "name": {"en": "Gifts", "zh": "礼物"},
    "time_zone": "Asia/Shanghai",
    "effective": {"from": "2026-01-01"},
    "joining": {"points": 50, "after": "first_sale"},
    "profile": {"points": 30, "needs": ["card", "birthday"], "consents": ["marketing"]},
    "birthday": {"points": 100, "tiers": ["silver", "gold"]},
}


@dataclass(slots=True)
class Site:
    """The programme. `things` has the id of something of each kind, by the name that routes give it."""

    team: Team
    shop: Shop
    things: dict[str, str] = field(default_factory=dict)
    url: str = ""
    code: str = ""
    """A referral code that somebody has."""

    @property
    def database(self) -> Database:
        """Its database."""
        return self.team.database

    def secret(self, role: Role) -> str:
        """The secret of a new session."""
        with self.database.session.begin() as session:
            service = SessionService(session, Limits(*_LIMITS))
            from loyalty.people.models import Person  # noqa: PLC0415

            person = session.get_one(Person, self.team.members[role].id)
            return service.begin(person, address="test", browser="a test")


def _limits() -> tuple[Any, Any]:
    return timedelta(hours=1), timedelta(hours=10)


_LIMITS = _limits()


def seeded(database: Database, clock: ShiftedClock) -> Site:
    """A week at a station."""
    site = Site(team_on(database, clock, console_url=CONSOLE), Shop(api_on(database)))
    shop = site.shop
    shop.open(None)
    uncovered = shop.sell(fuel(20), customer=shop.customer())
    published = shop.publish(LIVE)
    draft = done(
        shop.api.post(
            "/v1/rule-sets", {"program": "FUEL", "rules": json.loads(write_rule_set(CANDIDATE))}, Role.MARKETING
        )
    )
    plans = {
        "live_tiers": publish_plan(shop, "tier-schemes", "scheme", TIERS),
        "tier_scheme": add_plan(shop, "tier-schemes", "scheme", HIGHER),
        "live_task": publish_plan(shop, "tasks", "task", THREE_DAYS),
        "task": add_plan(shop, "tasks", "task", THREE_DAYS | {"version": 2, "goal": AT_ONCE, "round": "month"}),
        "live_referrals": publish_plan(shop, "referral-schemes", "scheme", referrals.plain()),
        "referral_scheme": add_plan(shop, "referral-schemes", "scheme", referrals.plain(version=2)),
        "live_gifts": publish_plan(shop, "gift-plans", "plan", GIFTS),
        "gift_plan": add_plan(shop, "gift-plans", "plan", GIFTS | {"version": 2}),
    }
    chen = shop.customer("6222000012345", birthday={"month": 2, "day": 29})
    shop.api.post(
        f"/v1/customers/{chen}/consents", {"purpose": "marketing", "text_version": "2026-11", "is_given": True}
    )
    for day in range(1, 8):
        sale = shop.sell(
            fuel(30 + day), goods("drinks", 1_250), customer=chen, business_day=f"2026-07-{day:02}",
            time=f"2026-07-{day:02}T10:00:00+08:00",
        )  # fmt: skip
    shop.sell(fuel(15), shown={"kind": "plate", "value": "京A12345"})
    done(shop.give_back(sale, (1, 10_000, 80_000_000)))
    waiting = shop.sale(fuel(10))
    done(shop.give_back(waiting, (1, 10_000, 80_000_000)))
    site.things = {"customer": chen, "sale": sale["id"], "uncovered": uncovered["id"], "rule_set": draft["id"]}
    site.things |= {"published": published["id"], "station": "S17"}
    forecourt = Forecourt(shop)
    pump = forecourt.add("pump", "P3", category="fuel")
    camera = forecourt.add("plate_camera", "P3")
    camera.saw("plate_seen", 0, plate="京A99999")
    fill = pump.saw("done", 5, fill="118", **given())["fill"]
    pump.saw("started", 20, fill="119")
    wrong = shop.sell(fuel(2), customer=chen, business_day="2026-06-30", time="2026-06-30T10:00:00+08:00")
    right = {name: wrong[name] for name in ("business_day", "till", "time")} | {"number": "right", "customer": chen}
    sold = [{"number": 1, **fuel(1)}]
    correction = {"station": "S17", "wrong": document(wrong), "right": right | {"lines": sold}, "reason": "a test"}
    done(shop.api.post("/v1/corrections", correction))
    site.code = done(shop.api.post(f"/v1/customers/{chen}/referral-code", {}))["code"]
    early = shop.sell(fuel(8), customer=shop.customer(), business_day="2019-07-01", time="2019-07-01T10:00:00+08:00")
    nobodys = shop.sell(fuel(9))
    plans |= {
        "fill": fill,
        "device": pump.id,
        "corrected": wrong["id"],
        "nobodys": nobodys["id"],
        "other": shop.customer(OTHER_CARD),
        "early": early["id"],
        "file": till_file(shop),
    }
    site.things |= plans
    with database.session.begin() as session:
        kept = DeviceMessageService(session).take(f"tongdui/S17/{pump.id}/events", b'{"number": "7", "kind": "done"}')
        assert kept is not None
        site.things["refused_message"] = kept.id
    last_year(database, clock.now().date())
    site.things |= {"kind": "task_done", "message": told(database, chen, "failed")}
    with database.session.begin() as session:
        wishes = session.scalars(select(Wish).order_by(Wish.id)).all()
        for at, wish in enumerate(wishes):
            if at % 5 == 4:
                refuse(wish, "member_unknown", "the network does not know this member")
            elif wish.original_id is None:
                wish.state, wish.leaf, wish.movement = WishState.SETTLED, LEAF, f"mov_{at}"
                wish.tx_hash, wish.block_number, wish.settled_at = LEAF, at, clock.now()
        site.things["wish"] = next(wish.id for wish in wishes if wish.state is WishState.REFUSED)
        DifferenceService(session).note(
            "points_differ", wishes[0].id, wishes[0].reference, {"points": 5}, {"points": 6, "state": "settled"}
        )
        (difference,), _ = DifferenceService(session).page(is_open=True, cursor=None, limit=1)
        site.things["difference"] = difference.id
    site.things["person"] = site.team.members[Role.CASHIER].id
    site.things["key"] = done(shop.api.post("/v1/keys", {"name": "till 3", "role": "cashier"}))["id"]
    return site


def last_year(database: Database, today: date) -> None:
    """What a station sold in a year, of which four months are quiet."""
    with database.session.begin() as session:
        for back in range(1, 380):
            day = today - timedelta(days=back)
            micros, points = (1_000_000_000, 500) if day.month in (1, 2, 3, 4) else (3_000_000_000, 1_500)
            session.add(StationDay(station_id="S17", business_day=day, sales=9, spend_micros=micros, points=points))


def told(database: Database, customer: str, matter: str) -> str:
    """A message that no channel has taken; the id."""
    with database.session.begin() as session:
        messages = MessageService(session)
        values = {"points": 300, "reason": {"en": "three days running", "zh": "连续三天加油"}}
        messages.notify(customer, "task_done", matter, values)
        message = next(
            one
            for one in messages.page(customer=customer, kind="task_done", state=None, cursor=None, limit=9)[0]
            if one.matter == matter
        )
        session.add(
            Delivery(
                id=new_id("dlv"), message_id=message.id, customer_id=customer, channel=ChannelName.SMS, language="zh",
                outcome=DeliveryOutcome.NOT_SENT, detail="503: the service is down",
            )
        )  # fmt: skip
        message.state, message.tries = MessageState.FAILED, 6
        return message.id


def till_file(shop: Shop, number: int = 700) -> str:
    """A till's file with a sale, and a return of which nobody knows the sale; the id."""
    rows = (till.fuel(number), till.tea(f"R{number}", pieces=-1, original="777", minute=5))
    content = "\n".join((till.HEADER, *rows, "")).encode()
    with shop.api.database.session.begin() as session:
        file = (
            TillFileService(session)
            .send(
                "S17",
                "2026-07-07.csv",
                fingerprint_of(content),
                mapping_named("station", None),
                actor="test",
                content=content,
            )
            .id
        )
    take_in_kept(shop.api.database, file, None)
    return file


def add_plan(shop: Shop, kind: str, field: str, plan: dict[str, Any]) -> str:
    """Keeps a draft of a plan of a kind; the id."""
    more = {} if kind == "tier-schemes" else {"program": "FUEL"}
    return str(done(shop.api.post(f"/v1/{kind}", {field: plan, **more}, Role.MARKETING))["id"])


def publish_plan(shop: Shop, kind: str, field: str, plan: dict[str, Any]) -> str:
    """Puts a plan of a kind into force; the id."""
    kept = add_plan(shop, kind, field, plan)
    done(shop.api.post(f"/v1/{kind}/{kept}/publish", {"reason": "a test"}))
    return kept


def document(sale: dict[str, Any]) -> dict[str, Any]:
    """The number of a sale's document."""
    return {name: sale[name] for name in ("business_day", "till", "number")}


@contextmanager
def served(site: Site) -> Iterator[Site]:
    """The site on a port of its own."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(site.database, site.team.settings), port=0, log_level="warning", access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    site.url = f"http://127.0.0.1:{port}"
    yield site
    server.should_exit = True
    thread.join()


@dataclass(slots=True)
class Visitor:
    """Somebody with a browser. Whatever it complains about fails the test, unless it is `excused`."""

    site: Site
    context: BrowserContext
    page: Page
    role: str
    language: str
    width: str
    complaints: list[str] = field(default_factory=list)
    excused: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Opens a page, and waits until it is drawn."""
        response = self.page.goto(self.site.url + path)
        assert response is not None
        assert response.status == 200, f"{path}: {response.status}"
        self.page.wait_for_load_state("load")
        self.page.wait_for_selector(".chart-canvas:not(:has(svg))", state="detached")
        return self.page

    def check(self, name: str) -> None:
        """The page is accessible and no wider than the screen. Keeps a screenshot."""
        found = self.mistakes(name)
        assert found == [], "\n".join(found)

    def mistakes(self, name: str) -> list[str]:
        """What is wrong with the page as it is now. Keeps a screenshot."""
        path = SCREENSHOTS / "loyalty" / self.language / self.width / self.role / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        wide = [] if width <= WIDTHS[self.width][0] else [f"{self.page.url} is wider than the screen: {width}"]
        self.page.evaluate(AXE)
        found = self.page.evaluate(
            "async tags => (await axe.run(document, {runOnly: tags, resultTypes: ['violations']})).violations.map("
            "one => one.id + ': ' + one.nodes.map(node => node.target + ' ' + node.failureSummary).join('; '))",
            list(WCAG),
        )
        return wide + [f"{self.page.url} ({self.language}, {self.width}): {one}" for one in found]

    def finish(self) -> None:
        """Nothing may be left to complain about."""
        left = [one for one in self.complaints if not any(re.search(excuse, one) for excuse in self.excused)]
        assert left == [], "\n".join(left)


@contextmanager
def visitor(site: Site, browser: Browser, role: Role | None, language: str, width: str) -> Iterator[Visitor]:
    """Somebody of a role, or somebody who has not signed in."""
    wide, high = WIDTHS[width]
    with separate(
        browser,
        viewport={"width": wide, "height": high},
        locale=LANGUAGES[language],
        color_scheme="light",
        reduced_motion="reduce",
        timezone_id="Asia/Shanghai",
    ) as context:
        context.add_cookies([{"name": LANGUAGE_COOKIE, "value": language, "url": site.url}])
        if role is not None:
            context.add_cookies([{"name": "loyalty_session", "value": site.secret(role), "url": site.url}])
        found = Visitor(site, context, context.new_page(), role or "nobody", language, width)
        _listen(found.page, found.complaints)
        yield found
        found.finish()


__all__ = ["KEY", "Site", "Visitor", "seeded", "served", "visitor"]
