"""Every movement has two sides: both merchants find it, whole, and nobody else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clearing.ordering.orders.models import OrderState
from tests.gateway.site import Party, Site, agree


class Trade:
    """FUEL's merchant has exchanged a member's points for CINE, redeemed some, and issued some."""

    def __init__(self, site: Site, fuel: Party, cine: Party) -> None:
        self.site, self.fuel, self.cine = site, fuel, cine
        self.agreement = agree(fuel, cine)["id"]
        self.member = fuel.member("F-77")
        site.give(self.member, "FUEL", 1_000)
        base = {"member": self.member, "reference": "till-1"}
        route = {"source_program": "FUEL", "target_program": "CINE"}
        self.exchange = fuel.post("/v1/exchanges", {**base, **route, "points": 100})
        self.redemption = fuel.post("/v1/redemptions", {**base, "program": "FUEL", "points": 5})
        self.issuance = fuel.post("/v1/issuances", {**base, "program": "FUEL", "points": 7})
        site.finish(self.exchange["order"], OrderState.SETTLED)
        site.finish(self.redemption["order"], OrderState.REJECTED, "program_paused")

    def found(self, party: Party, query: str = "", path: str = "movements") -> list[str]:
        """What a merchant's list shows, by name."""
        names = {self.exchange["id"]: "exchange", self.redemption["id"]: "redemption", self.issuance["id"]: "issuance"}
        return [names[movement["id"]] for movement in party.get(f"/v1/{path}?{query}")["data"]]


@pytest.fixture(scope="module")
def trade(site: Site, fuel: Party, cine: Party) -> Trade:
    return Trade(site, fuel, cine)


@pytest.fixture(scope="module")
def lone(site: Site) -> Party:
    return site.merchant("Lone", program="LONE")


def test_the_receiver_sees_the_movement_whole(trade: Trade) -> None:
    seen = trade.cine.get(f"/v1/exchanges/{trade.exchange['id']}")
    assert (seen["direction"], seen["counterparty"]) == ("in", trade.fuel.id)
    assert (seen["merchant"], seen["giver"], seen["receiver"]) == (trade.fuel.id, trade.fuel.id, trade.cine.id)
    assert (seen["program"], seen["target_program"], seen["points"]) == ("FUEL", "CINE", 100)
    assert (seen["member"], seen["external_id"]) == (trade.member, None)
    assert seen["agreement"] == trade.agreement
    assert seen["reference"] is None, "the signer's own document number"
    entry = seen["entry"]
    assert {"leaf", "points", "out", "settled_micros", "fee_micros", "tx_hash"} <= set(entry)
    given = trade.fuel.get(f"/v1/exchanges/{trade.exchange['id']}")
    assert (given["direction"], given["counterparty"]) == ("out", trade.cine.id)
    assert (given["external_id"], given["reference"]) == ("F-77", "till-1")
    assert given["entry"] == entry
    operators = trade.site.get(f"/v1/exchanges/{trade.exchange['id']}")
    assert (operators["direction"], operators["counterparty"], operators["external_id"]) == (None, None, None)
    assert operators["reference"] == "till-1"


def test_the_receiver_sees_the_member_by_its_own_number_once_it_knows_the_member(site: Site) -> None:
    hall, audience = site.merchant("Hall", program="HALL"), site.merchant("Audience", program="AUDI")
    agree(hall, audience)
    member = hall.member()
    site.give(member, "HALL", 100)
    body = {"source_program": "HALL", "target_program": "AUDI", "member": member, "points": 10}
    exchange = hall.post("/v1/exchanges", body)["id"]
    assert audience.get(f"/v1/movements/{exchange}")["external_id"] is None
    code = hall.post(f"/v1/members/{member}/link_codes", {})["code"]
    audience.post("/v1/members", {"external_id": "seat-9", "link_code": code})
    assert audience.get(f"/v1/movements/{exchange}")["external_id"] == "seat-9"
    assert [m["external_id"] for m in audience.get("/v1/exchanges?member=external:seat-9")["data"]] == ["seat-9"]


def test_the_receiver_sees_the_entry(site: Site, trade: Trade) -> None:
    leaf = trade.cine.get(f"/v1/exchanges/{trade.exchange['id']}")["entry"]["leaf"]
    for query in ("", "program=CINE", "program=FUEL", f"program=CINE&batch={_batch(trade)}"):
        assert [entry["leaf"] for entry in trade.cine.get(f"/v1/entries?{query}")["data"]] == [leaf], query
        assert leaf in [entry["leaf"] for entry in trade.fuel.get(f"/v1/entries?{query}")["data"]], query
    assert leaf in [entry["leaf"] for entry in site.get("/v1/entries?program=CINE")["data"]]
    seen = trade.cine.get(f"/v1/entries/{leaf}")
    assert (seen["program"], seen["target_program"]) == ("FUEL", "CINE")
    names = trade.cine.get(f"/v1/entries/{leaf}/receipt")["names"]
    assert names == {
        "merchant": trade.fuel.id,
        "merchant_name": "Gas",
        "program": "FUEL",
        "target_program": "CINE",
        "agreement": trade.agreement,
    }


