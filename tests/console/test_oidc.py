"""Signing in at another issuer, in a real browser: a provider of OpenID Connect, a gateway and a console in this process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from clearing.runtime.embedded.ports import free_port
from tests.console.sending import opened
from tests.console.served import served
from tests.console.site import AXE, LANGUAGES, WCAG, separate
from tests.gateway.site import Site
from tests.gateway.staff import worker
from tests.support.other_issuer import other_issuer

NAME = "伙伴目录"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with other_issuer() as url:
        yield url


@pytest.fixture(scope="module")
def place(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A gateway with this issuer, and the address of its console."""
    directory = tmp_path_factory.mktemp("oidc")
    port = free_port()
    options: dict[str, Any] = {
        "oidc_issuer": issuer,
        "oidc_name": NAME,
        "oidc_client_id": "tongdui-console",
        "oidc_client_secret": "s3cret",
        "console_url": f"http://127.0.0.1:{port}",
    }
    with (
        Site(f"sqlite:///{directory / 'x.db'}", directory, **options) as site,
        served(str(site.http.base_url), port=port) as url,
    ):
        worker(site, "admin", site.merchant("Gas"), email="li@partner.example", name="李娜")
        yield site, url


@pytest.fixture
def browsing(browser: Browser) -> Iterator[BrowserContext]:
    with separate(browser, locale=LANGUAGES["zh"]) as context:
        yield context


def _at_the_issuer(context: BrowserContext, url: str, path: str = "/sign-in") -> Page:
    page = context.new_page()
    page.goto(url + path)
    page.get_by_role("link", name=f"通过 {NAME} 登录").click()
    page.wait_for_url("http://localhost:*/**")
    return page


def _say(page: Page, sub: str) -> None:
    """Signs in at the issuer."""
    page.fill("input[name=sub]", sub)
    page.get_by_role("button", name="Authorize").click()


def test_a_person_comes_in_and_gets_where_it_was_going(place: tuple[Site, str], browsing: BrowserContext) -> None:
    _, url = place
    page = _at_the_issuer(browsing, url, "/account")
    (kept,) = (one for one in browsing.cookies() if one["name"] == "tongdui_oidc")
    assert (kept["httpOnly"], kept["sameSite"], kept["path"]) == (True, "Lax", "/")
    _say(page, "li")
    expect(page).to_have_url(url + "/account")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()  # which is what Li reads
    expect(page.locator(".who")).to_contain_text("李娜")
    cookies = {one["name"]: one for one in browsing.cookies()}
    assert "tongdui_oidc" not in cookies, "an attempt ends once"
    assert cookies["tongdui_session"]["sameSite"] == "Strict"
    page.locator(".who").click()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="我的账户")).to_be_visible()


@pytest.mark.parametrize(
    ("sub", "said"),
    [("eve", "其他身份提供方未让您登录，请重新开始。"), ("nobody", "这里没有人使用该邮箱，请先申请邀请。")],
    ids=["unverified", "unknown"],
)
def test_whoever_is_not_known_is_told_why(
    place: tuple[Site, str], browsing: BrowserContext, sub: str, said: str
) -> None:
    _, url = place
    page = _at_the_issuer(browsing, url)
    _say(page, sub)
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.get_by_role("link", name=f"通过 {NAME} 登录")).to_be_visible()
    assert "tongdui_session" not in {one["name"] for one in browsing.cookies()}
    page.evaluate(AXE)
    found = page.evaluate(
        "async tags => (await axe.run(document, {runOnly: tags})).violations.map(one => one.id)", list(WCAG)
    )
    assert found == []


def test_whoever_gives_up_there_is_told_so(place: tuple[Site, str], browsing: BrowserContext) -> None:
    _, url = place
    page = _at_the_issuer(browsing, url)
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("alert")).to_contain_text("对方未允许登录，或您已取消。")


def test_an_answer_counts_in_the_browser_that_asked_and_in_no_other(
    place: tuple[Site, str], browser: Browser, browsing: BrowserContext
) -> None:
    """Somebody who signs in as itself cannot have another browser finish it: that one would work in a stranger's name."""
    _, url = place
    page = _at_the_issuer(browsing, url)
    answer = httpx.post(page.url, data={"sub": "li", "action": "authorize"}, timeout=60)
    back = answer.headers["location"]
    assert back.startswith(url + "/sign-in/oidc?")
    with separate(browser, locale=LANGUAGES["zh"]) as victim:
        other = victim.new_page()
        other.goto(back)
        expect(other.get_by_role("alert")).to_contain_text("这次登录不是从本浏览器开始的")
        assert "tongdui_session" not in {one["name"] for one in victim.cookies()}
        other.get_by_role("link", name=f"通过 {NAME} 登录").click()
        other.wait_for_url("http://localhost:*/**")
        other.goto(back)  # with a state of its own by now
        expect(other.get_by_role("alert")).to_contain_text("这次登录不是从本浏览器开始的")
    page.goto(back)
    expect(page).to_have_url(url + "/home")


def test_a_state_that_is_too_old_is_refused(place: tuple[Site, str], browsing: BrowserContext) -> None:
    site, url = place
    page = _at_the_issuer(browsing, url)
    site.clock.move(timedelta(minutes=11))
    try:
        _say(page, "li")
        expect(page.get_by_role("alert")).to_contain_text("其他身份提供方未让您登录，请重新开始。")
    finally:
        site.clock.move(timedelta(minutes=-11))


def test_nothing_leads_away_from_the_console(place: tuple[Site, str]) -> None:
    _, url = place
    with httpx.Client(base_url=url, headers={"Accept-Language": "en"}, timeout=60) as http:
        for onward in ("https://evil.example/", "//evil.example", "/\\evil.example"):
            begun = http.get("/sign-in/oidc/begin", params={"next": onward})
            assert begun.status_code == 303
            assert begun.headers["location"].startswith("http://localhost:")
            assert "evil" not in begun.headers["set-cookie"]


def test_without_an_issuer_there_is_no_button(place: tuple[Site, str], tmp_path: Any) -> None:
    with (
        Site(f"sqlite:///{tmp_path / 'x.db'}", tmp_path) as site,
        served(str(site.http.base_url)) as url,
        httpx.Client(base_url=url, headers={"Accept-Language": "en"}, timeout=60) as http,
    ):
        assert "/sign-in/oidc" not in opened(http, "/sign-in").text
        assert "The network has no other issuer." in opened(http, "/sign-in/oidc/begin").text
        assert "too long ago" in opened(http, "/sign-in/oidc?code=x&state=y").text


def test_a_gateway_or_an_issuer_that_is_away_leaves_the_password(tmp_path: Any) -> None:
    options = {"oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": "x"}
    with (
        Site(f"sqlite:///{tmp_path / 'x.db'}", tmp_path, **options) as site,
        served(str(site.http.base_url)) as url,
        served("http://127.0.0.1:9") as lonely,
        httpx.Client(headers={"Accept-Language": "en"}, timeout=60) as http,
    ):
        assert "127.0.0.1:9" in http.get(url + "/sign-in").text, "by its host, if it has no name"
        away = http.get(url + "/sign-in/oidc/begin")
        assert (away.status_code, "The other issuer does not answer now." in away.text) == (503, True)
        assert http.get(lonely + "/sign-in").status_code == 200
        assert http.get(lonely + "/sign-in/oidc/begin").status_code == 503
