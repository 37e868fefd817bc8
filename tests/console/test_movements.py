"""Movements: filters live in the address, pages go by cursor, new ones come without moving what is looked at."""

from __future__ import annotations

import csv
import io
import signal
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from console.app import create_app
from console.movements.filters import asked_of, filters_of
from console.settings import Settings
from tests.console.alone import alone
from tests.console.site import Person, Site
from tongdui import Issue

Someone = Callable[..., Person]
WAIT = 60.0


@pytest.fixture(scope="module", autouse=True)
def many(site: Site) -> None:
    """More movements than two pages have."""
    issues = [Issue(program="FUEL", member="external:FC-1003", points=number) for number in range(1, 121)]
    site.merchants["FUEL"].client.orders.create(issues, wait=WAIT).raise_for_rejection()


def rows(person: Person) -> list[str]:
    """The ids of the movements on the page."""
    return [str(row.get_attribute("id")).removeprefix("row-") for row in person.page.locator("tr[id^=row-]").all()]


def test_filters_live_in_the_address(site: Site, someone: Someone) -> None:
    person = someone("merchant:admin", language="en")
    page = person.open("/movements")
    page.get_by_label("Movement", exact=True).select_option("exchange")
    page.wait_for_url("**/movements?kind=exchange")
    assert rows(person) == [site.movements["exchange"].id]
    page.get_by_label("Member", exact=True).fill("FC-1001")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**/movements?kind=exchange&member=FC-1001")
    assert rows(person) == [site.movements["exchange"].id]
    page.reload()
    assert page.get_by_label("Member", exact=True).input_value() == "FC-1001"
    assert rows(person) == [site.movements["exchange"].id]
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url("**/movements")
    assert len(rows(person)) == 50


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=reverse", ["reverse"]),
        ("direction=in&kind=reverse", ["reverse"]),
        ("program=MART&kind=exchange", ["exchange"]),
        ("reference=RECEIPT-1001", ["issue"]),
        ("member=FC-1002&kind=redeem", ["redeem"]),
        ("state=rejected", []),
    ],
)
def test_every_filter_is_the_gateways(site: Site, query: str, found: list[str]) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        page = http.get(f"/movements?{query}").raise_for_status().text
    shown = {name: f'id="row-{movement.id}"' in page for name, movement in site.movements.items()}
    assert shown == {name: name in found for name in site.movements}


def test_the_reversals_of_a_movement_can_be_listed(site: Site) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        page = http.get(f"/movements?original={site.movements['exchange'].id}").text
    assert f'id="row-{site.movements["reverse"].id}"' in page
    assert page.count('<tr id="row-') == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_cannot_be_meant_is_said_beside_its_field(someone: Someone, language: str) -> None:
    person = someone("merchant:admin", language=language)
    person.excused += ["422", "does not conform to the required format"]
    page = person.open("/movements?from=2026-11-31&kind=gift&member=FC-1", status=422)
    sentences = {
        "en": ("Enter a day, such as 2026-11-26.", "Choose one of those offered."),
        "zh": ("请输入日期，例如 2026-11-26。", "请从给出的选项中选择一项。"),
    }[language]
    for name, sentence in zip(("from", "kind"), sentences, strict=True):
        expect(page.locator(f"#q-{name}-error")).to_have_text(sentence)
        assert page.locator(f"#q-{name}").get_attribute("aria-describedby") == f"q-{name}-error"
    assert page.locator("#q-member").input_value() == "FC-1"
    person.check("bad-filters")


def test_days_are_the_networks_and_the_last_one_is_whole() -> None:
    asked = asked_of(filters_of({"from": "2026-11-25", "to": "2026-11-26"}))
    assert (asked["created_before"] - asked["created_from"]).days == 2
    assert filters_of({"from": "2026-11-26", "to": "2026-11-25"}).mistakes.keys() == {"to"}
    assert asked_of(filters_of({"member": "FC-1"})) == {"member": "external:FC-1"}
    assert asked_of(filters_of({"member": "mem_1"})) == {"member": "mem_1"}
    assert filters_of({"reference": "a\0b"}).mistakes.keys() == {"reference"}
    every = ("kind", "direction", "counterparty", "member", "program", "state", "reference", "original")
    assert filters_of(dict.fromkeys(every, "a b")).typed.keys() == set(every)


