"""A programme with customers who have phones, and browsers without a screen that sign them in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Mount

from loyalty.app import create_app
from loyalty.customer_pages.parts import Parts
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.messages.templates import Text
from loyalty.staff.models import Role
from pages import csrf
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done

SECRET = "a secret of customers in these tests"
CHEN, LI = "+8613800138000", "+8613900139000"
CONSENTS = """
[marketing]
version = "2026-11"
title = {en = "Offers", zh = "优惠信息"}
text = {en = "You may send me offers by message.", zh = "我同意接收优惠短信。"}

[profiling]
version = "1"
title = {en = "Personal offers", zh = "个性化推荐"}
text = {en = "You may choose offers by what I buy.", zh = "我同意按消费记录推荐优惠。"}
"""


@dataclass(slots=True)
class Sent:
    """What went out by text message, in the place of a service that costs money for each."""

    messages: list[tuple[str, str, Text]] = field(default_factory=list)

    def send(self, channel: str, to: str, text: Text) -> None:
        """Keeps a message."""
        self.messages.append((channel, to, text))

    def code(self) -> str:
        """The code of the last message."""
        return re.findall(r"\b\d{6}\b", self.messages[-1][2].body)[0]


@dataclass(slots=True)
class World:
    """The customers' pages of a programme."""

    database: Database
    clock: ShiftedClock
    settings: Settings
    shop: Shop
    sent: Sent = field(default_factory=Sent)
    _app: FastAPI | None = None

    @property
    def app(self) -> FastAPI:
        """The application. Its messages are kept here."""
        if self._app is None:
            self._app = create_app(self.database, self.settings)
            self.parts.channels = self.sent  # type: ignore[assignment]
        return self._app

    @property
    def parts(self) -> Parts:
        """What the customers' pages share."""
        assert self._app is not None
        mounted = next(route for route in self._app.routes if isinstance(route, Mount) and route.path == "/my")
        found: Parts = mounted.app.state.parts  # type: ignore[attr-defined]
        return found

    def customer(self, phone: str, **more: Any) -> str:
        """Somebody joins with a phone; the id."""
        identifiers = [{"kind": "phone", "value": phone}]
        return str(done(self.shop.api.post("/v1/customers", {"identifiers": identifiers, **more}))["id"])

    def browser(self, language: str = "en", **more: Any) -> Browser:
        """A browser in which nobody has signed in."""
        http = TestClient(
            self.app,
            headers={"Accept-Language": language},
            follow_redirects=False,
            raise_server_exceptions=False,
            **more,
        )
        return Browser(self, http)

    def signed_in(self, phone: str, language: str = "en") -> Browser:
        """A browser in which a customer has signed in."""
        browser = self.browser(language)
        browser.ask(phone)
        answer = browser.enter(self.sent.code())
        assert answer.status_code == 303, answer.text
        return browser


@dataclass(slots=True)
class Browser:
    """Cookies, and forms as pages show them."""

    world: World
    http: TestClient

    def get(self, path: str, **params: Any) -> httpx.Response:
        """Opens a page."""
        return self.http.get(path, params=params or None)

    def post(self, path: str, values: Mapping[str, Any] | None = None, *, token: str | None = None) -> httpx.Response:
        """Sends a form with the token of this browser's session, or with another one."""
        own = {csrf.FIELD: csrf.token_for(self.secret()) if token is None else token}
        return self.http.post(path, data={**own, **(values or {})})

    def secret(self) -> str:
        """What forms' tokens are made of."""
        names = ("loyalty_customer", "loyalty_customer_visit")
        if not any(self.http.cookies.get(name) for name in names):
            self.get("/my/sign-in")
        return str(next(found for name in names if (found := self.http.cookies.get(name))))

    def ask(self, phone: str, **more: str) -> httpx.Response:
        """Asks for a code."""
        return self.post("/my/sign-in", {"phone": phone, **more})

    def enter(self, code: str, **more: str) -> httpx.Response:
        """Types a code."""
        return self.post("/my/sign-in/code", {"code": code, **more})


def world_on(database: Database, clock: ShiftedClock, folder: Path, **more: Any) -> World:
    """The customers' pages on a database, at a station that is open."""
    consents = folder / "consents.toml"
    consents.write_text(CONSENTS, encoding="utf-8")
    settings = Settings(customer_secret=SECRET, consents_file=consents, **more)
    return World(database, clock, settings, Shop(api_on(database)))


def text_of(answer: httpx.Response) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


def plan(world: World, kind: str, body: dict[str, Any]) -> str:
    """Writes a plan and puts it into force; its id."""
    kept = done(world.shop.api.post(f"/v1/{kind}", body, Role.MARKETING))
    done(world.shop.api.post(f"/v1/{kind}/{kept['id']}/publish", {"reason": "a test"}))
    return str(kept["id"])
