"""People of a programme who have joined, and browsers without a screen that sign them in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pyotp
from fastapi import FastAPI
from fastapi.testclient import TestClient

from loyalty.app import create_app
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.people.models import Person
from loyalty.people.sealing import Seal
from loyalty.people.second_factor import SecondFactorService
from loyalty.people.service import PeopleService
from loyalty.staff.models import Role
from pages import csrf

SECRET = "a secret of these tests"
PASSWORD = "Correct-Horse-7"
NAMES = {Role.MANAGER: "赵启明", Role.MARKETING: "林岚", Role.CASHIER: "陈小燕", Role.AUDITOR: "郑清"}


@dataclass(slots=True)
class Member:
    """Somebody who has joined, with an app."""

    id: str
    login: str
    app: pyotp.TOTP
    clock: ShiftedClock
    recovery_codes: list[str] = field(default_factory=list)

    def code(self) -> str:
        """The app's next code: a code is good once, so the clock moves on to it."""
        self.clock.ahead += timedelta(seconds=31)
        return self.app.at(self.clock.now())


@dataclass(slots=True)
class Team:
    """The staff pages of a programme, and who works there."""

    database: Database
    clock: ShiftedClock
    settings: Settings
    seal: Seal = field(default_factory=lambda: Seal(SECRET))
    members: dict[Role, Member] = field(default_factory=dict)
    _app: FastAPI | None = None

    def browser(self, language: str = "en", **more: Any) -> Browser:
        """A browser in which nobody has signed in."""
        self._app = self._app or create_app(self.database, self.settings)
        http = TestClient(self._app, headers={"Accept-Language": language}, follow_redirects=False, **more)
        return Browser(self, http)

    def signed_in(self, role: Role, language: str = "en") -> Browser:
        """A browser in which somebody of this role has signed in."""
        browser = self.browser(language)
        answer = browser.sign_in(self.members[role])
        assert answer.status_code == 303, answer.text
        return browser


@dataclass(slots=True)
class Browser:
    """Cookies, and forms as pages show them."""

    team: Team
    http: TestClient

    def get(self, path: str, **params: Any) -> httpx.Response:
        """Opens a page."""
        return self.http.get(path, params=params or None)

    def post(
        self,
        path: str,
        values: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        files: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> httpx.Response:
        """Sends a form with the token of this browser's session, or with another one."""
        own = {csrf.FIELD: csrf.token_for(self.secret()) if token is None else token}
        return self.http.post(path, data={**own, **(values or {})}, files=files)

    def secret(self) -> str:
        """What forms' tokens are made of."""
        found = self.http.cookies.get("loyalty_session") or self.http.cookies.get("loyalty_visit")
        if found is None:
            self.get("/staff/sign-in")
            found = self.http.cookies["loyalty_visit"]
        return str(found)

    def sign_in(self, member: Member, **other: str) -> httpx.Response:
        """Signs somebody in."""
        values = {"login": member.login, "password": PASSWORD, "code": other.get("code") or member.code()}
        return self.post("/staff/sign-in", values | other)


def team_on(database: Database, clock: ShiftedClock, **settings: Any) -> Team:
    """The staff pages on a database, with somebody of each role."""
    team = Team(database, clock, Settings(staff_secret=SECRET, **settings))
    for role, name in NAMES.items():
        team.members[role] = join(team, role.value, name, role)
    return team


def join(team: Team, login: str, name: str, role: Role) -> Member:
    """Somebody joins by a link."""
    with team.database.session.begin() as session:
        people = PeopleService(session)
        person, link = people.invite(login, name, role, actor="test")
        assert people.of_link(link) is person
        app = pyotp.TOTP(people.choose_password(person, PASSWORD, team.seal).secret)
        member = Member(person.id, login, app, team.clock)
        codes = people.join(person, member.code(), team.seal)
    assert codes is not None
    member.recovery_codes = codes
    return member


def app_of(team: Team, person: Person) -> pyotp.TOTP:
    """A person's app."""
    with team.database.reading() as session:
        return pyotp.TOTP(SecondFactorService(session, team.seal).shown(person).secret)


def text_of(answer: httpx.Response) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())
