"""Holds as a merchant meets them over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from clearing.kit.identity import NetworkIdentity
from clearing.ledger.availability.models import Hold
from clearing.ordering.orders.models import Instruction, Order
from tests.gateway.site import Party, Site
from tongdui import Client, LocalSigner
from tongdui.encoding import hex_of, word
from tongdui.orders import Instruction as WireInstruction
from tongdui.orders import Kind
from tongdui.orders import Order as WireOrder


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


# -------------------------------------------------------------------- the day of a hold


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner.generate()


@pytest.fixture
def own_key(fresh_site: Site, signer: LocalSigner) -> Party:
    """A merchant that signs for itself."""
    return fresh_site.merchant("Own key", program="OWNK", signer_address=signer.address)


@pytest.fixture
def yesterdays_hold(fresh_site: Site, own_key: Party) -> dict[str, str]:
    """A hold that the merchant took yesterday, as the gateway shows it today."""
    member = own_key.member()
    fresh_site.give(member, "OWNK", 100)
    fresh_site.clock.move(timedelta(days=-1))
    hold = own_key.post("/v1/holds", {"program": "OWNK", "member": member, "points": 70, "expires_in": 172_800})
    fresh_site.clock.move(timedelta(days=1))
    shown: dict[str, str] = own_key.get(f"/v1/holds/{hold['id']}")
    return shown


def link_of(site: Site, order: str) -> bytes:
    with site.database.session.begin() as session:
        return session.scalars(
            select(Instruction.link).join(Order, Order.seq == Instruction.order_seq).where(Order.id == order)
        ).one()


def day_of(site: Site, ahead: int = 0) -> int:
    return NetworkIdentity.of(site.settings).day_at(site.clock.unix()) + ahead


def test_a_hold_keeps_its_day_and_its_capture_says_so(fresh_site: Site) -> None:
    managed = fresh_site.merchant("Managed", program="MANG")
    member = managed.member()
    fresh_site.give(member, "MANG", 100)
    hold = managed.post("/v1/holds", {"program": "MANG", "member": member, "points": 70, "expires_in": 172_800})
    today = NetworkIdentity.of(fresh_site.settings).date_of(day_of(fresh_site))
    assert hold["taken_on"] == today.isoformat()
    fresh_site.clock.move(timedelta(days=1))
    assert managed.get(f"/v1/holds/{hold['id']}")["taken_on"] == today.isoformat()
    captured = managed.post(f"/v1/holds/{hold['id']}/capture", {"kind": "redeem"})
    assert link_of(fresh_site, captured["order"]) == word(day_of(fresh_site, -1))


def test_a_merchant_that_signs_for_itself_signs_the_day_of_the_hold(
    fresh_site: Site, own_key: Party, signer: LocalSigner, yesterdays_hold: dict[str, str]
) -> None:
    network = NetworkIdentity.of(fresh_site.settings)
    member = own_key.get(f"/v1/members/{yesterdays_hold['member']}")
    program = own_key.get("/v1/programs/OWNK")["number"]
    nonce = own_key.post("/v1/nonces", {"count": 1})["first"]
    deadline = fresh_site.clock.unix() + 300

    def capture(link: bytes) -> dict[str, object]:
        wire = WireInstruction(Kind.REDEEM, member["address"], 70, program, link=link)
        order = WireOrder(own_key.number, nonce, deadline, (wire,), atomic=False)
        signature = hex_of(signer.sign(order.digest(network.domain)))
        return {"kind": "redeem", "authorization": {"nonce": nonce, "deadline": deadline, "signature": signature}}

    path = f"/v1/holds/{yesterdays_hold['id']}/capture"
    for wrong in (word(0), word(day_of(fresh_site))):
        own_key.refused(path, capture(wrong), "wrong_signer")
    assert own_key.post(path, capture(word(day_of(fresh_site, -1))))["state"] == "accepted"


def test_a_client_signs_the_day_that_the_hold_says(
    fresh_site: Site, own_key: Party, signer: LocalSigner, yesterdays_hold: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{fresh_site.settings.gateway_port}"
    with Client(url, fresh_site.keys[own_key.id], signer=signer) as client:
        captured = client.holds.capture(yesterdays_hold["id"], points=45)
    assert link_of(fresh_site, captured.order) == word(day_of(fresh_site, -1))
