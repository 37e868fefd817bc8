"""Holds, lots, expirations, statements and webhook endpoints as a merchant meets them over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from clearing.kit.signing.keyring import Keyring
from clearing.ledger.availability.models import Hold
from clearing.ledger.journal.models import Block, Entry
from clearing.notifications.webhooks.delivery import Deliverer
from clearing.ordering.expiry.rounds import ExpiryRound
from clearing.ordering.orders.models import OrderState
from clearing.oversight.statements.models import Statement
from clearing.parties.merchants.repository import MerchantRepository
from tests.gateway.site import Party, Site
from tests.support.receiver import Receiver


@pytest.fixture
def member(site: Site, fuel: Party) -> str:
    """A member with 100 points of FUEL."""
    member = fuel.member()
    site.give(member, "FUEL", 100)
    return member


def balance(fuel: Party, member: str) -> dict[str, int]:
    (account,) = fuel.get(f"/v1/members/{member}/accounts")["data"]
    return {name: account[name] for name in ("posted", "reserved", "available")}


def test_a_hold_shows_in_the_balance_and_becomes_a_redemption(fuel: Party, member: str) -> None:
    body = {"program": "FUEL", "member": member, "points": 70, "expires_in": 600, "reference": "pump 4"}
    hold = fuel.post("/v1/holds", body)
    assert (hold["state"], hold["points"], hold["captured"], hold["movement"]) == ("pending", 70, 0, None)
    assert balance(fuel, member) == {"posted": 100, "reserved": 70, "available": 30}
    fuel.refused("/v1/redemptions", {"program": "FUEL", "member": member, "points": 31}, "insufficient_points")

    redemption = fuel.post(f"/v1/holds/{hold['id']}/capture", {"kind": "redeem", "points": 45})
    assert (redemption["object"], redemption["points"], redemption["state"]) == ("redemption", 45, "accepted")
    captured = fuel.get(f"/v1/holds/{hold['id']}")
    assert (captured["state"], captured["captured"]) == ("captured", 45)
    assert (captured["movement"], captured["order"]) == (redemption["id"], redemption["order"])
    assert balance(fuel, member) == {"posted": 100, "reserved": 45, "available": 55}
    fuel.refused(f"/v1/holds/{hold['id']}/capture", {"kind": "redeem"}, "hold_ended", 409)
    assert [found["id"] for found in fuel.get(f"/v1/holds?member={member}&state=captured")["data"]] == [hold["id"]]


def test_a_capture_takes_the_whole_hold_by_default_and_a_retry_captures_once(fuel: Party, member: str) -> None:
    hold = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 70})
    path = f"/v1/holds/{hold['id']}/capture"
    first = fuel.post(path, {"kind": "redeem"}, key=f"capture-{member}")
    assert fuel.post(path, {"kind": "redeem"}, key=f"capture-{member}")["id"] == first["id"]
    assert first["points"] == 70


def test_a_hold_is_released_or_lapses(site: Site, fuel: Party, member: str) -> None:
    body = {"program": "FUEL", "member": member, "points": 50}
    first, second = (fuel.post("/v1/holds", body)["id"] for _ in range(2))
    assert fuel.post(f"/v1/holds/{first}/release", None)["state"] == "released"
    with site.database.session.begin() as session:
        session.get_one(Hold, second).expires_at = datetime.now(UTC) - timedelta(seconds=1)
    assert fuel.get(f"/v1/holds/{second}")["state"] == "expired"
    assert balance(fuel, member)["available"] == 100
    fuel.refused("/v1/holds", {**body, "expires_in": 604_801}, "validation_failed")


def test_a_capture_needs_its_kinds_scope_and_the_holds_own_merchant(
    site: Site, fuel: Party, cine: Party, member: str
) -> None:
    hold = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 50})["id"]
    weak = fuel.key("exchange", "read")
    site.refused(f"/v1/holds/{hold}/capture", {"kind": "redeem"}, "insufficient_scope", 403, caller=weak)
    cine.refused(f"/v1/holds/{hold}/capture", {"kind": "redeem"}, "not_found", 404)
    assert site.call("GET", f"/v1/holds/{hold}", caller=cine.id).status_code == 404
    assert cine.get("/v1/holds")["data"] == []


def test_expired_points_are_shown_as_due_and_burnt_on_request(site: Site) -> None:
    own = site.merchant("Own keeper", program="OWNK")
    member = own.member()
    day = _day(2)  # if midnight came before the request, tomorrow would already be today
    issued = own.post("/v1/issuances", {"program": "OWNK", "member": member, "points": 40, "expires_on": day})
    site.finish(issued["order"], OrderState.SETTLED)
    site.give(member, "OWNK", 40)
    with site.database.session.begin() as session:
        for number in set(session.scalars(select(Entry.block_number))):
            session.merge(Block(number=number, hash=bytes(32), parent_hash=bytes(32), timestamp=1_700_000_000))
    path = f"/v1/members/{member}/accounts/OWNK/lots"
    assert [(lot["points"], lot["expires_on"]) for lot in own.get(path)["data"]] == [(40, day)]
    body = {"program": "OWNK", "member": member, "points": 40}
    own.refused("/v1/expirations", body, "not_expired")
    with site.database.session.begin() as session:
        session.execute(text("UPDATE entries SET expiry_day = 1 WHERE program = :n"), {"n": _number(site, "OWNK")})
        session.execute(text("UPDATE signer_keys SET keystore = NULL WHERE merchant_number = :n"), {"n": own.number})
    keyring = Keyring(site.settings.keystore_password.get_secret_value())
    ExpiryRound(site.database, site.settings, keyring).run()
    (due,) = own.get("/v1/expirations/due")["data"]
    assert (due["member"], due["program"], due["points"]) == (member, "OWNK", 40)
    own.refused("/v1/expirations", body, "signature_required")
    with site.database.session.begin() as session:
        key = MerchantRepository(session).newest_key(own.number, 1)
        assert key is not None
        session.delete(key)
        session.flush()
        address, keystore = keyring.create()
        session.add(type(key)(address=address, merchant_number=own.number, keystore=keystore))
    bulk = {"instructions": [{"kind": "expire", **body}]}
    (movement,) = own.post("/v1/orders", bulk)["movements"]
    assert (movement["object"], movement["points"]) == ("expiration", 40)
    assert own.get("/v1/expirations/due")["data"] == []
    assert [found["id"] for found in own.get("/v1/expirations")["data"]] == [movement["id"]]


def test_a_webhook_endpoint_from_its_secret_to_its_removal(site: Site, fuel: Party, member: str) -> None:
    with Receiver() as receiver:
        body = {"url": receiver.url, "types": ["hold.*"]}
        fuel.refused("/v1/webhook_endpoints", body, "insecure_url")
        site.settings.webhook_allow_local = True
        made = fuel.post("/v1/webhook_endpoints", body, key=f"hook-{member}")
        path = f"/v1/webhook_endpoints/{made['id']}"
        assert made["secret"].startswith("whsec_")
        assert fuel.post("/v1/webhook_endpoints", body, key=f"hook-{member}")["secret"] is None
        assert fuel.get(path)["secret"] is None

        hold = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 5})
        site.settings.webhook_timeout = 60
        deliverer = Deliverer(site.database, site.settings, Keyring("only for tests"))
        while deliverer.step():
            pass
        assert [request.body["subject"] for request in receiver.requests] == [hold["id"]]
        (delivery,) = fuel.get(f"{path}/deliveries?state=delivered")["data"]
        assert (delivery["type"], delivery["status"], delivery["attempts"]) == ("hold.created", 200, 1)

        assert fuel.post(f"{path}/replay", {"events": [delivery["event"]]}) == {"events": 1}
        while deliverer.step():
            pass
        deliverer.close()
        assert len(receiver.requests) == 2
        fuel.refused(f"{path}/replay", {}, "validation_failed")

        assert fuel.post(f"{path}/secret", None)["secret"] not in (None, made["secret"])
        changed = site.call("PATCH", path, {"types": ["order.settled"], "enabled": False}, caller=fuel.id).json()
        assert (changed["types"], changed["state"], changed["reason"]) == (
            ["order.settled"], "disabled", "switched off",
        )  # fmt: skip
        other = site.merchant("Eavesdropper")
        assert site.call("GET", path, caller=other.id).status_code == 404
        assert site.call("DELETE", path, caller=fuel.id).status_code == 200
        assert site.call("GET", path, caller=fuel.id).status_code == 404


def test_only_its_merchant_sees_a_statement(site: Site, fuel: Party, cine: Party) -> None:
    line = {"kind": "issue", "of": None, "program": 1, "agreement": 0, "count": 1, "points": 5, "out": 0}
    line |= dict.fromkeys(("received", "paid", "fees_paid", "fees_received"), 0)
    with site.database.session.begin() as session:
        statement = Statement(
            id=f"stm_{fuel.number}",
            merchant_number=fuel.number,
            day=20_000,
            opening=-5,
            closing=-5,
            deposited=0,
            withdrawn=0,
            lines=[line],
            last_block=1,
            last_hash=bytes(32),
        )
        session.add(statement)
    (shown,) = fuel.get("/v1/statements")["data"]
    assert (shown["day"], shown["closing_micros"], shown["lines"][0]["points"]) == ("2024-10-04", -5, 5)
    assert fuel.get(f"/v1/statements/{shown['id']}") == shown
    assert cine.get("/v1/statements")["data"] == []
    assert site.call("GET", f"/v1/statements/{shown['id']}", caller=cine.id).status_code == 404


def _day(ahead: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=8, days=ahead)).date().isoformat()


def _number(site: Site, code: str) -> int:
    with site.database.session.begin() as session:
        return int(session.execute(text("SELECT number FROM programs WHERE code = :c"), {"c": code}).scalar_one())