def test_what_nobody_knows_is_an_empty_list(site: Site) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        for query in ("member=nobody", "counterparty=mer_" + "0" * 25 + "z", "program=GOLD"):
            answer = http.get(f"/movements?{query}")
            assert (answer.status_code, "Nothing fits" in answer.text) == (200, True), query


def test_the_file_has_all_that_the_filters_leave(site: Site) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        answer = http.get("/movements/file.csv?kind=issue&member=FC-1003").raise_for_status()
        one = http.get("/movements/file.csv?kind=exchange").raise_for_status()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith("\ufeff")
    table = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(table) == 121  # more than the gateway's largest page would be without the members' first one
    assert [int(row["Points"]) for row in table[:3]] == [120, 119, 118]
    (exchange,) = csv.DictReader(io.StringIO(one.text.removeprefix("\ufeff")))
    entry = site.movements["exchange"].settled()
    assert exchange["Movement"] == "Exchange"
    assert exchange["State"] == "Settled"
    assert (exchange["Points"], exchange["Its points"]) == (str(entry.points), str(entry.out))
    assert exchange["Settled amount"] == f"{entry.settled_micros // 10**6}.{entry.settled_micros % 10**6:06d}"
    assert exchange["Receives"] == site.merchants["MART"].name
    assert exchange["Entry"] == entry.leaf


def test_a_reference_is_no_formula_in_a_spreadsheet(site: Site) -> None:
    station = site.merchants["FUEL"].client
    station.issuances.create(
        program="FUEL", member="external:FC-1001", points=1, reference="=HYPERLINK(1)", wait=WAIT
    ).settled()
    with site.http(site.seats["merchant:admin"]) as http:
        text = http.get("/movements/file.csv?reference=%3DHYPERLINK(1)").text
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert row["Reference"] == "'=HYPERLINK(1)"


