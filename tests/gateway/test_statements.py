"""Statements as a merchant meets them over HTTP: as JSON, and as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import pytest

from clearing.oversight.statements.models import Statement
from gateway.http.tables import is_wanted
from tests.gateway.site import Party, Site
from tongdui import Client

LINE = {"kind": "issue", "of": None, "program": 1, "agreement": 0, "count": 1, "points": 5, "out": 0}
NO_MONEY = dict.fromkeys(("received", "paid", "fees_paid", "fees_received"), 0)


def _statement(site: Site, party: Party, day: int, opening: int = -5, **fields: Any) -> str:
    values = {"closing": opening, "deposited": 0, "withdrawn": 0, "lines": [LINE | NO_MONEY], **fields}
    name = f"stm_{party.number:013}{day:013}"
    with site.database.session.begin() as session:
        session.merge(
            Statement(
                id=name,
                merchant_number=party.number,
                day=day,
                revision=1,
                opening=opening,
                last_block=1,
                last_hash=bytes(32),
                created_at=site.clock.now(),
                **values,
            )
        )
    return name


def _csv(site: Site, path: str, party: Party) -> list[dict[str, str]]:
    response = site.call("GET", path, caller=party.id, headers={"Accept": "text/csv"})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert response.headers["vary"] == "Accept"
    return list(csv.DictReader(io.StringIO(response.text)))


def test_only_its_merchant_sees_a_statement(site: Site, fuel: Party, cine: Party) -> None:
    _statement(site, fuel, 20_000)
    (shown,) = fuel.get("/v1/statements?day[gte]=2024-10-04&day[lt]=2024-10-05")["data"]
    assert (shown["day"], shown["closing_micros"], shown["lines"][0]["points"]) == ("2024-10-04", -5, 5)
    assert fuel.get(f"/v1/statements/{shown['id']}") == shown
    assert cine.get("/v1/statements")["data"] == []
    assert cine.get(f"/v1/statements?merchant={fuel.id}")["data"] == []
    assert site.call("GET", f"/v1/statements/{shown['id']}", caller=cine.id).status_code == 404


def test_a_table_leads_from_the_opening_to_the_closing_position(site: Site, fuel: Party) -> None:
    sold = {**LINE, "kind": "exchange", "received": 900, "paid": 200, "fees_paid": 3, "fees_received": 0}
    name = _statement(
        site, fuel, 20_001, 1_000, lines=[LINE | NO_MONEY, sold], deposited=50, withdrawn=7, closing=1_740
    )
    rows = _csv(site, f"/v1/statements/{name}", fuel)
    assert [(row["row"], row["net_micros"], row["position_micros"]) for row in rows] == [
        ("opening", "", "1000"),
        ("movements", "0", "1000"),
        ("movements", "697", "1697"),
        ("deposits", "50", "1747"),
        ("withdrawals", "-7", "1740"),
        ("closing", "", "1740"),
    ]
    assert (rows[2]["kind"], rows[2]["program"], rows[2]["points"], rows[2]["day"]) == (
        "exchange",
        "FUEL",
        "5",
        "2024-10-05",
    )
    assert all(column.endswith("_micros") for column in list(rows[0])[-6:])


def test_a_range_of_days_is_one_table_in_pages(site: Site, fuel: Party) -> None:
    for day in range(20_010, 20_015):
        _statement(site, fuel, day)
    path = "/v1/statements?day[gte]=2024-10-14&day[lt]=2024-10-18"
    days = [row["day"] for row in _csv(site, path, fuel) if row["row"] == "closing"]
    assert days == ["2024-10-17", "2024-10-16", "2024-10-15", "2024-10-14"]
    page = site.call("GET", f"{path}&limit=3", caller=fuel.id, headers={"Accept": "text/csv"})
    rest = _csv(site, f"{path}&limit=3&cursor={page.headers['Next-Cursor']}", fuel)
    assert {row["day"] for row in rest} == {"2024-10-14"}
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        whole = client.statements.csv_of_days(date(2024, 10, 14), date(2024, 10, 18))
        listed = list(client.statements.list(first_day=date(2024, 10, 14), end_day=date(2024, 10, 18), page_size=2))
        assert [statement.day.day for statement in listed] == [17, 16, 15, 14]
        assert client.statements.get(listed[0].id) == listed[0]
        assert client.statements.csv(listed[0]).splitlines() == whole.splitlines()[:4]
    assert len(whole.splitlines()) == 1 + 4 * 3


def test_a_wrong_day_names_its_parameter(site: Site, fuel: Party) -> None:
    response = site.call("GET", "/v1/statements?day[gte]=yesterday", caller=fuel.id)
    assert response.status_code == 422
    assert [error["parameter"] for error in response.json()["errors"]] == ["day[gte]"]


def test_a_cell_is_never_a_formula(site: Site, fuel: Party) -> None:
    name = _statement(site, fuel, 20_030, -12, lines=[{**LINE, **NO_MONEY, "kind": "=1+1", "of": "@sum"}])
    row = _csv(site, f"/v1/statements/{name}", fuel)[1]
    assert (row["kind"], row["reversal_of"], row["position_micros"]) == ("'=1+1", "'@sum", "-12")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/csv", True),
        ("text/csv, */*;q=0.1", True),
        ("text/*;q=0.9, application/json;q=0.8", True),
        ("application/json, text/csv;q=0.5", False),
        ("*/*", False),
        ("", False),
        ("text/csv;q=0", False),
        ("text/csv;q=much", False),
    ],
)
def test_the_accept_header_decides(accept: str, *, wanted: bool) -> None:
    assert is_wanted(accept) is wanted


def test_other_resources_have_no_table(site: Site, fuel: Party) -> None:
    response = site.call("GET", "/v1/holds", caller=fuel.id, headers={"Accept": "text/csv"})
    assert response.headers["content-type"] == "application/json"


def test_the_sdk_lists_lots_and_due_points(site: Site, fuel: Party) -> None:
    member = fuel.member()
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        assert list(client.lots.list(member, "FUEL")) == []
        assert list(client.expirations.due()) == []
        assert list(client.expirations.list(member=member)) == []
