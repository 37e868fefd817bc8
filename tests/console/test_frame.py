"""What surrounds every page: navigation, language, colours, what is live, signing in and out, what is loaded, what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from clearing.runtime.embedded.ports import free_port
from console.pages import PAGES
from tests.console.lossy import way_to
from tests.console.sending import opened
from tests.console.served import GALLERY, served
from tests.console.site import Person, Site, separate
from tests.gateway.staff import PASSWORD
from tongdui import Client

LARGEST_FIRST_PAGE = 200_000
LONG = """() => {
    const name = "中華人民共和國某某連鎖加油站股份有限公司".repeat(4) + "Aktiengesellschaft".repeat(6);
    const number = "¥" + "18,446,744,073,709.551615";
    for (const place of document.querySelectorAll("h1, .crumbs span, .who span, .who small, .tile-label, td span, th span"))
        if (place.childElementCount === 0) place.textContent = name;
    for (const place of document.querySelectorAll(".tile-value .nowrap, td .nowrap")) place.textContent = number;
}"""
"""Fills the page with what is longest."""


@pytest.fixture(scope="module")
def gallery(site: Site) -> Iterator[str]:
    with served(site.network.url, (*PAGES, GALLERY)) as url:
        yield url


@pytest.mark.parametrize(("width", "scheme"), [("desktop", "light"), ("desktop", "dark"), ("phone", "dark")])
def test_every_component_is_accessible_in_light_and_dark(
    someone: Callable[..., Person], gallery: str, width: str, scheme: str
) -> None:
    visitor = someone("operator", width=width, scheme=scheme, at=gallery)
    page = visitor.open("/gallery")
    expect(page.locator(".chart-canvas svg")).to_have_count(3)
    visitor.check(f"gallery-{scheme}")


# -------------------------------------------------------------------- moving around


def test_somebody_signs_in_gets_where_they_wanted_and_out_again(someone: Callable[..., Person]) -> None:
    visitor = someone(None, language="en")
    page = visitor.open("/home?from=a&to=b")
    assert "/sign-in?next=" in page.url
    visitor.check("sign-in")
    page.fill("#f-email", "admin@fuel.example")
    page.fill("#f-password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/home?from=a&to=b")
    page.click(".bar details.menu > summary")
    assert page.get_attribute("html", "lang") == "en"  # as it was chosen here, although the person's own is Chinese
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert "/sign-in" in visitor.open("/home").url


def test_a_session_that_is_revoked_ends_at_the_next_click(site: Site, someone: Callable[..., Person]) -> None:
    with Client(site.network.url) as client:
        token = client.sessions.create(email="admin@fuel.example", password=PASSWORD).token
    visitor = someone("merchant:admin", language="en", token=token)
    page = visitor.open("/home")
    page.goto("about:blank")  # an open page would notice by itself, and lead to its own sign-in
    with Client(site.network.url, token) as client:
        client.sessions.end()
    page.goto(visitor.url + "/movements")
    assert page.url.endswith("/sign-in?next=%2Fmovements")


def test_language_and_colours_are_a_click_away_and_stay(someone: Callable[..., Person]) -> None:
    visitor = someone("merchant:admin", language="en")
    page = visitor.open("/home")
    page.click(".bar details.menu > summary")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h1")).to_be_visible()
    assert page.get_attribute("html", "lang") == "zh-CN"
    page.click(".bar details.menu > summary")
    page.get_by_role("button", name="深色").click()
    expect(page.locator("html[data-bs-theme=dark]")).to_be_attached()
    visitor.open("/home")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    assert page.get_attribute("html", "lang") == "zh-CN"


def test_without_a_choice_it_is_the_persons_language_that_counts(site: Site) -> None:
    with httpx.Client(base_url=site.url, headers={"Accept-Language": "en"}, timeout=60) as http:
        assert '<html lang="en"' in http.get("/sign-in").text
        typed = {"email": "admin@fuel.example", "password": PASSWORD}
        http.cookies.update(opened(http, "/sign-in").send("/sign-in", **typed).answer.cookies)
        assert '<html lang="zh-CN"' in http.get("/home").text


def test_after_a_refusal_the_language_can_be_changed_and_the_page_opened_anew(
    site: Site, someone: Callable[..., Person]
) -> None:
    """The form was sent to an address at which nothing can be opened."""
    member = site.merchants["FUEL"].client.members.get("external:FC-1001").id
    visitor = someone("merchant:admin", language="en")
    visitor.excused.append("422")
    page = visitor.open(f"/members/{member}")
    page.evaluate("id => document.querySelector(`form[action='/members/${id}/freeze']`).requestSubmit()", member)
    expect(page.locator(".error-summary")).to_be_visible()
    assert page.url.endswith("/freeze")
    page.click(".bar details.menu > summary")
    page.get_by_role("button", name="中文").click()
    page.wait_for_url(f"**/members/{member}")
    assert page.get_attribute("html", "lang") == "zh-CN"
    page.goto(f"{visitor.url}/members/{member}/freeze")
    assert page.url == f"{visitor.url}/members/{member}"


def test_on_a_phone_all_pages_are_in_a_drawer(someone: Callable[..., Person]) -> None:
    visitor = someone("merchant:admin", width="phone")
    page = visitor.open("/home")
    expect(page.locator("nav.side")).to_be_hidden()
    page.locator(".tabs-bottom button").click()
    drawer = page.locator("#drawer")
    expect(drawer).to_be_visible()
    visitor.check()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_the_keyboard_gets_to_the_content_first(someone: Callable[..., Person]) -> None:
    page = someone("merchant:admin").open("/home")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


# -------------------------------------------------------------------- live


def test_what_moves_appears_by_itself(site: Site, someone: Callable[..., Person]) -> None:
    page = someone("merchant:admin", language="en").open("/home")
    expect(page.locator("[data-trouble=connection]")).to_be_empty()
    station = site.merchants["FUEL"].client
    station.members.create(external_id="LIVE-1")
    station.issuances.create(program="FUEL", member="external:LIVE-1", points=77_777, wait=60)
    expect(page.locator("#newest")).to_contain_text("77,777", timeout=60_000)


# -------------------------------------------------------------------- what is loaded


def test_the_first_page_is_small(site: Site, someone: Callable[..., Person]) -> None:
    """Whatever a browser loads for a merchant's first page, as it is sent over https."""
    page = someone("merchant:admin").open("/home")
    expect(page.locator(".chart-canvas svg")).to_have_count(1)
    loaded = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    files = {address.partition("#")[0] for address in loaded if "/static/" in address}
    assert len(files) > 5
    with httpx.Client(
        headers={"Accept-Encoding": "br, gzip"},
        cookies={site.cookie: site.seats["merchant:admin"]},
        timeout=60,
    ) as http:
        sizes = {file: http.get(file).raise_for_status().num_bytes_downloaded for file in [*files, page.url]}
    assert sizes[page.url] > 1_000
    assert sum(sizes.values()) < LARGEST_FIRST_PAGE, sizes


