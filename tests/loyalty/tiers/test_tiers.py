"""Customers move between tiers as they buy, as days go by, and as something comes back."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from loyalty.activity.measures import Measures, measures_of
from loyalty.activity.models import CustomerDay
from loyalty.awards.models import BookedAward, BookedTakeBack
from loyalty.kit.clock import ShiftedClock
from loyalty.sales.models import RecordedSale
from loyalty.sales.reading import SalesReader
from loyalty.staff.models import Role
from loyalty.tiers.service import TierService
from tests.loyalty.clock import show
from tests.loyalty.earning.programmes import named, rule, rule_set
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done, fuel, goods, points, refused
from tests.loyalty.tiers.schemes import plain

RULES = rule_set(
    rule("litre", {"kind": "per_litre", "points": 5}, condition="line.category == 'fuel'", name=named("litre", "升")),
    rule("tier", {"kind": "tier"}, name=named("tier", "等级")),
)
LATE = datetime(2026, 7, 7, 9, tzinfo=UTC)


@pytest.fixture
def shop(programme: Any, shifted: ShiftedClock) -> Shop:
    """A shop on the day on which its sales are."""
    found = Shop(api_on(programme))
    at(shifted, 0)
    found.open(RULES)
    publish(found)
    return found


def at(clock: ShiftedClock, days: int) -> None:
    """Lets the clock show the shop's day, so many days later."""
    show(clock, LATE + timedelta(days))


def publish(shop: Shop, **more: Any) -> dict[str, Any]:
    draft = done(shop.api.post("/v1/tier-schemes", {"scheme": plain(**more)}, Role.MARKETING))
    return done(shop.api.post(f"/v1/tier-schemes/{draft['id']}/publish", {"reason": "a test"}))


def tier(shop: Shop, customer: str) -> dict[str, Any]:
    return done(shop.api.get(f"/v1/customers/{customer}/tier"))


def moves(shop: Shop, customer: str) -> list[tuple[str, str, str]]:
    found = done(shop.api.get(f"/v1/customers/{customer}/tier-moves"))["data"]
    return [(one["from_tier"], one["to_tier"], one["cause"]) for one in reversed(found)]


def review(shop: Shop) -> None:
    """What the worker does each night, two customers at a time."""
    customer = None
    while True:
        with shop.api.database.session.begin() as session:
            customer = TierService(session).review_after(customer, 2)
        if customer is None:
            return


def test_a_sale_lifts_at_once_and_the_next_one_earns_more(shop: Shop) -> None:
    chen = shop.customer("CARD1")
    assert points(shop.sell(fuel(60), customer=chen)) == {"litre": 300}
    assert tier(shop, chen)["level"]["id"] == "silver"
    assert points(shop.sell(fuel(10), customer=chen)) == {"litre": 75}
    assert moves(shop, chen) == [("", "silver", "reached")]


def test_the_way_to_the_next_level(shop: Shop) -> None:
    chen = shop.customer("CARD1")
    shop.sell(fuel(20, 150), customer=chen)
    way = tier(shop, chen)
    assert (way["level"]["id"], way["next"]["id"], way["reached_by"]) == ("bronze", "silver", "any")
    assert way["missing"] == {"spend_fen": 35_000, "litres": 40}
    assert way["counted"] == {"points": 100, "spend_fen": 15_000, "litres": 20, "visits": 1}
    assert way["next"]["benefits"] == [{"en": "a free wash a month", "zh": "每月一次免费洗车"}]


