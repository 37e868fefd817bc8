"""Referrals: both are rewarded after the first fill, and nobody brings themselves, by whatever name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.staff.models import Role
from tests.loyalty.clock import show
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done, goods, refused
from tests.loyalty.referrals.written import plain

REASON = {"reason": "a test"}


@pytest.fixture
def shop(programme: Database, shifted: ShiftedClock) -> Shop:
    """A shop with a referral scheme, on the day before its sales."""
    show(shifted, datetime(2026, 7, 6, 9, tzinfo=UTC))
    found = Shop(api_on(programme))
    found.open()
    publish(found)
    return found


def publish(shop: Shop, **more: Any) -> None:
    draft = done(shop.api.post("/v1/referral-schemes", {"program": "FUEL", "scheme": plain(**more)}, Role.MARKETING))
    done(shop.api.post(f"/v1/referral-schemes/{draft['id']}/publish", REASON))


def code(shop: Shop, customer: str) -> str:
    return str(done(shop.api.post(f"/v1/customers/{customer}/referral-code"))["code"])


def refer(shop: Shop, newcomer: str, code: str, **more: Any) -> Any:
    return shop.api.post("/v1/referrals", {"newcomer": newcomer, "code": code, **more})


def held(shop: Shop, customer: str) -> list[int]:
    found = done(shop.api.get(f"/v1/customers/{customer}/bonuses"))["data"]
    return [one["points"] for one in reversed(found) if one["revoked_at"] is None]


def sell(shop: Shop, customer: str, day: str = "2026-07-07", *lines: dict[str, Any]) -> dict[str, Any]:
    return shop.sell(*lines, customer=customer, business_day=day, time=f"{day}T12:00:00+08:00")


def test_both_are_rewarded_after_the_first_fill_and_again_after_the_second(shop: Shop) -> None:
    chen = shop.customer()
    li = shop.customer(referral_code=code(shop, chen).lower())
    sell(shop, li, "2026-07-07", goods("snack", 900))
    assert held(shop, chen) == held(shop, li) == []
    sell(shop, li)
    assert (held(shop, chen), held(shop, li)) == ([200], [100])
    sell(shop, li, "2026-10-06")
    assert (held(shop, chen), held(shop, li)) == ([200, 300], [100])
    (seen,) = done(shop.api.get(f"/v1/customers/{chen}/referrals"))["data"]
    assert seen["newcomer_id"] == li
    bonus = done(shop.api.get(f"/v1/customers/{chen}/bonuses"))["data"][0]
    wish = shop.wish(bonus["reference"])
    assert wish is not None
    assert (wish.member, wish.points, wish.facts["part"]) == (f"external:{chen}", 300, "again")


def test_a_second_fill_that_comes_too_late_is_no_coming_back(shop: Shop) -> None:
    chen = shop.customer()
    li = shop.customer(referral_code=code(shop, chen))
    sell(shop, li)
    sell(shop, li, "2026-10-07")
    assert held(shop, chen) == [200]


def test_a_returned_fill_takes_all_back_and_another_one_gives_it_again(shop: Shop) -> None:
    chen = shop.customer()
    li = shop.customer(referral_code=code(shop, chen))
    first = sell(shop, li)
    second = sell(shop, li, "2026-07-09")
    done(shop.give_back(second, (1, 40_000, 0)))
    assert (held(shop, chen), held(shop, li)) == ([200], [100])
    done(shop.give_back(first, (1, 40_000, 0)))
    assert (held(shop, chen), held(shop, li)) == ([], [])
    sell(shop, li, "2026-07-10")
    assert (held(shop, chen), held(shop, li)) == ([200], [100])


def test_a_code_is_the_same_each_time_and_is_needed(shop: Shop) -> None:
    chen, li = shop.customer(), shop.customer()
    assert code(shop, chen) == code(shop, chen) != code(shop, li)
    said = refused(refer(shop, li, "NOBODY22"), 404, "unknown_referral_code", "/code")
    assert "ask for it again" in said
    refused(refer(shop, "cus_x", code(shop, chen)), 404, "unknown_customer")


def test_nobody_brings_themselves(shop: Shop) -> None:
    chen = shop.customer()
    refused(refer(shop, chen, code(shop, chen)), 409, "self_referral", "/code")


def test_a_plate_that_both_have_had_tells_that_they_are_one(shop: Shop) -> None:
    chen, li = shop.customer(), shop.customer()
    plate = {"kind": "plate", "value": "京A·12345"}
    added = done(shop.api.post(f"/v1/customers/{chen}/identifiers", plate))
    done(shop.api.post(f"/v1/customers/{chen}/identifiers/{added['id']}/remove", REASON))
    done(shop.api.post(f"/v1/customers/{li}/identifiers", plate))
    refused(refer(shop, li, code(shop, chen)), 409, "same_plate", "/code")


def test_a_device_on_which_another_customer_was_seen_brings_nobody(shop: Shop) -> None:
    chen = shop.customer(device="phone-1")
    li = shop.customer()
    refused(refer(shop, li, code(shop, chen), device="phone-1"), 409, "same_device", "/device")
    joins = {"identifiers": [{"kind": "card", "value": "NEW1"}], "device": "phone-1", "referral_code": code(shop, chen)}
    refused(shop.api.post("/v1/customers", joins), 409, "same_device")
    refused(shop.api.get("/v1/customers/lookup", kind="card", value="NEW1"), 404, "unknown_customer")
    done(refer(shop, li, code(shop, chen), device="phone-2"))


def test_a_ring_is_refused(shop: Shop) -> None:
    chen, li, wang = shop.customer(), shop.customer(), shop.customer()
    done(refer(shop, li, code(shop, chen)))
    done(refer(shop, wang, code(shop, li)))
    said = refused(refer(shop, chen, code(shop, wang)), 409, "ring", "/code")
    assert "chain of referrals" in said


def test_a_newcomer_is_new_and_has_one_referrer(shop: Shop, shifted: ShiftedClock) -> None:
    chen, li, old, late = (shop.customer() for _ in range(4))
    first = done(refer(shop, li, code(shop, chen)))
    assert done(refer(shop, li, code(shop, chen))) == first
    refused(refer(shop, li, code(shop, old)), 409, "already_referred", "/code")
    sell(shop, old)
    refused(refer(shop, old, code(shop, chen)), 409, "not_new", "/newcomer")
    show(shifted, datetime(2026, 8, 6, 9, tzinfo=UTC))
    refused(refer(shop, late, code(shop, chen)), 409, "not_new", "/newcomer")


def test_who_has_left_brings_nobody_and_is_given_nothing(shop: Shop) -> None:
    chen, wang = shop.customer(), shop.customer()
    given = code(shop, chen)
    li = shop.customer(referral_code=given)
    done(shop.api.post(f"/v1/customers/{chen}/erase", {"reason": "a test", "forfeit_points": True}))
    refused(refer(shop, wang, given), 404, "unknown_referral_code")
    sell(shop, li)
    assert (held(shop, chen), held(shop, li)) == ([], [100])


def test_a_month_has_so_many_however_many_come_at_once(shop: Shop) -> None:
    publish(shop, version=2, most_per_month=2)
    chen = shop.customer()
    newcomers = [shop.customer(referral_code=code(shop, chen)) for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda one: sell(shop, one), newcomers))
    assert held(shop, chen) == [200, 200]
    assert [held(shop, one) for one in newcomers] == [[100]] * 5


def test_what_was_promised_is_given_under_a_new_version_too(shop: Shop) -> None:
    chen = shop.customer()
    li = shop.customer(referral_code=code(shop, chen))
    publish(shop, version=2, referrer_points=1)
    sell(shop, li)
    assert held(shop, chen) == [200]


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_without_a_scheme_nobody_is_brought(programme: Database) -> None:
    shop = Shop(api_on(programme))
    shop.open()
    chen, li = shop.customer(), shop.customer()
    refused(refer(shop, li, code(shop, chen)), 409, "no_referral_scheme")
    wrong = {"program": "FUEL", "scheme": plain(referrer_points=0)}
    refused(
        shop.api.post("/v1/referral-schemes", wrong, Role.MARKETING),
        422,
        "bad_referral_scheme",
        "/scheme/referrer_points",
    )
