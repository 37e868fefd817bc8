"""What changes while a page is open: what a person has begun stays, one event costs one request, and trouble is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from console.pages import PAGES
from tests.console.gallery.routes import FETCHED
from tests.console.sending import take_other_seat
from tests.console.served import GALLERY, served
from tests.console.site import Person, Site, two_seats
from tests.gateway.staff import PASSWORD
from tongdui import Client, NotFoundError

NUMBERS = count(1)


@pytest.fixture(scope="module")
def gallery(site: Site) -> Iterator[str]:
    with served(site.network.url, (*PAGES, GALLERY)) as url:
        yield url


@pytest.fixture
def page(someone: Callable[..., Person], gallery: str) -> Page:
    found = someone("merchant:admin", language="en", at=gallery).open("/gallery/live")
    found.wait_for_timeout(500)  # connected
    return found


def happen(site: Site, page: Page) -> Locator:
    """Something happens, and the page has heard it: its plain part shows it."""
    before = page.locator("#plain-times").inner_text()
    site.merchants["FUEL"].client.members.create(external_id=f"HEARD-{next(NUMBERS)}")
    expect(page.locator("#plain-times")).not_to_have_text(before)
    return page.locator("#plain-times")


def times(page: Page, part: str) -> Locator:
    return page.locator(f"#{part} p").first


def catches_up(page: Page, part: str) -> None:
    """The part shows at least as new a page as the plain one."""
    newest = "place => Number.parseInt(document.querySelector(place).textContent)"
    page.wait_for_function(f"part => ({newest})(`#${{part}} p`) >= ({newest})('#plain-times')", arg=part)


# -------------------------------------------------------------------- what somebody has begun


def test_a_question_stays_open_while_something_happens(site: Site, page: Page) -> None:
    page.get_by_role("button", name="Erase").click()
    page.locator("#erase input[name=why]").fill("asked by phone")
    happen(site, page)
    expect(page.locator("#erase")).to_have_js_property("open", True)
    expect(page.locator("#erase input[name=why]")).to_have_value("asked by phone")
    expect(page.locator("#erase input[name=why]")).to_be_focused()
    expect(times(page, "question")).not_to_have_text(page.locator("#plain-times").inner_text())
    page.get_by_role("button", name="Cancel").click()
    catches_up(page, "question")


def test_what_is_typed_stays_while_something_happens(site: Site, page: Page) -> None:
    field = page.locator("#f-external_id")
    field.press_sequentially("FC-10")
    happen(site, page)
    field.press_sequentially("01")
    expect(field).to_have_value("FC-1001")
    page.locator("h1").click()  # what is typed stays, although the field is left
    happen(site, page)
    expect(field).to_have_value("FC-1001")
    field.fill("")
    page.locator("h1").click()
    catches_up(page, "fields")


def test_chosen_text_stays_chosen_while_something_happens(site: Site, page: Page) -> None:
    page.locator("#text-words").dblclick(position={"x": 12, "y": 8})
    chosen = page.evaluate("getSelection().toString()")
    assert chosen.strip()
    happen(site, page)
    assert page.evaluate("getSelection().toString()") == chosen
    page.locator("h1").click()
    catches_up(page, "text")


def test_focus_and_open_tables_stay_when_a_part_changes(site: Site, page: Page) -> None:
    page.locator("#drawn summary").click()
    page.locator("#text a").focus()
    drawn = page.locator("#drawn svg").element_handle()
    told = happen(site, page).inner_text()
    expect(times(page, "text")).to_have_text(told)
    expect(page.locator("#text a")).to_be_focused()
    expect(times(page, "drawn")).to_have_text(told)
    expect(page.locator("#drawn td").first).to_have_text(told.split()[0])
    expect(page.locator("#drawn details")).to_have_js_property("open", True)
    assert drawn is not None
    assert drawn.evaluate("chart => chart.isConnected")


# -------------------------------------------------------------------- what it costs


def test_one_event_fetches_a_page_once_for_all_its_parts(site: Site, page: Page) -> None:
    del FETCHED[:]
    told = happen(site, page).inner_text()
    for part in ("question", "fields", "text", "drawn"):
        expect(times(page, part)).to_have_text(told)
    assert FETCHED == ["yes"]


# -------------------------------------------------------------------- trouble


def test_a_page_says_that_the_gateway_is_away_and_catches_up(
    site: Site, someone: Callable[..., Person], gallery: str
) -> None:
    visitor = someone("merchant:admin", language="en", at=gallery)
    visitor.excused.append("503")
    page = visitor.open("/gallery/live")
    page.wait_for_timeout(500)
    page.route("**/gallery/live", lambda route: route.fulfill(status=503, body="away"))
    site.merchants["FUEL"].client.members.create(external_id=f"HEARD-{next(NUMBERS)}")
    said = page.locator("[data-trouble=gateway]")
    expect(said).to_contain_text("The network does not answer")
    visitor.check("gateway-away")
    before = page.locator("#plain-times").inner_text()
    page.unroute("**/gallery/live")
    expect(page.locator("#plain-times")).not_to_have_text(before)
    expect(said).to_be_empty()


def test_an_idle_page_leads_to_sign_in_when_its_session_ends(
    site: Site, someone: Callable[..., Person], gallery: str
) -> None:
    visitor, token = _own_session(site, someone, gallery)
    page = visitor.open("/gallery/live")
    page.wait_for_timeout(500)
    with Client(site.network.url, token) as client:
        client.sessions.end()
    page.wait_for_url("**/sign-in?next=%2Fgallery%2Flive")


def test_what_is_typed_survives_the_end_of_the_session(
    site: Site, someone: Callable[..., Person], gallery: str
) -> None:
    visitor, token = _own_session(site, someone, gallery)
    page = visitor.open("/gallery/live")
    page.wait_for_timeout(500)
    page.locator("#f-external_id").fill("FC-1001")
    with Client(site.network.url, token) as client:
        client.sessions.end()
    expect(page.locator("[data-trouble=session]")).to_contain_text("Your session has ended")
    expect(page.locator("#f-external_id")).to_have_value("FC-1001")
    visitor.check("session-ended")


def test_what_is_shown_once_survives_the_end_of_the_session(site: Site, someone: Callable[..., Person]) -> None:
    """A browser that reloads what a form has answered sends the form again."""
    visitor, token = _own_session(site, someone, site.url)
    page = visitor.open("/keys/new")
    page.fill("#f-name", "Shown once")
    page.check("input[name=scopes][value=read]")
    page.click("main button[type=submit]")
    secret = page.locator(".secret span").first
    shown = secret.inner_text()
    page.wait_for_timeout(500)
    with Client(site.network.url, token) as client:
        client.sessions.end()
    expect(page.locator("[data-trouble=session]")).to_contain_text("Your session has ended")
    expect(secret).to_have_text(shown)


def _see(page: Page, is_seen: bool) -> None:
    """Somebody turns to another tab, or comes back."""
    page.evaluate(
        """isSeen => {
            Object.defineProperty(document, "hidden", { value: !isSeen, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_seen,
    )


def test_a_page_without_parts_hears_that_its_session_has_ended(
    site: Site, someone: Callable[..., Person], gallery: str
) -> None:
    visitor, token = _own_session(site, someone, gallery)
    visitor.page.clock.install()
    page = visitor.open("/gallery/form")
    page.fill("#f-external_id", "FC-1001")
    _see(page, is_seen=False)
    page.clock.fast_forward(61_000)  # its connection is given up
    with Client(site.network.url, token) as client:
        client.sessions.end()
    with httpx.Client(base_url=gallery, cookies={site.cookie: token}, timeout=60) as http:
        leads_to = http.get("/members").headers["location"]
    assert leads_to.startswith("/sign-in")  # the console knows it, and connects nobody
    _see(page, is_seen=True)
    page.clock.fast_forward(1_000)
    expect(page.locator("[data-trouble=session]")).to_contain_text("Your session has ended")
    expect(page.locator("#f-external_id")).to_have_value("FC-1001")


def test_a_page_without_parts_hears_that_it_is_another_seats(
    site: Site, someone: Callable[..., Person], gallery: str
) -> None:
    token = two_seats(site)
    page = someone("merchant:admin", language="en", token=token, at=gallery).open("/gallery/form")
    _see(page, is_seen=False)
    with httpx.Client(base_url=gallery, cookies={site.cookie: token}, timeout=60) as http:
        take_other_seat(http)
    _see(page, is_seen=True)
    expect(page.locator("[data-trouble=seat]")).to_contain_text("you work as somebody else")


def test_a_part_that_is_not_for_the_new_seat_says_so(site: Site, someone: Callable[..., Person], gallery: str) -> None:
    visitor = someone("merchant:admin", language="en", at=gallery)
    visitor.excused.append("403")
    page = visitor.open("/gallery/live")
    page.wait_for_timeout(500)
    page.route("**/gallery/live", lambda route: route.fulfill(status=403, body="not yours"))
    site.merchants["FUEL"].client.members.create(external_id=f"HEARD-{next(NUMBERS)}")
    expect(page.locator("[data-trouble=seat]")).to_contain_text("you work as somebody else")


def test_a_page_that_cannot_connect_says_so_and_connects_once(someone: Callable[..., Person], gallery: str) -> None:
    """What a fetch has brought says nothing of the connection; and whoever comes and goes meanwhile makes no more of them."""
    visitor = someone("merchant:admin", language="en", at=gallery)
    visitor.excused.append("503")
    visitor.page.clock.install()
    visitor.page.route(f"{gallery}/live", lambda route: route.fulfill(status=503, body="away"))
    with visitor.page.expect_response(f"{gallery}/live"):
        page = visitor.open("/gallery/live")
    said = page.locator("[data-trouble=connection]")
    expect(said).to_contain_text("Connection lost")
    before = page.locator("#plain-times").inner_text()
    page.clock.fast_forward(100)
    expect(page.locator("#plain-times")).not_to_have_text(before)
    assert "Connection lost" in said.inner_text()
    for _ in range(4):
        with page.expect_response(f"{gallery}/live"):
            _see(page, is_seen=False)
            _see(page, is_seen=True)
        page.wait_for_timeout(100)  # the page has heard the answer
    page.unroute(f"{gallery}/live")
    tries: list[str] = []
    page.on("request", lambda request: tries.append(request.url) if request.url == f"{gallery}/live" else None)
    page.clock.fast_forward(60_000)  # whatever waits to try again does
    expect(said).to_be_empty()
    page.clock.fast_forward(60_000)
    page.wait_for_timeout(300)
    assert len(tries) == 1


def _own_session(site: Site, someone: Callable[..., Person], gallery: str) -> tuple[Person, str]:
    with Client(site.network.url) as client:
        token = client.sessions.create(email="admin@fuel.example", password=PASSWORD).token
    assert token is not None
    visitor = someone("merchant:admin", language="en", token=token, at=gallery)
    visitor.excused.append("401")
    return visitor, token


def test_a_page_of_another_seat_says_so_and_takes_nothing(
    site: Site, someone: Callable[..., Person], gallery: str
) -> None:
    """Somebody works for two merchants, in two windows: what was typed for one must not happen for the other."""
    token = two_seats(site)
    visitor = someone("merchant:admin", language="en", token=token, at=gallery)
    visitor.excused.append("403")
    page = visitor.open("/gallery/live")
    acting_for = page.locator(".bar .who small").inner_text()
    form = visitor.context.new_page()
    form.goto(f"{gallery}/gallery/form")
    form.fill("#f-external_id", "MEANT-FOR-ONE")
    other = visitor.context.new_page()
    other.goto(f"{gallery}/gallery/form")
    other.click(".bar details.menu > summary")
    other.locator("form[action='/seat'] [aria-pressed=false]").click()
    expect(other.locator(".bar .who small")).not_to_have_text(acting_for)
    form.click("main button[type=submit]")
    expect(form.locator("h1")).to_have_text("Please send that again")
    for code in ("FUEL", "MART"):
        with pytest.raises(NotFoundError):
            site.merchants[code].client.members.get("external:MEANT-FOR-ONE")
    for code in ("FUEL", "MART"):  # whichever it is, the page hears it
        site.merchants[code].client.members.create(external_id=f"HEARD-{next(NUMBERS)}")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("[data-trouble=seat]")).to_contain_text("you work as somebody else")
    expect(page.locator("#plain-times")).to_be_visible()
    visitor.check("other-seat")
    page.click(".bar details.menu > summary")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    other.wait_for_url("**/sign-in?**")  # nobody is left signed in elsewhere