def test_a_night_lowers_after_the_grace(shop: Shop, shifted: ShiftedClock) -> None:
    chen, li, wang = (shop.customer(card) for card in ("CARD1", "CARD2", "CARD3"))
    shop.sell(fuel(60), customer=chen)
    shop.sell(fuel(60), customer=li)
    at(shifted, 29)
    review(shop)
    assert tier(shop, chen)["grace_until"] is None
    at(shifted, 30)
    review(shop)
    assert (tier(shop, chen)["level"]["id"], tier(shop, chen)["grace_until"]) == ("silver", "2026-08-16")
    shop.sell(fuel(60), customer=li, business_day="2026-08-06", time="2026-08-06T15:00:00+08:00")
    at(shifted, 40)
    review(shop)
    assert tier(shop, chen)["level"]["id"] == "bronze"
    assert moves(shop, chen) == [("", "silver", "reached"), ("silver", "bronze", "grace_over")]
    assert tier(shop, li)["level"]["id"] == "silver"
    assert moves(shop, wang) == []


def test_a_return_undoes_what_had_lifted_them(shop: Shop) -> None:
    chen = shop.customer("CARD1")
    sold = shop.sell(fuel(60), customer=chen)
    assert done(shop.give_back(sold, (1, 1_000, 0)))
    assert tier(shop, chen)["level"]["id"] == "bronze"
    assert moves(shop, chen)[-1] == ("silver", "bronze", "returned")


def test_a_sale_of_an_older_day_counts_on_its_day(shop: Shop) -> None:
    chen = shop.customer("CARD1")
    shop.sell(fuel(60), customer=chen, business_day="2026-05-01", time="2026-05-01T15:00:00+08:00")
    assert tier(shop, chen)["level"]["id"] == "bronze"


def test_another_scheme_moves_everybody_and_a_preview_tells_before(shop: Shop) -> None:
    chen, li = shop.customer("CARD1"), shop.customer("CARD2")
    shop.sell(fuel(60), customer=chen)
    shop.sell(fuel(10), customer=li)
    levels = [
        {"id": "green", "name": {"en": "Green", "zh": "绿"}},
        {"id": "blue", "name": {"en": "Blue", "zh": "蓝"}, "needs": {"litres": 10}, "coefficient": 30_000},
    ]
    draft = done(shop.api.post("/v1/tier-schemes", {"scheme": plain(version=2, levels=levels)}, Role.MARKETING))
    preview = done(shop.api.get(f"/v1/tier-schemes/{draft['id']}/preview"))["moves"]
    assert preview == [
        {"from_tier": "bronze", "to_tier": "blue", "count": 1, "some": [li]},
        {"from_tier": "silver", "to_tier": "blue", "count": 1, "some": [chen]},
    ]
    assert tier(shop, chen)["level"]["id"] == "silver"
    done(shop.api.post(f"/v1/tier-schemes/{draft['id']}/publish", {"reason": "a test"}))
    review(shop)
    assert moves(shop, chen)[-1] == ("silver", "blue", "scheme")
    assert points(shop.sell(fuel(10), customer=chen)) == {"litre": 150}


def test_the_customers_of_a_move_come_page_by_page(shop: Shop) -> None:
    some = [shop.customer() for _ in range(5)]
    for customer in some[:3]:
        shop.sell(fuel(60), customer=customer)
    levels = [{"id": "green", "name": {"en": "Green", "zh": "绿"}}]
    draft = done(shop.api.post("/v1/tier-schemes", {"scheme": plain(version=2, levels=levels)}, Role.MARKETING))
    found, cursor = [], None
    with shop.api.database.reading() as session:
        service = TierService(session)
        while True:
            page, cursor = service.crowd(draft["id"], ("silver", "green"), cursor=cursor, limit=2)
            found.append([mover.customer for mover in page])
            if cursor is None:
                break
        assert [mover.measures["litres"] for mover in page] == [60]
        assert service.crowd(draft["id"], ("gold", "green"), cursor=None, limit=2) == ([], None)
    assert found == [some[:2], some[2:3]]


def test_a_coefficient_of_a_new_version_counts_without_a_move(shop: Shop) -> None:
    chen = shop.customer("CARD1")
    shop.sell(fuel(60), customer=chen)
    levels = plain()["levels"]
    levels[1]["coefficient"] = 30_000
    publish(shop, version=2, levels=levels)
    review(shop)
    assert points(shop.sell(fuel(10), customer=chen)) == {"litre": 150}
    assert len(moves(shop, chen)) == 1


