"""A version is tried on recorded sales, against what is in force; nothing is awarded."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from sqlalchemy import func, select

from loyalty.awards.models import BookedAward
from loyalty.earning.rule_sets import write_rule_set
from loyalty.simulations import service
from loyalty.simulations.repository import RecordedSaleRepository
from loyalty.staff.models import Role
from tests.loyalty.earning.programmes import rule, rule_set
from tests.loyalty.intake.shop import Shop, done, fuel, refused
from tests.support.nightly import by_day

DAYS = {"first_day": "2026-07-01", "last_day": "2026-07-31", "micros_per_point": 10_000}
LIVE = rule_set(rule("litre", {"kind": "per_litre", "points": 5}), version=8)
CANDIDATE = rule_set(
    rule("litre", {"kind": "per_litre", "points": 7}),
    rule("welcome", {"kind": "fixed", "points": 100}, condition="customer.first_purchase"),
    rule("often", {"kind": "fixed", "points": 1_000}, condition="customer.sales_this_month >= 2"),
    version=9,
)


def draft(shop: Shop) -> str:
    """Keeps the candidate; its id."""
    body = {"program": "FUEL", "rules": json.loads(write_rule_set(CANDIDATE))}
    return str(done(shop.api.post("/v1/rule-sets", body, Role.MARKETING))["id"])


def simulated(shop: Shop, candidate: str, **other: Any) -> dict[str, Any]:
    """Tries the candidate."""
    return done(shop.api.post(f"/v1/rule-sets/{candidate}/simulate", DAYS | other, Role.MARKETING, key=None))


def test_a_candidate_is_compared_with_what_is_in_force(shop: Shop) -> None:
    shop.publish(LIVE)
    chen, li = shop.customer(), shop.customer()
    for day in ("06-30", "07-01", "07-02", "07-03"):
        time = {"business_day": f"2026-{day}", "time": f"2026-{day}T10:00:00+08:00"}
        shop.sell(fuel(40), customer=chen, **time)
    shop.sell(fuel(10), customer=li, business_day="2026-07-03", time="2026-07-03T10:00:00+08:00")
    shop.sell(fuel(10), business_day="2026-07-03", time="2026-07-03T10:00:00+08:00")
    found = simulated(shop, draft(shop))
    assert (found["sales"], found["customers"]) == (4, 2)
    assert found["live"] == {
        "points": 650,
        "cost_micros": 6_500_000,
        "sales": 4,
        "by_rule": [["litre", 650]],
    }
    # Chen's first purchase was in June, and the third sale of July has two before it.
    assert found["candidate"]["by_rule"] == [["litre", 910], ["welcome", 100], ["often", 1_000]]
    assert [(one["customer"], one["live"], one["candidate"]) for one in found["gainers"]] == [
        (chen, 600, 1_840),
        (li, 50, 170),
    ]
    assert (found["gaining"], found["losing"], found["losers"]) == (2, 0, [])
    assert [(one["day"], one["live"], one["candidate"]) for one in found["days"]] == [
        ("2026-07-01", 200, 280),
        ("2026-07-02", 200, 280),
        ("2026-07-03", 250, 1_450),
    ]


def test_a_period_that_begins_within_a_month_counts_the_days_before_it(shop: Shop) -> None:
    shop.publish(LIVE)
    chen = shop.customer()
    for day in ("07-01", "07-02", "07-03"):
        shop.sell(fuel(1), customer=chen, business_day=f"2026-{day}", time=f"2026-{day}T10:00:00+08:00")
    found = simulated(shop, draft(shop), first_day="2026-07-03", last_day="2026-07-03")
    assert (found["sales"], found["candidate"]["points"]) == (1, 1_007)


def test_a_wrong_sale_is_not_tried_and_the_right_one_stands_in_its_place(shop: Shop) -> None:
    shop.publish(LIVE)
    chen = shop.customer()
    wrong = shop.sell(fuel(40), customer=chen)
    shop.sell(fuel(10), customer=chen)
    names = ("business_day", "till", "number")
    right = {name: value for name, value in shop.sale(fuel(20), customer=chen).items() if name != "station"}
    body = {
        "station": "S17",
        "wrong": {name: wrong[name] for name in names},
        "right": right,
        "reason": "it was another pump",
    }
    done(shop.api.post("/v1/corrections", body))
    found = simulated(shop, draft(shop))
    assert (found["sales"], found["live"]["points"]) == (2, 150)
    # The right sale is the first purchase, and has none before it.
    assert found["candidate"]["by_rule"] == [["litre", 210], ["welcome", 100]]


def test_nothing_is_awarded(shop: Shop) -> None:
    shop.sell(fuel(40), customer=shop.customer())

    def awards() -> object:
        with shop.api.database.reading() as session:
            return session.scalar(select(func.count()).select_from(BookedAward))

    before = awards()
    simulated(shop, draft(shop))
    assert awards() == before


@pytest.mark.parametrize(
    ("days", "status", "code", "pointer"),
    [
        ({"last_day": "2026-06-30"}, 422, "bad_period", "/last_day"),
        ({"last_day": "2026-10-01"}, 422, "period_too_long", "/last_day"),
        ({"first_day": "2019-12-30", "last_day": "2019-12-31"}, 409, "no_live_rule_set", "/last_day"),
        ({"micros_per_point": -1}, 422, "validation_failed", "/micros_per_point"),
        ({"first_day": "July"}, 422, "validation_failed", "/first_day"),
    ],
)
@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_what_cannot_be_tried_is_refused(
    shop: Shop, days: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    answer = shop.api.post(f"/v1/rule-sets/{draft(shop)}/simulate", DAYS | days, Role.MARKETING, key=None)
    refused(answer, status, code, pointer)


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_too_many_sales_are_refused_before_one_is_tried(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_SALES", 1)
    customer = shop.customer()
    shop.sell(fuel(40), customer=customer)
    shop.sell(fuel(40), customer=customer)
    answer = shop.api.post(f"/v1/rule-sets/{draft(shop)}/simulate", DAYS, Role.MARKETING, key=None)
    refused(answer, 422, "too_many_sales", "/first_day")
    refused(shop.api.post("/v1/rule-sets/rls_x/simulate", DAYS, Role.MARKETING, key=None), 404, "unknown_rule_set")


def test_memory_does_not_grow_with_the_sales(shop: Shop) -> None:
    """The most memory that reading takes with many sales is hardly more than with few."""
    customer = shop.customer()
    first = shop.sell(fuel(40), customer=customer)

    def peak(copies: int) -> int:
        with shop.api.database.session.begin() as session:
            known = session.connection().exec_driver_sql("SELECT count(*) FROM sales").scalar_one()
            session.connection().exec_driver_sql(_COPIES.format(sale=first["id"], first=known, last=copies))
        with shop.api.database.reading() as session:
            days = (RecordedSaleRepository(session), DAY, DAY)
            tracemalloc.start()
            assert sum(1 for _ in days[0].stream(*days[1:])) == copies + 1
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return most

    peak(10)  # what is made once
    few, many = peak(1_000), peak(by_day(3_000, at_night=20_000))
    assert many < 1.5 * few


DAY = service.date(2026, 7, 7)
_COLUMNS = (
    "station_id, business_day, till, sold_at, customer_id, shown, content, fingerprint, outcome, rule_set, received_at"
)
_COPIES = (
    "WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
    f" INSERT INTO sales (id, number, {_COLUMNS}) SELECT 'copy_' || n, 'C' || n, {_COLUMNS} FROM sales, numbers"
    " WHERE id = '{sale}'"
)