class Counting(httpx.AsyncHTTPTransport):
    """Counts the requests that the console sends to the gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return await super().handle_async_request(request)


def test_a_page_of_a_list_takes_the_same_requests_however_long_the_list_is(site: Site) -> None:
    found = alone(requests_of_pages(site))
    assert len(found) == 4
    for asked in found.values():
        assert sorted(path for path in asked if path in LISTS) == LISTS, found
        assert len(asked) <= len(LISTS) + 4, f"more than who is signed in, and the network: {found}"


LISTS = ["/v1/merchants", "/v1/movements", "/v1/programs"]


async def requests_of_pages(site: Site) -> dict[str, list[str]]:
    """What the console asks the gateway for each of three pages of a long list, and for the page of a short one."""
    app = create_app(Settings(gateway_url=site.network.url))
    app.state.parts._transport = counting = Counting()
    token = site.seats["merchant:admin"]
    inside = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=inside,
        base_url="http://127.0.0.1:8088",
        cookies={site.cookie: token},
        timeout=60,
    ) as http:
        await http.get("/movements")  # who is signed in, and the network, are remembered
        found: dict[str, list[str]] = {}
        page = "/movements"
        for number in range(3):
            counting.asked.clear()
            answer = await http.get(page)
            assert answer.status_code == 200
            found[f"page {number + 1}"] = sorted(counting.asked)
            if 'rel="next"' in answer.text:
                page = (
                    answer.text.partition('rel="next"')[0]
                    .rpartition('href="')[2]
                    .partition('"')[0]
                    .replace("&amp;", "&")
                )
        counting.asked.clear()
        await http.get("/movements?kind=exchange")
        found["one movement"] = sorted(counting.asked)
    await app.state.parts.close()
    return found


def test_entries_with_their_receipts_are_exported_for_whoever_may_see_them(site: Site) -> None:
    station = site.merchants["FUEL"]
    whole = "".join(station.client.entries.export())
    assert whole.count("\r\n") >= len(site.movements)
    today = site.operator.network.get().today.isoformat()
    with site.http(site.seats["merchant:accountant"]) as http:
        assert "/movements/export" in http.get("/movements").text
        page = http.get("/movements/export").raise_for_status().text
        assert "<select" not in page, "a merchant exports its own"
        answer = http.get(f"/movements/export/entries.csv?from={today}&to={today}").raise_for_status()
        assert answer.text == whole, "the gateway's file, byte for byte"
        assert answer.headers["content-disposition"] == 'attachment; filename="entries.csv"'
        others = http.get(f"/movements/export/entries.csv?merchant={site.merchants['MART'].id}")
        assert others.text == whole, "whatever the address says"
        wrong = http.get("/movements/export/entries.csv?from=2026-13-01")
        assert wrong.headers["location"] == "/movements/export?from=2026-13-01"
        assert http.get(wrong.headers["location"]).status_code == 422
    with site.http(site.seats["auditor"]) as http:
        assert station.id in http.get("/movements/export").text
        answer = http.get(f"/movements/export/entries.csv?merchant={station.id}").raise_for_status()
        assert answer.text == whole
        assert http.get("/movements/export/entries.csv?merchant=mer_nobody").status_code == 303


def test_new_movements_come_without_moving_what_is_looked_at(site: Site, someone: Someone) -> None:
    person = someone("merchant:admin", language="en")
    page = person.open("/movements")
    row = page.locator("tr[id^=row-]").nth(15)
    kept = row.get_attribute("id")
    row.evaluate("row => row.scrollIntoView({block: 'start'})")
    row.locator("a").focus()
    before = page.locator(f"#{kept}").bounding_box()
    made = site.merchants["FUEL"].client.issuances.create(
        program="FUEL", member="external:FC-1001", points=77, wait=WAIT
    )
    page.locator(f"#row-{made.id}").wait_for(state="attached")
    page.locator(f"#row-{made.id} .state-good").wait_for(state="attached")
    after = page.locator(f"#{kept}").bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 2
    assert page.evaluate("document.activeElement.id") == str(kept).replace("row-", "open-")


def test_the_story_of_a_movement_is_whole(site: Site, someone: Someone) -> None:
    person = someone("merchant:admin", language="en")
    page = person.open(f"/movements/{site.movements['exchange'].id}")
    entry = site.movements["exchange"].settled()
    story = page.locator(".story").first.inner_text()
    for part in (
        "Accepted",
        "Signed by 长河石油",
        "order number",
        f"In batch {entry.batch}",
        "Settled",
        "Given back: 100",
    ):
        assert part in story, part
    facts = page.locator(".facts").first.inner_text()
    for part in ("1,000", "900", "¥9.00", "¥0.045", "丰收超市 (number", "FC-1001", "0.9 MART for one FUEL", "fee 0.5%"):
        assert part in facts, part
    page.get_by_role("link", name="Block").click()
    page.wait_for_url(f"**/explorer/batches/{entry.batch}")
    page.go_back()
    page.locator(".story a", has_text="Nov").first.click()
    page.wait_for_url(f"**/movements/{site.movements['reverse'].id}")
    assert "Undoes an earlier movement" in page.locator(".story").first.inner_text()
    undone = dict(
        zip(
            page.locator("#movement .facts dt").all_inner_texts(),
            page.locator("#movement .facts dd").all_inner_texts(),
            strict=False,
        )
    )
    assert (undone["Points"], undone["Points given for them"]) == ("100FUEL", "90MART")


def test_a_movement_becomes_settled_before_ones_eyes(site: Site, someone: Someone) -> None:
    person = someone("merchant:admin", language="en")
    sequencer = site.network.children["sequencer"].process
    assert sequencer is not None
    sequencer.send_signal(signal.SIGSTOP)
    try:
        made = site.merchants["FUEL"].client.issuances.create(program="FUEL", member="external:FC-1001", points=5)
        page = person.open(f"/movements/{made.id}")
        assert "Waits for the next batch" in page.locator(".story").first.inner_text()
        assert page.locator("[data-receipt-check]").count() == 0
    finally:
        sequencer.send_signal(signal.SIGCONT)
    page.locator("[data-receipt-check]").wait_for()
    expect(page.locator(".story").first).to_contain_text("In batch")


def test_a_movement_of_others_is_not_there(site: Site) -> None:
    other = site.merchants["MART"].client.members.create(external_id="only-mart")
    made = site.merchants["MART"].client.issuances.create(program="MART", member=other, points=9, wait=WAIT)
    with site.http(site.seats["merchant:admin"]) as http:
        for path in (f"/movements/{made.id}", f"/movements/{made.id}/receipt.json", "/movements/mov_nothing"):
            assert http.get(path).status_code == 404, path
        assert made.id not in http.get("/movements/file.csv").text
