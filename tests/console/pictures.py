"""Takes the pictures of the README anew, in both languages: `python -m tests.console.pictures`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from clearing.runtime.embedded.network import EmbeddedNetwork
from tests.console.site import LANGUAGES, ROOT, Site, browsers_arguments, person, seeded
from tongdui import Exchange, Redeem, Spend

FOLDER = ROOT / "docs" / "img"
WIDTH, HEIGHT = 1280, 960
_MEMBERS = ("external:FC-1001", "external:FC-1002", "external:FC-1003")


def main() -> None:
    """Starts a network of its own, lets some more points move, and looks at it."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedNetwork(Path(directory), worker=False, console=True, console_port=0) as network,
        sync_playwright() as playwright,
    ):
        site = seeded(network)
        _move(site)
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=list(browsers_arguments()))
        for language in LANGUAGES:
            _take(site, browser, language)
        browser.close()
        site.close()


def _move(site: Site) -> None:
    """A busy hour."""
    station = site.merchants["FUEL"].client
    swap, taking = site.agreements["FUEL", "MART"].id, site.agreements["FUEL", "WASH"].id
    for round_ in range(6):
        member = _MEMBERS[round_ % len(_MEMBERS)]
        some = [
            Exchange(agreement=swap, member=member, points=100 + 150 * round_),
            Spend(agreement=taking, member=member, points=80 + 40 * round_),
            Redeem(program="FUEL", member=member, points=60 + 20 * round_),
        ]
        station.orders.create(some, wait=60).raise_for_rejection()


def _take(site: Site, browser: Browser, language: str) -> None:
    exchange = site.movements["exchange"].id
    with person(site, browser, "merchant:admin", language=language) as admin:
        page = admin.open("/home")
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        page.wait_for_timeout(1_000)  # the chart is drawn
        page.screenshot(path=FOLDER / f"home-{language}.png")
        page = admin.open(f"/movements/{exchange}")
        page.locator("[data-receipt-check] button[type=submit]").click()
        page.locator("[data-verdict=valid]").wait_for()
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=FOLDER / f"movement-{language}.png")


if __name__ == "__main__":
    main()
