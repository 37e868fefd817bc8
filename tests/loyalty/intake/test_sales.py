"""A sale earns once, whatever tills and devices send."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import Shown
from loyalty.intake.documents import SentSale
from loyalty.network.models import WishState
from loyalty.sales.models import Document
from loyalty.sales.types import Line, Weather
from loyalty.staff.models import Role
from tests.loyalty.earning.programmes import rule, rule_set
from tests.loyalty.intake.shop import Shop, done, fuel, goods, points, refused


def test_a_sale_earns_and_says_why(shop: Shop) -> None:
    customer = shop.customer()
    sale = shop.sell(fuel(40), goods("snack", 1_250), customer=customer, number="4711")
    assert sale["outcome"] == "earned"
    assert points(sale) == {"yuan": 12, "litre": 200}
    (litre,) = [award for award in sale["awards"] if award["rule"] == "litre"]
    assert litre["explanation"]["en"] == "200 L-points: 40.0 L x 5"
    assert litre["reference"] == "sale:S17:20260707:1:4711:litre"
    wish = shop.wish(litre["reference"])
    assert wish is not None
    assert (wish.state, wish.points, wish.program) == (WishState.WAITING, 200, "FUEL")
    assert wish.member == f"external:{customer}"
    assert wish.facts["reason"] == litre["explanation"]["en"]
    assert shop.seen(sale) == sale


def test_a_sale_that_is_sent_again_earns_once(shop: Shop) -> None:
    body = shop.sale(fuel(40), customer=shop.customer())
    first = done(shop.send(body))
    assert done(shop.send(body)) == first
    other = body | {"lines": [{"number": 1, **fuel(41)}]}
    refused(shop.send(other), 409, "document_differs")
    assert shop.seen(first) == first


def test_a_number_is_a_tills_and_a_days(shop: Shop) -> None:
    body = shop.sale(fuel(40), customer=shop.customer(), number="1")
    first = done(shop.send(body))
    assert done(shop.send(body | {"till": "2"}))["id"] != first["id"]
    assert done(shop.send(body | {"business_day": "2026-07-08"}))["id"] != first["id"]


def test_a_plate_finds_the_customer(shop: Shop) -> None:
    customer = shop.customer()
    plate = {"kind": "plate", "value": "京A·12345"}
    done(shop.api.post(f"/v1/customers/{customer}/identifiers", plate))
    sale = done(shop.api.post("/v1/sales", shop.sale(shown={"kind": "plate", "value": "京a 12345"}), Role.CASHIER))
    assert sale["customer"] == customer
    assert points(sale) == {"litre": 200}


def test_a_sale_to_nobody_is_kept(shop: Shop) -> None:
    nobody = shop.sell(fuel(40))
    assert (nobody["outcome"], nobody["customer"], nobody["awards"]) == ("nobody", None, [])
    stranger = shop.sell(fuel(40), shown={"kind": "card", "value": "9999 0000"})
    assert (stranger["outcome"], stranger["shown"]) == ("nobody", "card:9999 0000")


def test_a_sale_that_no_rule_set_covers_is_kept_and_shown(shop: Shop) -> None:
    sale = shop.sell(fuel(40), customer=shop.customer(), business_day="2025-12-31", time="2025-12-31T10:00:00+08:00")
    assert (sale["outcome"], sale["awards"]) == ("uncovered", [])
    listed = done(shop.api.get("/v1/sales", outcome="uncovered"))["data"]
    assert [one["id"] for one in listed] == [sale["id"]]


def test_what_was_published_last_is_in_force(shop: Shop) -> None:
    shop.publish(rule_set(rule("double", {"kind": "per_litre", "points": 10}), version=2))
    assert points(shop.sell(fuel(40), customer=shop.customer())) == {"double": 400}


def test_the_first_sale_that_arrives_is_the_first_one(shop: Shop) -> None:
    welcome = rule("welcome", {"kind": "fixed", "points": 50}, condition="customer.first_purchase")
    third = rule("third", {"kind": "fixed", "points": 7}, condition="customer.sales_this_month == 2")
    shop.publish(rule_set(welcome, third, version=2))
    customer = shop.customer()
    late = shop.sell(fuel(1), customer=customer, time="2026-07-07T18:00:00+08:00")
    early = shop.sell(fuel(1), customer=customer, time="2026-07-07T06:00:00+08:00")
    last = shop.sell(fuel(1), customer=customer)
    assert [points(sale) for sale in (late, early, last)] == [{"welcome": 50}, {}, {"third": 7}]


def test_what_rounding_leaves_is_carried(shop: Shop) -> None:
    shop.publish(rule_set(rule("yuan", {"kind": "per_yuan", "points": 1}, carry=True), version=2))
    customer = shop.customer()
    given = [points(shop.sell(goods("snack", 150), customer=customer))["yuan"] for _ in range(4)]
    assert given == [1, 2, 1, 2]


@pytest.mark.parametrize("programme_url", ["postgresql"], indirect=True)
def test_sales_at_once_never_take_more_than_the_budget(shop: Shop) -> None:
    budget = {"points_per_month": 330, "when_spent": "pay_part"}
    shop.publish(rule_set(rule("litre", {"kind": "per_litre", "points": 5}, budget=budget), version=2))
    sales = [shop.sale(fuel(10), customer=shop.customer()) for _ in range(12)]
    with ThreadPoolExecutor(6) as threads:
        given = [points(done(answer)).get("litre", 0) for answer in threads.map(shop.send, sales)]
    assert sorted(given, reverse=True) == [50] * 6 + [30] + [0] * 5


def test_one_sale_sent_by_many_at_once_is_one(shop: Shop) -> None:
    body = shop.sale(fuel(40), customer=shop.customer())
    with ThreadPoolExecutor(4) as threads:
        answers = [done(answer) for answer in threads.map(shop.send, [body] * 8)]
    assert len({answer["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"station": "NOWHERE"}, "unknown_station", "/station"),
        ({"customer": "cus_x"}, "unknown_customer", "/customer"),
        ({"customer": "cus_x", "shown": {"kind": "card", "value": "12345"}}, "two_customers", "/shown"),
        ({"shown": {"kind": "phone", "value": "138"}}, "bad_identifier", "/shown/value"),
        ({"number": "47:11"}, "validation_failed", "/number"),
        ({"time": "2026-07-07T15:30:00"}, "validation_failed", "/time"),
        ({"lines": []}, "validation_failed", "/lines"),
        ({"lines": [{"number": 1, **fuel(1), "article": ""}]}, "bad_document", "/lines/0/article"),
        ({"lines": [{"number": 1, **fuel(1)}, {"number": 1, **fuel(1)}]}, "bad_document", "/lines"),
        ({"lines": [{"number": 1, **fuel(1), "amount_micros": 1.5}]}, "validation_failed", "/lines/0/amount_micros"),
        ({"tilt": "1"}, "validation_failed", "/tilt"),
    ],
)
def test_what_is_wrong_with_a_sale_is_told(shop: Shop, change: dict[str, object], code: str, pointer: str) -> None:
    answer = shop.send(shop.sale() | change)
    refused(answer, 404 if code.startswith("unknown") else 422, code, pointer)
    assert done(shop.api.get("/v1/sales"))["data"] == []


def test_the_fingerprint_of_a_sale_is_what_it_always_was() -> None:
    """Those that are kept were made so: the same sale that is sent again after an update is still the same one."""
    sent = SentSale(
        document=Document("S17", date(2026, 7, 1), "1", "42"),
        time=datetime(2026, 7, 1, 4, 30, tzinfo=UTC),
        lines=(Line(1, "95", "fuel", 40_000, "l", 320_000_000), Line(2, "油", "", 1_000, "piece", 0)),
        weather=Weather(rain=True),
        shown=Shown(IdentifierKind.CARD, "CARD1"),
    )
    assert sent.fingerprint.hex() == "77844f41826fdd027b33ab4a15358b52ae241ef8af1dc954cafe0990fb816717"
