"""The customers' pages in a browser: accessible, no wider than a small phone, live, and usable by keyboard."""

from __future__ import annotations

import time
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Browser, expect

from loyalty.customer_pages.watching import MOST_OF_A_SESSION
from tests.loyalty.customer_pages.site import Site, visitor
from tests.loyalty.intake.shop import fuel

WAYS = [("zh", "phone", "light"), ("en", "phone", "dark"), ("en", "desktop", "light")]
PATIENCE = 60.0


@pytest.mark.parametrize(("language", "width", "scheme"), WAYS)
def test_every_page_is_accessible_and_fits(
    site: Site, browser: Browser, language: str, width: str, scheme: str
) -> None:
    with visitor(site, browser, language, width, signed_in=True, scheme=scheme) as somebody:
        for path in ("home", "history", "friends", "profile"):
            somebody.open(f"/my/{path}")
            somebody.check(f"{path}-{scheme}")
        link = somebody.open("/my/friends").locator("a[href*='/my/invitation/']").get_attribute("href")
        assert link is not None
        somebody.open("/my/invitation/" + link.rpartition("/")[2])
        somebody.check(f"invitation-{scheme}")


def test_a_customer_signs_in_by_keyboard_alone(site: Site, browser: Browser) -> None:
    site.world.clock.ahead += timedelta(hours=2)
    with visitor(site, browser, "zh", "phone", signed_in=False) as somebody:
        somebody.excused = ("422",)
        page = somebody.open("/my/home")
        somebody.check("sign-in")
        page.keyboard.type("13800138000")  # the field has the focus
        page.keyboard.press("Enter")
        page.wait_for_url("**/my/sign-in/code*")
        somebody.check("code")
        page.keyboard.type("12")
        page.keyboard.press("Enter")
        page.wait_for_selector(".error-summary")
        somebody.check("code-refused")
        page.fill("input[name=code]", site.world.sent.code())
        page.keyboard.press("Enter")
        page.wait_for_url("**/my/home")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()


