"""Many sales in one request: each has its own outcome, and all of it happens once."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from loyalty.awards.models import BookedAward
from loyalty.network.models import Wish
from loyalty.sales.models import RecordedSale
from loyalty.staff.models import Role
from tests.loyalty.earning.programmes import rule, rule_set
from tests.loyalty.intake.dying_request import DIED, KEY
from tests.loyalty.intake.shop import Shop, done, fuel, goods, refused
from tests.loyalty.nightly import on_postgresql_by_day

PATIENCE = 120.0


def send(shop: Shop, *sales: dict[str, Any], key: str = "", role: Role = Role.CASHIER) -> list[dict[str, Any]]:
    """Sends sales together; what became of each."""
    found: list[dict[str, Any]] = done(shop.api.post("/v1/sales/bulk", {"sales": sales}, role, key=key))["sales"]
    assert len(found) == len(sales)
    return found


def counts(shop: Shop) -> list[int]:
    """How many sales, awards and wishes there are."""
    with shop.api.database.reading() as session:
        tables = (RecordedSale, BookedAward, Wish)
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def test_each_sale_has_its_own_outcome(shop: Shop) -> None:
    customer = shop.customer()
    line = {"number": 1, **fuel(40)}
    found = send(
        shop,
        shop.sale(fuel(40), goods("snack", 1_250), customer=customer),
        shop.sale(fuel(40)),
        shop.sale(station="NOWHERE"),
        shop.sale() | {"lines": [line | {"amount_micros": -1}]},
        shop.sale() | {"lines": [line, line]},
        shop.sale(shown={"kind": "phone", "value": "138"}),
        shop.sale(fuel(10), customer=customer),
    )
    assert [(one["status"], one["outcome"], one["points"]) for one in found] == [
        (201, "earned", 212),
        (201, "nobody", 0),
        (404, None, 0),
        (422, None, 0),
        (422, None, 0),
        (422, None, 0),
        (201, "earned", 50),
    ]
    problems = [one["problem"] for one in found]
    assert [one and (one["code"], one["errors"][0]["pointer"]) for one in problems] == [
        None,
        None,
        ("unknown_station", "/sales/2/station"),
        ("validation_failed", "/sales/3/lines/0/amount_micros"),
        ("bad_document", "/sales/4/lines"),
        ("bad_identifier", "/sales/5/shown/value"),
        None,
    ]
    assert done(shop.api.get(f"/v1/sales/{found[0]['sale']}"))["customer"] == customer
    assert counts(shop) == [3, 3, 3]


def test_what_is_sent_again_is_the_first_one(shop: Shop) -> None:
    customer = shop.customer()
    sales = [shop.sale(fuel(10 + at), customer=customer) for at in range(4)]
    alone = done(shop.send(sales[2]))
    first = send(shop, *sales, sales[0])
    assert first[2]["sale"] == alone["id"]
    assert first[4] == first[0]
    assert send(shop, *sales) == first[:4]
    (differs,) = send(shop, sales[1] | {"lines": [{"number": 1, **fuel(99)}]})
    assert (differs["status"], differs["problem"]["code"]) == (409, "document_differs")
    assert counts(shop) == [4, 4, 4]


def test_a_device_sends_for_its_own_station_only(shop: Shop) -> None:
    pump = {"station": "S17", "name": "pump 1", "kind": "pump", "point": "1", "category": "fuel"}
    secret = done(shop.api.post("/v1/devices", pump))["secret"]
    done(shop.api.post("/v1/stations", {"id": "S18", "name": "Zhongshan Road", "region": "north"}))
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "1"}
    sales = [shop.sale(), shop.sale(station="S18")]
    answer = done(shop.api.http.post("/v1/sales/bulk", json={"sales": sales}, headers=headers))["sales"]
    assert [one["status"] for one in answer] == [201, 422]
    assert answer[1]["problem"]["errors"][0]["pointer"] == "/sales/1/station"


def test_none_and_too_many_are_refused_whole(shop: Shop) -> None:
    refused(shop.api.post("/v1/sales/bulk", {"sales": []}, Role.CASHIER), 422, "validation_failed", "/sales")
    many = [shop.sale()] * 501
    refused(shop.api.post("/v1/sales/bulk", {"sales": many}, Role.CASHIER), 422, "validation_failed", "/sales")
    assert counts(shop) == [0, 0, 0]


@pytest.mark.parametrize("programme_url", ["postgresql"], indirect=True)
def test_groups_at_once_neither_wait_for_each_other_for_ever_nor_overspend(shop: Shop) -> None:
    budget = {"points_per_month": 330, "when_spent": "pay_part"}
    shop.publish(rule_set(rule("litre", {"kind": "per_litre", "points": 5}, budget=budget), version=2))
    customers = [shop.customer() for _ in range(4)]
    sales = [shop.sale(fuel(10), customer=customers[at % 4]) for at in range(12)]
    groups = [sales, sales[::-1], sales[6:] + sales[:6], sales[::2]]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda group: send(shop, *group), groups))
    assert all(one["status"] == 201 for answer in answers for one in answer)
    given = {one["sale"]: one["points"] for answer in answers for one in answer}
    assert sorted(given.values(), reverse=True) == [50] * 6 + [30] + [0] * 5


@on_postgresql_by_day
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_around_the_commit_has_booked_all_or_nothing(shop: Shop, when: str) -> None:
    customers = [shop.customer() for _ in range(3)]
    sales = [shop.sale(fuel(10 + at), customer=customers[at % 3]) for at in range(6)]
    command = [sys.executable, "-m", "tests.loyalty.intake.dying_request", shop.api.database.url]
    died = subprocess.run(
        [*command, shop.api.secrets[Role.CASHIER], when],
        input=json.dumps({"sales": sales}).encode(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert died.returncode == DIED, died.stderr.decode()
    assert counts(shop) == ([0, 0, 0] if when == "before" else [6, 6, 6])
    again = send(shop, *sales, key=KEY)
    assert [one["points"] for one in again] == [50 + 5 * at for at in range(6)]
    assert counts(shop) == [6, 6, 6]
