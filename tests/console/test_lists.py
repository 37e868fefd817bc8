"""What all lists have in common: filters say what is wrong beside their field, files are whole or say that they are not."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import console
from console.directory import Directory
from console.pages import PAGES
from console.visit import LANGUAGE_COOKIE
from pages.csv_files import Cell, CsvResponse
from tests.console.alone import alone
from tests.console.own_key import send
from tests.console.served import GALLERY, served
from tests.console.site import Site
from tests.gateway.site import until
from tests.support.bank_files import Entry, camt, details
from tongdui import AsyncClient

ADMIN = "merchant:admin"
LISTS = {
    "movements/list.html": ("/movements", ADMIN),
    "members/list.html": ("/members", ADMIN),
    "members/expiring.html": ("/members/expiring", ADMIN),
    "agreements/agreements.html": ("/agreements", ADMIN),
    "settlement/bank_movements.html": ("/settlement/deposits", "treasury"),
    "settlement/statements.html": ("/settlement/statements", "operator"),
    "webhooks/one.html": ("/webhooks/{endpoint}", ADMIN),
    "audit/log.html": ("/audit", "operator"),
    "approvals/list.html": ("/approvals", "operator"),
}

# -------------------------------------------------------------------- filters


def test_every_bar_of_filters_is_in_the_table() -> None:
    # The one of people is a choice of a merchant, whose page it then is.
    found = {
        f"{path.parents[1].name}/{path.name}"
        for path in Path(console.__path__[0]).glob("*/templates/*.html")
        if re.search(r"call (filter_bar|filters)\(", path.read_text(encoding="utf-8"))
    }
    assert found - {"people/list.html"} == set(LISTS), "a new list with filters needs a line in LISTS"


@pytest.mark.parametrize(
    ("seat", "path"),
    [
        ("merchant:accountant", "/settlement/statements?merchant=mer_other"),
        ("merchant:accountant", "/settlement/statements/csv?merchant=mer_other"),
        ("merchant:accountant", "/settlement/deposits?merchant=mer_other"),
        ("auditor", "/movements?direction=sideways"),
    ],
)
def test_a_filter_that_a_seat_does_not_have_is_no_mistake_that_nobody_sees(site: Site, seat: str, path: str) -> None:
    """Somebody of the network sends a colleague at a merchant the address of a list."""
    with site.http(site.seats[seat]) as http:
        assert http.get(path).status_code == 200


@pytest.mark.parametrize("template", sorted(LISTS))
def test_a_filter_that_cannot_be_meant_is_said_beside_its_field(site: Site, template: str) -> None:
    path, seat = LISTS[template]
    endpoint = site.merchants["FUEL"].client.webhook_endpoints.create(url="https://filters.example/in")
    path = path.format(endpoint=endpoint.id)
    with site.http(site.seats[seat]) as http:
        bar = re.search(r"<form[^>]*data-filters.*?</form>", http.get(path).raise_for_status().text, re.DOTALL)
        assert bar is not None
        typed = {}
        for tag in re.findall(r"<(?:input|select)([^>]*)>", bar[0]):
            name = re.search(r' name="([^"]+)"', tag)
            assert name is not None, tag
            typed[name[1]] = "9999-12-31" if 'type="date"' in tag else '"><b>' + "x" * 200
        assert typed
        answer = http.get(path, params=typed)
    assert answer.status_code == 422
    for name, text in typed.items():
        assert re.search(rf'id="q-{name}-error">.*?<span>[^<]+</span>', answer.text, re.DOTALL), (
            f"nothing beside {name}"
        )
        control = re.search(rf'<(?:input|select)[^>]*name="{name}"[^>]*>', answer.text)
        assert control is not None
        assert f'aria-describedby="q-{name}-error"' in control[0]
        if control[0].startswith("<input"):
            assert html.unescape(control[0].partition('value="')[2].partition('"')[0]) == text, "what was typed stays"
    assert "Nothing was searched for" in answer.text


@pytest.mark.parametrize(
    "day", ["9999-12-31", "0001-01-01", "1999-12-31", "2026-02-30", "2026-13-01", "soon", "99999-01-01"]
)
@pytest.mark.parametrize(
    "template", [name for name in sorted(LISTS) if name.split("/")[0] in ("movements", "settlement", "audit")]
)
def test_a_day_that_nobody_can_mean_is_no_failure(site: Site, template: str, day: str) -> None:
    path, seat = LISTS[template]
    with site.http(site.seats[seat]) as http:
        for name in ("from", "to"):
            answer = http.get(path, params={name: day})
            assert answer.status_code == 422, answer.text
            assert f'id="q-{name}-error"' in answer.text
        assert http.get(path, params={"from": "２０００-01-01", "to": "2999-12-31"}).status_code == 200


@pytest.mark.parametrize("path", ["/movements/file.csv", "/settlement/statements/csv"])
def test_a_file_that_cannot_be_meant_leads_back_to_the_list_which_says_why(site: Site, path: str) -> None:
    with site.http(site.seats[ADMIN]) as http:
        answer = http.get(path, params={"to": "9999-12-31"})
        assert answer.status_code == 303
        assert "Enter a day" in http.get(answer.headers["location"]).text


# -------------------------------------------------------------------- files


@pytest.mark.parametrize("query", ["member=nobody", "program=GOLD", "program=-"])
def test_a_file_of_what_nobody_knows_begins_not_at_all(site: Site, query: str) -> None:
    with site.http(site.seats[ADMIN]) as http:
        answer = http.get(f"/movements/file.csv?{query}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/movements?{query}")
        shown = http.get(answer.headers["location"]).text
    assert "Nothing fits" in shown or 'id="q-program-error"' in shown


def test_a_file_that_breaks_off_says_so_and_ends_no_download(site: Site) -> None:
    with served(site.network.url, (*PAGES, GALLERY)) as url, site.http(site.seats[ADMIN]) as http:
        lines = io.BytesIO()
        with http.stream("GET", f"{url}/gallery/breaking.csv", headers={"Accept-Encoding": "identity"}) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                lines.writelines(answer.iter_bytes())
        assert http.get(f"{url}/gallery/broken.csv").status_code == 500, "what breaks at once is a page"
    *rows, last = csv.reader(io.StringIO(lines.getvalue().decode("utf-8-sig")))
    assert len(rows) == 251
    assert last == ["This file is not complete: the list broke off here. Download it again."]


def test_no_cell_is_a_formula_and_numbers_stay_numbers() -> None:
    cells: list[Cell] = [
        "=1+1",
        "+1",
        "-1",
        "@a",
        "\ta",
        "\ra",
        "\na",
        "＝1",
        "＋1",
        "－1",
        "＠a",
        "a=1",
        "12",
        -1,
        None,
    ]

    async def written() -> bytes:
        async def rows() -> AsyncIterator[list[Cell]]:
            yield cells

        response = await CsvResponse.begun("a.csv", ["加油", "=head"], rows())
        return b"".join([part if isinstance(part, bytes) else b"" async for part in response.body_iterator])

    content = alone(written())
    assert content.startswith(b"\xef\xbb\xbf"), "Excel takes Chinese for GBK without it"
    head, row = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert head == ["加油", "'=head"]
    assert row == [f"'{one}" for one in cells[:11]] + ["a=1", "12", "-1", ""]


def test_a_file_is_in_the_language_of_whoever_asks_to_its_end(site: Site) -> None:
    cookies = {site.cookie: site.seats[ADMIN], LANGUAGE_COOKIE: "zh"}
    with httpx.Client(base_url=site.url, cookies=cookies, timeout=60) as http:
        content = http.get("/movements/file.csv").raise_for_status().content.decode("utf-8-sig")
    head, *rows = csv.reader(io.StringIO(content))
    assert len(rows) >= len(site.movements)
    for row in (head, *rows):
        assert all(re.search("[\u4e00-\u9fff]", row[column]) for column in (1, 2)), "movement and state"


# -------------------------------------------------------------------- what is long


def test_a_long_bank_file_is_booked_in_parts_that_a_form_can_hold(site: Site) -> None:
    entries = [
        Entry("1.50", reference=f"LONG-{number}", details=[details(debtor="长河石油")]) for number in range(1_100)
    ]
    files = {"file": ("long.xml", camt(entries), "text/xml")}
    shown = send(site, "treasury", "/settlement/bank-file", {}, files)
    assert shown.status_code == 200
    assert shown.text.count('name="chosen"') == 400
    assert "700 more lines that can be booked are not shown." in shown.text
    lines = html.unescape(shown.text.partition('name="lines" value="')[2].partition('"')[0])
    form = {"lines": lines, "chosen": [str(number) for number in range(400)], "merchant-0": site.merchants["MART"].id}
    review = send(site, "treasury", "/settlement/bank-file/review", form)
    assert review.status_code == 200
    assert "¥600.00" in review.text
    assert "six hundred CNY" in review.text
    odd = {"lines": lines, "chosen": ["²", "-1", "400", "9" * 5_000, "0"], "merchant-0": "mer_none"}
    assert send(site, "treasury", "/settlement/bank-file/review", odd).headers["location"] == "/settlement/bank-file"


class Counting(httpx.AsyncHTTPTransport):
    """Counts the requests to the gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.raw_path.decode())
        return await super().handle_async_request(request)


def test_the_directory_knows_what_is_new_and_walks_through_all_once(site: Site) -> None:
    async def told() -> Iterator[Any]:
        directory, transport = Directory(), Counting()
        async with AsyncClient(site.network.url, site.seats["operator"], transport=transport) as client:
            before = await directory.merchants(client)
            walked = len(transport.asked)
            made = await client.merchants.create(name="Directory", managed_key=True)
            transport.asked.clear()
            pending = await directory.merchants(client)
            asked = list(transport.asked)
            await asyncio.to_thread(until, lambda: site.operator.merchants.get(made.id).is_final, 60)
            active = await directory.merchants(client)
            transport.asked.clear()
            await directory.merchants(client)
            return iter([before, walked, pending, asked, active, list(transport.asked)])

    before, walked, pending, asked, active, at_rest = alone(told())
    assert walked == 1
    assert [one.name for one in pending] == ["Directory", *(one.name for one in before)]
    assert asked == ["/v1/merchants?limit=10"]
    assert active[0].status == "active"
    assert at_rest == ["/v1/merchants?limit=10"]
