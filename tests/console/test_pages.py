"""Every page of the console, for each seat that sees it, in both languages, on a phone and on a desktop."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from starlette.routing import compile_path

from console.pages import PAGES
from console.registry import EVERYBODY
from tests.console.site import Person, Site
from tests.support.nightly import IS_NIGHTLY

SEATS = tuple(sorted(EVERYBODY))
WALKERS = SEATS if IS_NIGHTLY else ("merchant:admin", "operator", "treasury")
"""Together they see every page; what differs for the others is which pages, and that is compared without a browser. All walk at
night."""


def patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The name of each page that can be opened, and what its addresses look like: those that are below another come first."""
    found = []
    for page in PAGES:
        for route in page.router.routes:
            if "GET" in (getattr(route, "methods", None) or ()):
                path = page.path + getattr(route, "path", "")
                found.append((path, compile_path(path)[0]))
    return sorted(found, key=lambda one: ("{" in one[0], one[0]))


PATTERNS = patterns()


def pattern_of(address: str) -> str | None:
    """Which page an address is."""
    path = urlsplit(address).path
    return next((name for name, expression in PATTERNS if expression.match(path)), None)


WAYS = [("zh", "phone"), ("en", "desktop"), ("zh", "desktop"), ("en", "phone")]
"""Each language and each width. By day each walker goes one of these ways, at night all."""


@pytest.mark.parametrize(
    ("seat", "language", "width"),
    [(seat, *way) for number, seat in enumerate(WALKERS) for way in (WAYS if IS_NIGHTLY else [WAYS[number]])],
)
def test_a_seat_can_use_every_page_that_it_sees(
    someone: Callable[..., Person], seat: str, language: str, width: str
) -> None:
    """Begins with the navigation, and follows the first link to each further page: what is inside a page is found by its links."""
    visitor = someone(seat, language=language, width=width)
    waiting = [page.path for page in PAGES if seat in page.seats and page.group is not None]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop(0)
        name = pattern_of(path)
        if name is None or name in seen or name in NO_PAGES:
            continue
        seen.add(name)
        page = visitor.open(path)
        if "text/html" not in page.evaluate("document.contentType"):
            continue
        page.wait_for_selector(".chart-canvas:not(:has(svg))", state="detached")  # charts are drawn
        visitor.check(re.sub(r"[{}]", "", name).strip("/").replace("/", "-"))
        waiting += page.eval_on_selector_all(
            "main a[href^='/']:not([download]), .menu-panel a[href^='/']",
            "links => links.map(one => one.getAttribute('href'))",
        )


NO_PAGES = frozenset({"/audits/{audit}/files/{name}"})
"""Routes that links lead to and that show no page."""


@pytest.mark.parametrize("seat", SEATS)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_only_its_seats_see_a_page(site: Site, seat: str, page: object) -> None:
    path, seats = page.path, page.seats  # type: ignore[attr-defined]
    with site.http(site.seats[seat]) as http:
        status = http.get(path).status_code
    assert (status == 200) if seat in seats else (status in (403, 404)), f"{seat} {path}: {status}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nobody_sees_a_page_without_signing_in(site: Site, page: object) -> None:
    with site.http() as http:
        answer = http.get(page.path)  # type: ignore[attr-defined]
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_every_page_has_seats_that_there_are() -> None:
    assert all(page.seats <= EVERYBODY and page.seats for page in PAGES)
    assert len({page.name for page in PAGES}) == len(PAGES)


def test_the_walkers_together_see_every_page() -> None:
    assert all(page.seats & set(WALKERS) for page in PAGES)
