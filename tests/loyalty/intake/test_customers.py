"""Customers join, are known by what they have, agree to things, and leave."""

from __future__ import annotations

import pytest

from loyalty.staff.models import Role
from tests.loyalty.intake.shop import Shop, done, fuel, refused


def known(shop: Shop, kind: str, value: str) -> str:
    return str(done(shop.api.get("/v1/customers/lookup", Role.CASHIER, kind=kind, value=value))["id"])


def test_whoever_joins_is_known_by_all_that_they_have(shop: Shop) -> None:
    identifiers = [
        {"kind": "card", "value": "6001 2345-6789"},
        {"kind": "card", "value": "old0001"},
        {"kind": "phone", "value": "+86 138-0013-8000"},
        {"kind": "plate", "value": "沪B·88888"},
    ]
    customer = done(
        shop.api.post("/v1/customers", {"identifiers": identifiers, "birthday": {"month": 2, "day": 29}}, Role.CASHIER)
    )
    assert customer["birthday"] == {"month": 2, "day": 29}
    for kind, value in (
        ("card", "600123456789"),
        ("card", "OLD0001"),
        ("phone", "+8613800138000"),
        ("plate", "沪b88888"),
    ):
        assert known(shop, kind, value) == customer["id"]


def test_a_card_is_one_customers_at_a_time(shop: Shop) -> None:
    first, second = shop.customer("CARD-1111"), shop.customer("CARD-2222")
    card = {"kind": "card", "value": "card 1111"}
    refused(shop.api.post(f"/v1/customers/{second}/identifiers", card), 409, "identifier_taken", "/value")
    refused(shop.api.post("/v1/customers", {"identifiers": [card]}), 409, "identifier_taken", "/identifiers/0/value")
    again = done(shop.api.post(f"/v1/customers/{first}/identifiers", card))
    reason = {"reason": "the card was sold"}
    done(shop.api.post(f"/v1/customers/{first}/identifiers/{again['id']}/remove", reason))
    done(shop.api.post(f"/v1/customers/{second}/identifiers", card))
    assert known(shop, "card", "CARD1111") == second
    other = shop.api.post(f"/v1/customers/{second}/identifiers/{again['id']}/remove", reason)
    refused(other, 404, "unknown_identifier")


def test_the_newest_word_on_a_purpose_counts(shop: Shop) -> None:
    customer = shop.customer()
    for purpose, version, is_given in (("marketing", "v1", True), ("profile", "v1", True), ("marketing", "v2", False)):
        body = {"purpose": purpose, "text_version": version, "is_given": is_given}
        done(shop.api.post(f"/v1/customers/{customer}/consents", body, Role.CASHIER))
    consents = done(shop.api.get(f"/v1/customers/{customer}"))["consents"]
    said = [(one["purpose"], one["text_version"], one["is_given"]) for one in consents]
    assert said == [("marketing", "v2", False), ("profile", "v1", True)]


def test_whoever_leaves_is_forgotten(shop: Shop) -> None:
    customer = shop.customer("CARD-1111", birthday={"month": 5, "day": 1})
    sale = shop.sell(fuel(40), customer=customer)
    refused(
        shop.api.post(f"/v1/customers/{customer}/erase", {"reason": "asked"}),
        422,
        "validation_failed",
        "/forfeit_points",
    )
    farewell = {"reason": "asked by letter", "forfeit_points": True}
    assert done(shop.api.post(f"/v1/customers/{customer}/erase", farewell))["erased_at"]
    found = done(shop.api.get(f"/v1/customers/{customer}"))
    assert (found["birthday"], found["identifiers"]) == (None, [])
    missing = shop.api.get("/v1/customers/lookup", Role.CASHIER, kind="card", value="CARD1111")
    refused(missing, 404, "unknown_customer")
    assert shop.seen(sale)["customer"] == customer
    assert shop.sell(fuel(40), customer=customer)["outcome"] == "nobody"
    card = {"kind": "card", "value": "12345"}
    refused(shop.api.post(f"/v1/customers/{customer}/identifiers", card), 409, "customer_erased")
    log = done(shop.api.get("/v1/audit-log", subject=customer))["data"]
    assert [entry["action"] for entry in log] == ["customer.erased", "customer.added"]
    assert "CARD" not in str(log)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("card", "1"), ("card", "12 34!"), ("phone", "13800138000"), ("phone", "+0123456"), ("plate", "A")],
)
def test_what_cannot_be_one_is_refused(shop: Shop, kind: str, value: str) -> None:
    body = {"identifiers": [{"kind": kind, "value": value}]}
    refused(shop.api.post("/v1/customers", body), 422, "bad_identifier", "/identifiers/0/value")


def test_a_birthday_is_a_day(shop: Shop) -> None:
    body = {"identifiers": [{"kind": "card", "value": "12345"}], "birthday": {"month": 2, "day": 30}}
    refused(shop.api.post("/v1/customers", body), 422, "bad_birthday", "/birthday/day")