def test_a_scheme_begins_on_its_day(shop: Shop) -> None:
    publish(shop, version=2, effective={"from": "2027-01-01"}, grace_days=0)
    chen = shop.customer("CARD1")
    shop.sell(fuel(60), customer=chen)
    assert tier(shop, chen)["level"]["id"] == "silver"


def test_an_erased_customer_is_left_alone(shop: Shop, shifted: ShiftedClock) -> None:
    chen = shop.customer("CARD1")
    shop.sell(fuel(60), customer=chen)
    done(shop.api.post(f"/v1/customers/{chen}/erase", {"reason": "a test", "forfeit_points": True}))
    at(shifted, 100)
    review(shop)
    assert len(moves(shop, chen)) == 1


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_without_a_scheme_there_are_no_tiers(programme: Any) -> None:
    shop = Shop(api_on(programme))
    shop.open(RULES)
    chen = shop.customer("CARD1")
    shop.sell(fuel(60), customer=chen)
    review(shop)
    refused(shop.api.get(f"/v1/customers/{chen}/tier"), 404, "no_tier_scheme")


def test_a_wrong_scheme_is_refused_with_its_place(shop: Shop) -> None:
    levels = plain()["levels"]
    levels[2]["needs"]["spend_fen"] = 1
    answer = shop.api.post("/v1/tier-schemes", {"scheme": plain(version=2, levels=levels)}, Role.MARKETING)
    refused(answer, 422, "bad_tier_scheme", "/scheme/levels/2/needs/spend_fen")
    answer = shop.api.post("/v1/tier-schemes", {"scheme": plain()}, Role.MARKETING)
    refused(answer, 409, "version_taken", "/scheme/version")
    refused(shop.api.get("/v1/tier-schemes/trs_x"), 404, "unknown_tier_scheme")


def test_days_say_what_sales_and_returns_say(shop: Shop) -> None:
    """Whatever is bought and comes back, in any order: each day is the sum of what is left of its sales."""
    generator = random.Random(20261128)
    customers = [shop.customer(f"CARD{at}") for at in range(3)]
    sold: list[dict[str, Any]] = []
    for _ in range(40):
        if sold and generator.random() < 0.4:
            of = generator.choice(sold)
            line = generator.choice(of["lines"])
            shop.give_back(of, (line["number"], line["quantity_milli"] // generator.choice((1, 2, 3)), 0))
        else:
            day = f"2026-07-0{generator.randint(1, 3)}"
            lines = [fuel(generator.randint(1, 60)), goods("snack", generator.randint(100, 9_999))]
            sold.append(
                shop.sell(*lines, customer=generator.choice(customers), business_day=day, time=f"{day}T12:00:00+08:00")
            )
    with shop.api.database.reading() as session:
        earned: dict[tuple[str, date], int] = {}
        for sale in session.scalars(select(RecordedSale)):
            assert sale.customer_id is not None
            awards = session.scalars(select(BookedAward).where(BookedAward.sale_id == sale.id)).all()
            taken = session.scalars(
                select(BookedTakeBack).where(BookedTakeBack.award_id.in_([award.id for award in awards]))
            ).all()
            key = sale.customer_id, sale.business_day
            left = sum(award.points for award in awards) - sum(one.points for one in taken)
            earned[key] = earned.get(key, 0) + left
        for row in session.scalars(select(CustomerDay)):
            left_of = SalesReader(session).left(row.customer_id, row.business_day, row.business_day)
            sums = [sum(numbers) for numbers in zip(Measures(), *map(measures_of, left_of), strict=True)]
            found = Measures(row.visits, row.spend_micros, row.litres_milli, row.points)
            assert found == Measures(*sums)._replace(points=earned.pop((row.customer_id, row.business_day)))
    assert earned == {}
