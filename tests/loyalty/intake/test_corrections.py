"""A wrong sale gives way to the right one, and a sale that earned nothing earns when it can: each once, exactly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from loyalty.jobs.work import evaluate_again
from loyalty.kit.settings import Settings
from loyalty.network.models import Wish
from loyalty.staff.models import Role
from tests.loyalty.earning.programmes import rule, rule_set
from tests.loyalty.intake.shop import DAY, Shop, done, fuel, goods, points, refused

WHY = {"reason": "the cashier mistyped it"}


def correction(wrong: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in right.items() if name != "station"}
    return {
        "station": "S17",
        "wrong": {name: wrong[name] for name in ("business_day", "till", "number")},
        "right": own,
        **WHY,
    }


def correct(shop: Shop, wrong: dict[str, Any], *lines: dict[str, Any], **more: Any) -> httpx.Response:
    return shop.api.post("/v1/corrections", correction(wrong, shop.sale(*lines, **more)), Role.CASHIER)


def wishes(shop: Shop) -> list[tuple[str, str, int]]:
    with shop.api.database.reading() as session:
        return [(wish.kind, wish.member, wish.points) for wish in session.query(Wish).order_by(Wish.id)]


def left(shop: Shop, customer: str) -> int:
    """The points that a customer has when all wishes are carried out."""
    signs = {"issue": 1, "reverse": -1}
    return sum(signs[kind] * many for kind, member, many in wishes(shop) if member == f"external:{customer}")


def test_a_wrong_sale_is_taken_back_and_the_right_one_booked(shop: Shop) -> None:
    customer = shop.customer()
    wrong = shop.sell(fuel(40), customer=customer, number="17")
    made = done(correct(shop, wrong, fuel(30), customer=customer, number="18"))
    was, right = shop.seen(wrong), done(shop.api.get(f"/v1/sales/{made['right']}"))
    assert (made["wrong"], was["replaced_by"], right["replaced_by"]) == (wrong["id"], right["id"], None)
    assert [award["taken_back"] for award in was["awards"]] == [200]
    assert [one["id"] for one in was["returns"]] == [made["taken_back_by"]]
    assert points(right) == {"litre": 150}
    assert left(shop, customer) == 150
    assert done(shop.api.get("/v1/corrections"))["data"] == [made]
    (entry,) = done(shop.api.get("/v1/audit-log", subject=wrong["id"]))["data"]
    assert (entry["action"], entry["reason"]) == ("sale.corrected", WHY["reason"])
    assert (entry["before"]["document"], entry["after"]["document"]) == ("S17:20260707:1:17", "S17:20260707:1:18")
    assert (entry["before"]["lines"], entry["after"]["lines"]) == (was["lines"], right["lines"])


def test_a_correction_that_is_sent_again_counts_once(shop: Shop) -> None:
    customer = shop.customer()
    wrong = shop.sell(fuel(40), customer=customer)
    body = correction(wrong, shop.sale(fuel(30), customer=customer, number="18"))
    with ThreadPoolExecutor(4) as threads:
        made = [done(answer) for answer in threads.map(lambda _: shop.api.post("/v1/corrections", body), range(6))]
    assert {one["id"] for one in made} == {made[0]["id"]}
    assert done(shop.api.post("/v1/corrections", body | {"reason": "once more"})) == made[0]
    other = correction(wrong, shop.sale(fuel(31), customer=customer, number="18"))
    refused(shop.api.post("/v1/corrections", other), 409, "document_differs", "/right/number")
    assert left(shop, customer) == 150


def test_only_what_is_left_of_the_wrong_sale_is_taken_back(shop: Shop) -> None:
    customer = shop.customer()
    wrong = shop.sell(fuel(40), goods("snack", 1_250), customer=customer)
    done(shop.give_back(wrong, (1, 20_000, 100_000_000), (2, 1_000, 12_500_000)))
    done(correct(shop, wrong, fuel(30), customer=customer))
    was = shop.seen(wrong)
    assert {award["rule"]: award["taken_back"] for award in was["awards"]} == {"yuan": 12, "litre": 200}
    assert was["returns"][1]["lines"] == [{"number": 1, "quantity_milli": 20_000, "amount_micros": 220_000_000}]
    assert left(shop, customer) == 150


def test_a_sale_that_came_back_whole_can_still_be_corrected(shop: Shop) -> None:
    wrong = shop.sell(fuel(40), customer=shop.customer())
    done(shop.give_back(wrong, (1, 40_000, 320_000_000)))
    assert done(correct(shop, wrong, fuel(30)))["taken_back_by"] is None


def test_the_right_sale_takes_the_wrong_ones_place(shop: Shop) -> None:
    welcome = rule("welcome", {"kind": "fixed", "points": 50}, condition="customer.first_purchase")
    second = rule("second", {"kind": "fixed", "points": 7}, condition="customer.sales_this_month == 1")
    shop.publish(rule_set(welcome, second, version=2))
    customer = shop.customer()
    first = shop.sell(fuel(1), customer=customer)
    next_one = shop.sell(fuel(1), customer=customer)
    right = done(correct(shop, first, fuel(2), customer=customer))["right"]
    assert points(done(shop.api.get(f"/v1/sales/{right}"))) == {"welcome": 50}
    again = done(correct(shop, next_one, fuel(2), customer=customer))["right"]
    assert points(done(shop.api.get(f"/v1/sales/{again}"))) == {"second": 7}
    assert points(shop.sell(fuel(1), customer=customer)) == {}
    assert left(shop, customer) == 57


def test_a_correction_to_another_customer_is_no_second_first_purchase(shop: Shop) -> None:
    welcome = rule("welcome", {"kind": "fixed", "points": 50}, condition="customer.first_purchase")
    shop.publish(rule_set(welcome, version=2))
    wrongly, rightly = shop.customer(), shop.customer()
    sale = shop.sell(fuel(1), customer=wrongly)
    shop.sell(fuel(1), customer=rightly)
    done(correct(shop, sale, fuel(1), customer=rightly))
    assert (left(shop, wrongly), left(shop, rightly)) == (0, 50)
    assert points(shop.sell(fuel(1), customer=wrongly)) == {"welcome": 50}


def test_budgets_get_theirs_back_before_the_right_sale_draws_on_them(shop: Shop) -> None:
    budget = {"points_per_month": 200}
    shop.publish(rule_set(rule("litre", {"kind": "per_litre", "points": 5}, budget=budget), version=2))
    customer = shop.customer()
    wrong = shop.sell(fuel(40), customer=customer)
    done(correct(shop, wrong, fuel(36), customer=customer))
    assert left(shop, customer) == 180


def test_what_is_wrong_with_a_correction_is_told(shop: Shop) -> None:
    customer = shop.customer()
    wrong, other = shop.sell(fuel(40), customer=customer), shop.sell(fuel(1), customer=customer)
    cases = [
        ({"number": "17"}, {}, 404, "unknown_sale", "/wrong"),
        ({}, {"number": wrong["number"]}, 422, "same_document", "/right/number"),
        ({}, {"number": other["number"]}, 409, "document_differs", "/right/number"),
        ({}, {"customer": "cus_x"}, 404, "unknown_customer", "/right/customer"),
        ({}, {"shown": {"kind": "phone", "value": "1"}}, 422, "bad_identifier", "/right/shown/value"),
        ({}, {"lines": [{"number": 1, **fuel(1), "article": ""}]}, 422, "bad_document", "/right/lines/0/article"),
        ({}, {"lines": [{"number": 1, **fuel(1)}] * 2}, 422, "bad_document", "/right/lines"),
    ]
    for at, (named, change, status, code, pointer) in enumerate(cases):
        body = correction(wrong | named, shop.sale(fuel(30), number=f"C{at}") | change)
        refused(shop.api.post("/v1/corrections", body), status, code, pointer)
    assert left(shop, customer) == 205
    made = done(correct(shop, wrong, fuel(30), customer=customer, number="18"))
    said = refused(correct(shop, wrong, fuel(30), customer=customer), 409, "sale_corrected", "/wrong")
    assert "S17:20260707:1:18" in said
    refused(shop.give_back(wrong, (1, 1_000, 1)), 409, "sale_corrected", "/sale")
    done(shop.give_back(done(shop.api.get(f"/v1/sales/{made['right']}")), (1, 30_000, 240_000_000)))
    assert left(shop, customer) == 5


@pytest.mark.parametrize("programme_url", ["postgresql"], indirect=True)
def test_corrections_there_and_back_at_once_do_not_wait_for_each_other(shop: Shop) -> None:
    rules = [
        rule(name, {"kind": "per_litre", "points": 5}, budget={"points_per_month": 100_000}) for name in ("a", "b", "c")
    ]
    shop.publish(rule_set(*rules, version=2))
    customers = [shop.customer() for _ in range(2)]
    sales = [shop.sell(fuel(1), customer=customers[at % 2]) for at in range(12)]
    bodies = [
        correction(sale, shop.sale(fuel(2), customer=customers[1 - at % 2], number=f"C{at}"))
        for at, sale in enumerate(sales)
    ]
    with ThreadPoolExecutor(6) as threads:
        for answer in threads.map(lambda body: shop.api.post("/v1/corrections", body), bodies):
            done(answer)
    assert [left(shop, customer) for customer in customers] == [180, 180]


# -------------------------------------------------------------------- what is known later


def recognise(shop: Shop, sale: dict[str, Any], customer: str) -> httpx.Response:
    return shop.api.post(f"/v1/sales/{sale['id']}/recognise", {"customer": customer, **WHY}, Role.CASHIER)


def test_a_receipt_that_is_handed_in_later_earns_then(shop: Shop) -> None:
    sale = shop.sell(fuel(40), shown={"kind": "card", "value": "9999 0000"})
    customer = shop.customer()
    shop.publish(rule_set(rule("new", {"kind": "fixed", "points": 1}), version=2, effective={"from": "2026-07-08"}))
    now = done(recognise(shop, sale, customer))
    assert (now["customer"], now["shown"], now["outcome"]) == (customer, None, "earned")
    assert points(now) == {"litre": 200}, "the rules of its day count"
    assert done(recognise(shop, sale, customer)) == now
    assert left(shop, customer) == 200
    refused(recognise(shop, sale, shop.customer()), 409, "sale_has_customer")
    (entry,) = done(shop.api.get("/v1/audit-log", subject=sale["id"]))["data"]
    assert (entry["action"], entry["after"]) == ("sale.recognised", {"outcome": "earned", "customer": customer})


def test_what_came_back_before_it_was_recognised_earns_nothing(shop: Shop) -> None:
    sale = shop.sell(fuel(40))
    done(shop.give_back(sale, (1, 10_000, 80_000_000)))
    done(shop.give_back(sale, (1, 10_000, 80_000_000)))
    customer = shop.customer()
    now = done(recognise(shop, sale, customer))
    assert [award["taken_back"] for award in now["awards"]] == [100]
    done(shop.give_back(sale, (1, 20_000, 160_000_000)))
    assert left(shop, customer) == 0


def test_a_sale_that_is_sent_again_after_it_was_recognised_is_the_same(shop: Shop) -> None:
    body = shop.sale(fuel(40))
    sale = done(shop.send(body))
    now = done(recognise(shop, sale, shop.customer()))
    assert done(shop.send(body)) == now


def test_who_cannot_be_recognised_is_told(shop: Shop) -> None:
    sale, customer = shop.sell(fuel(40)), shop.customer()
    refused(recognise(shop, sale, "cus_x"), 404, "unknown_customer", "/customer")
    refused(recognise(shop, {"id": "sal_x"}, customer), 404, "unknown_sale")
    done(shop.api.post(f"/v1/customers/{customer}/erase", {"forfeit_points": True, **WHY}))
    refused(recognise(shop, sale, customer), 409, "customer_erased", "/customer")
    done(correct(shop, sale, fuel(30)))
    refused(recognise(shop, sale, shop.customer()), 409, "sale_corrected")


def test_a_sale_is_evaluated_again_once_a_rule_set_covers_it(shop: Shop) -> None:
    day = {"business_day": "2025-12-31", "time": "2025-12-31T10:00:00+08:00"}
    customer = shop.customer()
    sale = shop.sell(fuel(40), customer=customer, **day)
    later = shop.sell(fuel(1), customer=customer)
    path = f"/v1/sales/{sale['id']}/evaluate"
    assert done(shop.api.post(path, WHY))["outcome"] == "uncovered"
    welcome = rule("welcome", {"kind": "fixed", "points": 50}, condition="customer.first_purchase")
    shop.publish(rule_set(welcome, version=2, effective={"from": "2025-01-01", "until": "2025-12-31"}))
    now = done(shop.api.post(path, WHY))
    assert (now["outcome"], points(now)) == ("earned", {"welcome": 50})
    assert done(shop.api.post(path, WHY)) == now
    assert left(shop, customer) == 50 + points(later)["litre"]
    entries = done(shop.api.get("/v1/audit-log", subject=sale["id"]))["data"]
    assert [entry["action"] for entry in entries] == ["sale.evaluated"]
    refused(shop.api.post(f"/v1/sales/{shop.sell(fuel(1), **day)['id']}/evaluate", WHY), 409, "sale_of_nobody")


def test_a_receipt_of_a_day_without_rules_waits_for_them(shop: Shop) -> None:
    sale = shop.sell(fuel(40), business_day="2025-12-31", time="2025-12-31T10:00:00+08:00")
    customer = shop.customer()
    assert done(recognise(shop, sale, customer))["outcome"] == "uncovered"
    listed = done(shop.api.get("/v1/sales", outcome="uncovered"))["data"]
    assert [one["customer"] for one in listed] == [customer]
    assert DAY not in listed[0]["business_day"]


def test_a_command_evaluates_all_that_is_covered_by_now(shop: Shop) -> None:
    days = ["2025-12-30", "2025-12-31"]
    customer = shop.customer()
    for day in days:
        shop.sell(fuel(40), customer=customer, business_day=day, time=f"{day}T10:00:00+08:00")
    shop.publish(rule_set(rule("one", {"kind": "fixed", "points": 1}), version=2, effective={"from": "2025-12-31"}))
    settings = Settings(database_url=shop.api.database.url)
    assert evaluate_again(settings) == (2, 1)
    assert evaluate_again(settings) == (1, 0)
    assert left(shop, customer) == 1
