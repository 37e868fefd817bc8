"""Gifts: each is given once, whenever its occasion comes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from loyalty.gifts.plans import birthdays_on
from loyalty.gifts.service import GiftService
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.staff.models import Role
from tests.loyalty.clock import show
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done, refused

REASON = {"reason": "a test"}


@pytest.fixture
def shop(programme: Database, shifted: ShiftedClock) -> Shop:
    """A shop on the day before its sales."""
    show(shifted, datetime(2026, 7, 6, 9, tzinfo=UTC))
    found = Shop(api_on(programme))
    found.open()
    return found


def plain(**gifts: Any) -> dict[str, Any]:
    return {
        "id": "gifts",
        "version": 1,
        "name": {"en": "Gifts", "zh": "礼物"},
        "time_zone": "Asia/Shanghai",
        "effective": {"from": "2026-01-01"},
        **gifts,
    }


def publish(shop: Shop, **gifts: Any) -> None:
    draft = done(shop.api.post("/v1/gift-plans", {"program": "FUEL", "plan": plain(**gifts)}, Role.MARKETING))
    done(shop.api.post(f"/v1/gift-plans/{draft['id']}/publish", REASON))


def held(shop: Shop, customer: str) -> list[tuple[str, int]]:
    found = done(shop.api.get(f"/v1/customers/{customer}/bonuses"))["data"]
    return [(one["cause"], one["points"]) for one in reversed(found) if one["revoked_at"] is None]


def birthdays(shop: Shop) -> None:
    """What the worker does each morning, one customer at a time."""
    customer = None
    while True:
        with shop.api.database.session.begin() as session:
            customer = GiftService(session).birthdays_after(customer, 1)
        if customer is None:
            return


def test_whoever_joins_is_welcomed_once(shop: Shop) -> None:
    early = shop.customer()
    publish(shop, joining={"points": 50})
    chen = shop.customer()
    assert held(shop, chen) == [("joining", 50)]
    for who in (chen, early):
        shop.sell(customer=who)
        shop.sell(customer=who)
        assert held(shop, who) == [("joining", 50)]


def test_the_first_sale_may_have_to_come_before(shop: Shop) -> None:
    publish(shop, joining={"points": 50, "after": "first_sale"})
    chen = shop.customer()
    assert held(shop, chen) == []
    first = shop.sell(customer=chen)
    second = shop.sell(customer=chen)
    done(shop.give_back(first, (1, 40_000, 0)))
    assert held(shop, chen) == [("joining", 50)]
    done(shop.give_back(second, (1, 40_000, 0)))
    assert held(shop, chen) == []
    shop.sell(customer=chen)
    assert held(shop, chen) == [("joining", 50)]


def test_a_whole_profile_is_rewarded_once(shop: Shop) -> None:
    publish(shop, profile={"points": 30, "needs": ["phone", "birthday"], "consents": ["marketing"]})
    chen = shop.customer()
    path = f"/v1/customers/{chen}"
    phone = done(shop.api.post(f"{path}/identifiers", {"kind": "phone", "value": "+8613800138000"}))
    done(shop.api.post(f"{path}/birthday", {"month": 2, "day": 29}))
    consent = {"purpose": "marketing", "text_version": "1", "is_given": True}
    done(shop.api.post(f"{path}/consents", consent | {"is_given": False}))
    assert held(shop, chen) == []
    done(shop.api.post(f"{path}/consents", consent))
    assert held(shop, chen) == [("profile", 30)]
    done(shop.api.post(f"{path}/identifiers/{phone['id']}/remove", REASON))
    done(shop.api.post(f"{path}/identifiers", {"kind": "phone", "value": "+8613800138000"}))
    shop.sell(customer=chen)
    assert held(shop, chen) == [("profile", 30)]


def test_a_birthday_is_told_once(shop: Shop) -> None:
    chen = shop.customer()
    path = f"/v1/customers/{chen}/birthday"
    done(shop.api.post(path, {"month": 7, "day": 9}))
    done(shop.api.post(path, {"month": 7, "day": 9}))
    refused(shop.api.post(path, {"month": 7, "day": 10}), 409, "birthday_set", "/month")
    refused(shop.api.post(path, {"month": 2, "day": 30}), 422, "bad_birthday", "/day")


def test_a_birthday_has_its_gift_once_a_year(shop: Shop, shifted: ShiftedClock) -> None:
    publish(shop, birthday={"points": 100})
    chen = shop.customer(birthday={"month": 7, "day": 9})
    gone = shop.customer(birthday={"month": 7, "day": 9})
    other = shop.customer(birthday={"month": 7, "day": 12})
    done(shop.api.post(f"/v1/customers/{gone}/erase", {"reason": "a test", "forfeit_points": True}))
    birthdays(shop)
    assert held(shop, chen) == []
    show(shifted, datetime(2026, 7, 8, 16, 30, tzinfo=UTC))  # half past midnight in Shanghai
    for _ in range(2):
        birthdays(shop)
    assert held(shop, chen) == [("birthday", 100)]
    assert held(shop, other) == held(shop, gone) == []
    show(shifted, datetime(2027, 7, 9, 9, tzinfo=UTC))
    birthdays(shop)
    assert held(shop, chen) == [("birthday", 100), ("birthday", 100)]


def test_a_worker_that_stood_still_misses_no_birthday(shop: Shop, shifted: ShiftedClock) -> None:
    publish(shop, birthday={"points": 100})
    chen = shop.customer(birthday={"month": 7, "day": 9})
    early = shop.customer(birthday={"month": 7, "day": 5})
    show(shifted, datetime(2026, 7, 15, 9, tzinfo=UTC))
    birthdays(shop)
    assert held(shop, chen) == [("birthday", 100)]
    assert held(shop, early) == [], "it was before they joined"


def test_a_birthday_at_the_turn_of_the_year_is_that_years(shop: Shop, shifted: ShiftedClock) -> None:
    publish(shop, birthday={"points": 100})
    chen = shop.customer(birthday={"month": 12, "day": 31})
    for moment in (datetime(2027, 1, 2, 9, tzinfo=UTC), datetime(2027, 12, 31, 9, tzinfo=UTC)):
        show(shifted, moment)
        birthdays(shop)
    assert len(held(shop, chen)) == 2


def test_the_gift_may_be_for_some_tiers(shop: Shop, shifted: ShiftedClock) -> None:
    publish(shop, birthday={"points": 100, "tiers": ["gold"]})
    chen = shop.customer(birthday={"month": 7, "day": 9})
    show(shifted, datetime(2026, 7, 9, 9, tzinfo=UTC))
    birthdays(shop)
    assert held(shop, chen) == []


def test_the_29th_of_february_is_kept_on_the_28th() -> None:
    assert birthdays_on(date(2026, 2, 28)) == ((2, 28), (2, 29))
    assert birthdays_on(date(2028, 2, 28)) == ((2, 28),)
    assert birthdays_on(date(2028, 2, 29)) == ((2, 29),)


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("gifts", "pointer"),
    [
        ({}, "/plan"),
        ({"joining": {"points": 0}}, "/plan/joining/points"),
        ({"profile": {"points": 1}}, "/plan/profile"),
        ({"birthday": {"points": 1, "tier": ["gold"]}}, "/plan/birthday/tier"),
    ],
)
def test_every_mistake_is_told_with_its_place(shop: Shop, gifts: dict[str, Any], pointer: str) -> None:
    answer = shop.api.post("/v1/gift-plans", {"program": "FUEL", "plan": plain(**gifts)}, Role.MARKETING)
    refused(answer, 422, "bad_gift_plan", pointer)