def test_a_page_without_a_chart_loads_no_library_of_charts(someone: Callable[..., Person], gallery: str) -> None:
    page = someone("merchant:admin", at=gallery).open("/gallery/form")
    loaded = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    assert not [address for address in loaded if "drawing" in address]


def test_a_file_is_a_list_that_spreadsheets_open_and_run_nothing_of(site: Site, gallery: str) -> None:
    with httpx.Client(base_url=gallery, cookies={site.cookie: site.seats["operator"]}, timeout=60) as http:
        answer = http.get("/gallery/list.csv")
    assert answer.content.decode("utf-8") == "\ufeffname,points\r\n'=1+1,5\r\n加油积分,7\r\n"
    assert answer.headers["content-disposition"] == 'attachment; filename="list.csv"'


# -------------------------------------------------------------------- what goes wrong


def test_without_the_gateway_a_page_says_so(someone: Callable[..., Person]) -> None:
    with served(f"http://127.0.0.1:{free_port()}") as url:
        visitor = someone("merchant:admin", language="en", at=url)
        visitor.excused.append("503")
        page = visitor.open("/home", status=503)
        expect(page.locator("h1")).to_have_text("The gateway cannot be reached")
        visitor.check("gateway-down")
        with httpx.Client(base_url=url, timeout=60) as http:
            assert http.get("/healthz").text == "ok"


def test_a_page_comes_back_by_itself_when_the_gateway_does(site: Site, someone: Callable[..., Person]) -> None:
    with way_to(site.network.url) as way, served(way.url) as url:
        visitor = someone("merchant:admin", at=url)
        visitor.excused.append("503")
        way.loses = "GET"
        page = visitor.open("/members?q=FC", status=503)
        expect(page.locator("h1")).to_have_text("无法连接网关")
        way.loses = "nothing"
        page.wait_for_url("**/members?q=FC")
        expect(page.locator("nav.side")).to_be_visible()


def test_without_scripts_a_phone_still_reaches_every_page(site: Site, browser: Browser) -> None:
    with separate(browser, java_script_enabled=False, viewport={"width": 390, "height": 844}) as context:
        context.add_cookies([{"name": site.cookie, "value": site.seats["merchant:admin"], "url": site.url}])
        page = context.new_page()
        page.goto(f"{site.url}/members")
        page.locator(".tabs-bottom button").click()
        page.locator("#drawer a[href='/keys']").click()
        page.wait_for_url("**/keys")
        page.click(".bar details.menu > summary")
        page.get_by_role("button", name="English").click()
        page.wait_for_url("**/keys")
        expect(page.locator("h1")).to_have_text("API keys")


def test_after_signing_out_the_back_button_shows_nothing(site: Site, someone: Callable[..., Person]) -> None:
    with Client(site.network.url) as client:
        token = client.sessions.create(email="admin@fuel.example", password=PASSWORD).token
    visitor = someone("merchant:admin", language="en", token=token)
    page = visitor.open("/members")
    page.click(".bar details.menu > summary")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.go_back()
    page.wait_for_url("**/sign-in?next=%2Fmembers")


@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_very_long_names_and_big_numbers_stay_on_the_screen(someone: Callable[..., Person], width: str) -> None:
    visitor = someone("merchant:admin", width=width)
    page = visitor.open("/home")
    page.evaluate(LONG)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    covered = (
        "place => { const r = document.querySelector(place).getBoundingClientRect(); return r.right <= innerWidth }"
    )
    assert page.evaluate(covered, ".bar details.menu")


def test_a_page_that_is_not_there_says_so(someone: Callable[..., Person]) -> None:
    visitor = someone("merchant:admin", language="en")
    visitor.excused.append("404")
    page = visitor.open("/nowhere", status=404)
    expect(page.locator("h1")).to_have_text("There is nothing here")
    visitor.check("not-found")


def test_a_page_that_is_somebody_elses_says_so(someone: Callable[..., Person]) -> None:
    visitor = someone("treasury", language="en")
    visitor.excused.append("403")
    page = visitor.open("/home", status=403)
    expect(page.locator("h1")).to_have_text("This is not yours to see")
    visitor.check("not-yours")