def _batch(trade: Trade) -> int:
    return int(trade.cine.get(f"/v1/exchanges/{trade.exchange['id']}")["entry"]["batch"])


def test_a_movement_is_found_by_its_id_whatever_its_kind(trade: Trade) -> None:
    for made in (trade.exchange, trade.redemption, trade.issuance):
        assert trade.fuel.get(f"/v1/movements/{made['id']}")["object"] == made["object"]
    assert trade.cine.get(f"/v1/movements/{trade.exchange['id']}")["object"] == "exchange"
    for path in ("redemptions", "movements"):
        response = trade.site.call("GET", f"/v1/{path}/{trade.redemption['id']}", caller=trade.cine.id)
        assert response.status_code == 404
    assert trade.site.call("GET", f"/v1/redemptions/{trade.exchange['id']}", caller=trade.fuel.id).status_code == 404


def test_nobody_else_sees_it(site: Site, trade: Trade) -> None:
    other = site.merchant("Onlooker", program="LOOK")
    agree(other, trade.cine)
    assert trade.found(other) == []
    assert other.get(f"/v1/movements?counterparty={trade.cine.id}")["data"] == []
    assert other.get(f"/v1/movements?member={trade.member}")["data"] == []
    assert other.get("/v1/movements?program=FUEL")["data"] == []
    for path in ("movements", "exchanges"):
        assert site.call("GET", f"/v1/{path}/{trade.exchange['id']}", caller=other.id).status_code == 404
    assert site.call("GET", f"/v1/orders/{trade.exchange['order']}", caller=trade.cine.id).status_code == 404


@pytest.mark.parametrize(
    ("query", "giver", "receiver"),
    [
        ("", ["issuance", "redemption", "exchange"], ["exchange"]),
        ("kind=exchange", ["exchange"], ["exchange"]),
        ("kind=redeem", ["redemption"], []),
        ("direction=in", ["issuance"], ["exchange"]),
        ("direction=out", ["redemption", "exchange"], []),
        ("direction=out&kind=exchange", ["exchange"], []),
        ("program=FUEL", ["issuance", "redemption", "exchange"], ["exchange"]),
        ("program=CINE", ["exchange"], ["exchange"]),
        ("program=CINE&direction=in", [], ["exchange"]),
        ("program=FUEL&direction=out", ["redemption", "exchange"], []),
        ("program=FUEL&direction=in", ["issuance"], ["exchange"]),
        ("state=settled", ["exchange"], ["exchange"]),
        ("state=rejected", ["redemption"], []),
        ("state=accepted", ["issuance"], []),
        ("state=submitted", [], []),
        ("reference=till-1", ["issuance", "redemption", "exchange"], []),
        ("reference=till-2", [], []),
        ("member={member}", ["issuance", "redemption", "exchange"], ["exchange"]),
        ("member={member}&direction=in", ["issuance"], ["exchange"]),
        ("counterparty={fuel}", [], ["exchange"]),
        ("counterparty={cine}", ["exchange"], []),
        ("counterparty={cine}&direction=in", [], []),
        ("counterparty={cine}&program=CINE&state=settled&kind=exchange&direction=out", ["exchange"], []),
        ("counterparty={cine}&member={member}", ["exchange"], []),
        ("counterparty={fuel}&program=LONE", [], []),
        ("created[gte]={before}", ["issuance", "redemption", "exchange"], ["exchange"]),
        ("created[gte]={before}&created[lt]={after}&direction=in", ["issuance"], ["exchange"]),
        ("created[lt]={before}", [], []),
        ("created[gte]={after}", [], []),
    ],
)
def test_lists_are_narrowed_on_both_sides(
    trade: Trade, lone: Party, query: str, giver: list[str], receiver: list[str]
) -> None:
    assert lone.program == "LONE"
    now = datetime.now(UTC)
    names = {
        "member": trade.member,
        "fuel": trade.fuel.id,
        "cine": trade.cine.id,
        "before": (now - timedelta(minutes=30)).isoformat().replace("+00:00", "Z"),
        "after": (now + timedelta(minutes=30)).isoformat().replace("+00:00", "Z"),
    }
    assert trade.found(trade.fuel, query.format(**names)) == giver
    assert trade.found(trade.cine, query.format(**names)) == receiver
