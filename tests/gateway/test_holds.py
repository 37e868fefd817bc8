"""Holds as a merchant meets them over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clearing.ledger.availability.models import Hold
from tests.gateway.site import Party, Site


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