@pytest.mark.parametrize(("language", "width", "scheme"), WAYS[:2])
def test_a_friends_link_is_joined_by_keyboard_alone(
    site: Site, browser: Browser, language: str, width: str, scheme: str
) -> None:
    site.world.clock.ahead += timedelta(hours=2)
    with visitor(site, browser, "en", "phone", signed_in=True) as friend:
        link = friend.open("/my/friends").locator("a[href*='/my/invitation/']").get_attribute("href")
    assert link is not None
    with visitor(site, browser, language, width, signed_in=False, scheme=scheme) as somebody:
        page = somebody.open("/my/invitation/" + link.rpartition("/")[2])
        somebody.check(f"invited-{scheme}")
        page.locator("input[name=phone]").focus()
        page.keyboard.type("1350013" + ("5001" if language == "zh" else "5002"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/join")
        somebody.check(f"join-{scheme}")
        page.keyboard.type(site.world.sent.code())  # the field has the focus
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        page.wait_for_url("**/my/home")
        expect(
            page.get_by_text("欢迎！您已加入。" if language == "zh" else "Welcome! You take part from now on.")
        ).to_be_visible()


def test_a_sale_at_the_pump_moves_the_open_page(site: Site, browser: Browser) -> None:
    with visitor(site, browser, "en", "phone", signed_in=True) as somebody:
        page = somebody.open("/my/home")
        page.evaluate("window.isTheSame = true")
        bar = page.locator("progress[aria-label='Fill up this month']")
        before = int(bar.get_attribute("value") or 0)
        site.network.points = 23_456
        site.sell(fuel(25))
        expect(bar).to_have_attribute("value", str(before + 25))
        expect(page.locator(".purse-points")).to_have_text("23,456")
        assert page.evaluate("window.isTheSame")


def test_a_browser_that_was_away_catches_up(site: Site, browser: Browser) -> None:
    with visitor(site, browser, "en", "phone", signed_in=True) as somebody:
        somebody.excused = ("ERR_INTERNET_DISCONNECTED",)
        page = somebody.open("/my/home")
        bar = page.locator("progress[aria-label='Fill up this month']")
        before = int(bar.get_attribute("value") or 0)
        somebody.context.set_offline(True)
        page.evaluate("window.dispatchEvent(new Event('pagehide'))")  # the connection is gone
        site.sell(fuel(12))
        somebody.context.set_offline(False)
        page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
        expect(bar).to_have_attribute("value", str(before + 12))


def test_a_page_whose_session_ended_elsewhere_leaves_by_itself(site: Site, browser: Browser) -> None:
    with visitor(site, browser, "en", "phone", signed_in=True) as somebody:
        somebody.excused = ("401",)
        page = somebody.open("/my/home")
        there = site.world.browser()
        there.http.cookies.set("loyalty_customer", site.secret())
        assert there.post("/my/sign-out/everywhere").status_code == 303
        page.wait_for_url("**/my/sign-in*", timeout=60_000)


def test_a_session_has_few_connections_and_strangers_none(site: Site) -> None:
    cookies = {"loyalty_customer": site.secret()}
    with httpx.Client(base_url=site.url, timeout=30) as client:
        assert client.get("/my/live", headers={"X-Part": "yes"}).status_code == 401
        streams = [client.stream("GET", "/my/live", headers=_cookie(cookies)) for _ in range(MOST_OF_A_SESSION)]
        answers = [stream.__enter__() for stream in streams]
        pieces = [answer.iter_raw() for answer in answers]  # kept: without them the streams would be closed
        assert [next(piece) for piece in pieces] == [b": here\n\n"] * MOST_OF_A_SESSION
        assert client.get("/my/live", headers=_cookie(cookies)).status_code == 429
        others = {"loyalty_customer": site.secret()}
        with client.stream("GET", "/my/live", headers=_cookie(others)) as other:
            assert other.status_code == 200
        for stream in streams:
            stream.__exit__(None, None, None)
        deadline = time.monotonic() + PATIENCE
        while _status(client, cookies) == 429:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _status(client: httpx.Client, cookies: dict[str, str]) -> int:
    with client.stream("GET", "/my/live", headers=_cookie(cookies)) as answer:
        return answer.status_code


def test_all_watchers_share_one_look_a_second(site: Site) -> None:
    """However many connections there are, looks follow each other after the same pause."""
    watcher = site.world.parts.watcher
    with httpx.Client(base_url=site.url, timeout=30) as client:
        streams = [
            client.stream("GET", "/my/live", headers=_cookie({"loyalty_customer": site.secret()})) for _ in range(4)
        ]
        pieces = [stream.__enter__().iter_raw() for stream in streams]
        assert [next(piece) for piece in pieces] == [b": here\n\n"] * len(streams)
        before, began = watcher.looks, time.monotonic()
        deadline = began + PATIENCE
        while watcher.looks < before + 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert watcher.looks - before <= time.monotonic() - began + 1
        for stream in streams:
            stream.__exit__(None, None, None)


def _cookie(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def test_connections_end_when_the_process_does(site: Site, browser: Browser) -> None:
    """Without waiting until those that never end by themselves are cut off."""
    from tests.loyalty.customer_pages.site import served  # noqa: PLC0415

    app = site.world.app
    watcher = type(site.world.parts.watcher)(site.world.database, site.world.parts.limits)
    kept, kept_end = site.world.parts.watcher, app.state.end_streams
    site.world.parts.watcher, app.state.end_streams = watcher, watcher.close
    url = site.url
    try:
        with httpx.Client(timeout=60) as client:
            with served(site):
                stream = client.stream(
                    "GET", f"{site.url}/my/live", headers=_cookie({"loyalty_customer": site.secret()})
                )
                answer = stream.__enter__()
                pieces = answer.iter_raw()
                next(pieces)
            assert [*pieces][-1:] in (
                [],
                [b"data: points\n\n"],
                [b": here\n\n"],
            )  # the end came whole, and was not cut off
            stream.__exit__(None, None, None)
    finally:
        site.world.parts.watcher, app.state.end_streams, site.url = kept, kept_end, url
