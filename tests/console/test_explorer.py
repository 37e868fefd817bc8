"""The explorer: batches, entries and receipts, for everybody only if the operator wants that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest
from playwright.sync_api import Browser

from clearing.kit.database import Database
from gateway.app import create_app
from scripts.dev.serving import serving
from tests.console.browser_receipts import Check
from tests.console.served import served
from tests.console.site import Person, Site, person

Someone = Callable[..., Person]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_from_a_batch_to_a_proven_entry(site: Site, someone: Someone, language: str) -> None:
    auditor = someone("auditor", language=language)
    entry = site.movements["exchange"].settled()
    page = auditor.open("/explorer")
    head = site.operator.batches.list().page().data[0].head
    assert page.locator(f"[data-copy='{head}']").count() == 1
    page.locator("#q-q").fill(str(entry.batch))
    page.locator("#q-q").press("Enter")
    page.wait_for_url(f"**/explorer/batches/{entry.batch}")
    page.locator(f"a[href='/explorer/entries/{entry.leaf}']").click()
    page.wait_for_url(f"**/explorer/entries/{entry.leaf}")
    assert Check(page).run() == "valid"


def test_what_is_no_batch_and_no_entry_is_said_beside_the_field(someone: Someone) -> None:
    auditor = someone("auditor", language="en")
    auditor.excused.append("422")
    page = auditor.open("/explorer?q=hello", status=422)
    assert "Enter a batch's number" in page.locator("#q-q-error").inner_text()
    assert page.locator("#q-q").input_value() == "hello"


def test_an_entry_is_found_by_its_fingerprint(site: Site) -> None:
    leaf = site.movements["exchange"].settled().leaf
    with site.http(site.seats["auditor"]) as http:
        assert (
            http.get(f"/explorer?q={leaf.upper().replace('X', 'x')}").headers["location"] == f"/explorer/entries/{leaf}"
        )
        assert http.get("/explorer?q=1,234").headers["location"] == "/explorer/batches/1234"
        for path in (
            "/explorer/batches/999999",
            "/explorer/batches/x",
            "/explorer/entries/0x" + "12" * 32,
            "/explorer/entries/x",
        ):
            assert http.get(path).status_code in (404, 422), path


def test_a_merchant_sees_its_own_entries_of_a_batch_only(site: Site) -> None:
    issued = site.movements["issue"].settled()
    with site.http(site.strangers["MART"]) as http:
        page = http.get(f"/explorer/batches/{issued.batch}").raise_for_status().text
        assert "None of them is yours" in page
        assert http.get(f"/explorer/entries/{issued.leaf}").status_code == 404
    with site.http(site.seats["merchant:admin"]) as http:
        assert issued.leaf in http.get(f"/explorer/batches/{issued.batch}").text


def test_without_signing_in_the_explorer_is_closed_unless_the_operator_opens_it(site: Site) -> None:
    paths = ("/explorer", "/explorer/check", f"/explorer/entries/{site.movements['exchange'].settled().leaf}")
    with site.http() as http:
        for path in paths:
            assert http.get(path).headers["location"].startswith("/sign-in"), path
    with served(site.network.url, TONGDUI_PUBLIC_EXPLORER=True) as url, httpx.Client(base_url=url, timeout=60) as http:
        assert http.get("/movements").headers["location"].startswith("/sign-in")


@pytest.fixture(scope="module")
def open_gateway(site: Site) -> Iterator[str]:
    """A second gateway of the network, whose operator has opened the explorer."""
    settings = site.network.settings.model_copy(update={"public_explorer": True})
    with (
        closing(Database(settings.database_url)) as database,
        serving(lambda port: create_app(settings.model_copy(update={"gateway_port": port}), database)) as address,
    ):
        yield address


def test_an_open_explorer_needs_no_account(site: Site, browser: Browser, open_gateway: str) -> None:
    entry = site.movements["exchange"].settled()
    with (
        served(open_gateway, TONGDUI_PUBLIC_EXPLORER=True) as url,
        person(site, browser, None, language="en") as nobody,
    ):
        for path in ("/explorer", f"/explorer/batches/{entry.batch}", "/explorer/check"):
            nobody.page.goto(url + path)
            nobody.check(f"explorer{path.rpartition('/')[2]}")
        nobody.page.goto(f"{url}/explorer/entries/{entry.leaf}")
        check = Check(nobody.page)
        check.trust(rpc_url=site.network.rpc_url)
        assert check.run() == "valid"
        nobody.check("explorer-entry")
        assert nobody.page.goto(f"{url}/movements") is not None
        assert "/sign-in" in nobody.page.url


def test_who_looks_without_an_account_chooses_the_language(site: Site, browser: Browser, open_gateway: str) -> None:
    with (
        served(open_gateway, TONGDUI_PUBLIC_EXPLORER=True) as url,
        person(site, browser, None, language="en", at=url) as visitor,
    ):
        page = visitor.open("/explorer/check")
        page.click(".bar details.menu > summary")
        page.get_by_role("button", name="中文").click()
        page.wait_for_url("**/explorer/check")
        assert page.get_attribute("html", "lang") == "zh-CN"
