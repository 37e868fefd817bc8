"""Quotes, orders and their movements; entries and receipts."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from clearing.kit.clock import SYSTEM_CLOCK
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import Instruction, OrderState
from clearing.ordering.quotes.models import Quote
from clearing.parties.agreements.models import Agreement
from clearing.parties.programs.models import Program, ProgramStatus
from gateway.http.waiting import preferred_wait, prefers_minimal
from tests.gateway.site import Party, Site, agree, later, logged, together
from tongdui import Client, RateLimitedError
from tongdui.encoding import bytes_of
from tongdui.receipts import Entry, root_of_proof


def _exchange(member: str, points: int = 10, **fields: Any) -> dict[str, Any]:
    return {"source_program": "FUEL", "target_program": "CINE", "member": member, "points": points, **fields}


@pytest.fixture
def member(site: Site, fuel: Party, exchange_agreement: str) -> str:
    found = fuel.member()
    site.give(found, "FUEL", 1_000)
    return found


# -------------------------------------------------------------------- quotes


def test_a_quote_rounds_as_the_chain_does(fuel: Party, member: str, exchange_agreement: str) -> None:
    quote = fuel.post("/v1/quotes", {"agreement": exchange_agreement, "points": 15, "member": member})
    assert quote["out"] == 13, "13.5 rounded down"
    assert quote["points_burnt"] == 15, "13 / 0.9 = 14.4 rounded up"
    assert (quote["settled_micros"], quote["fee_micros"]) == (130_000, 650)
    assert (quote["rate_num"], quote["rate_den"]) == (9, 10)
    assert fuel.post("/v1/quotes", {**_exchange(member, 11), "member": member})["points_burnt"] == 10


@pytest.mark.parametrize(
    ("fields", "code", "status"),
    [
        ({"points": 1}, "below_minimum", 422),
        ({"points": 100_001}, "over_instruction_cap", 422),
        ({"points": 1_001}, "insufficient_points", 422),
        ({"target_program": "GHOST"}, "unknown_program", 404),
        ({"target_program": "FUEL"}, "unknown_agreement", 404),
        ({"member": "external:ghost"}, "unknown_member", 404),
        ({"source_program": None}, "validation_failed", 422),
    ],
)
def test_an_exchange_that_would_be_refused_gets_no_quote(
    fuel: Party, member: str, fields: dict[str, Any], code: str, status: int
) -> None:
    fuel.refused("/v1/quotes", {**_exchange(member), **fields}, code, status)


def test_a_merchant_that_may_not_start_the_exchange_gets_no_quote(
    site: Site, cine: Party, exchange_agreement: str
) -> None:
    cine.refused("/v1/quotes", {"agreement": exchange_agreement, "points": 10}, "not_initiator", 403)
    other = site.merchant()
    other.refused("/v1/quotes", {"agreement": exchange_agreement, "points": 10}, "unknown_agreement", 404)


def test_the_target_side_needs_the_members_code_even_with_a_quote(site: Site, fuel: Party, cine: Party) -> None:
    agreement = agree(fuel, cine, initiators=["source", "target"])["id"]
    member = fuel.member()
    site.give(member, "FUEL", 100)
    quote = cine.post("/v1/quotes", {"agreement": agreement, "points": 10})
    assert (quote["out"], quote["settled_micros"]) == (9, 90_000)
    body = {"member": member, "points": 10, "quote": quote["id"]}
    problem = cine.refused("/v1/exchanges", body, "member_code_required")
    assert problem["errors"][0]["pointer"] == "/member_code"


def test_a_quote_respects_caps_and_liquidity(
    site: Site, fuel: Party, cine: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = agree(fuel, cine, max_points=100, daily_cap=150)["id"]
    site_member = fuel.member()
    site.give(site_member, "FUEL", 1_000)
    order = {"agreement": small, "member": site_member, "points": 100}
    fuel.post("/v1/exchanges", order)
    fuel.post("/v1/quotes", {"agreement": small, "points": 50})
    fuel.refused("/v1/quotes", {"agreement": small, "points": 60}, "over_daily_cap")
    with site.database.session.begin() as session:
        position = session.get_one(Position, fuel.number)
        before, position.position = position.position, -position.credit_limit
    fuel.refused("/v1/quotes", {"agreement": small, "points": 10}, "insufficient_liquidity")
    fuel.refused("/v1/exchanges", {**order, "points": 10}, "insufficient_liquidity")
    with site.database.session.begin() as session:
        session.get_one(Position, fuel.number).position = before
        session.execute(update(Agreement).where(Agreement.id == small).values(ends_at=int(time.time())))
    fuel.refused("/v1/quotes", {"agreement": small, "points": 10}, "agreement_not_live")


def test_an_expired_quote_is_refused(site: Site, fuel: Party, member: str) -> None:
    quote = fuel.post("/v1/quotes", _exchange(member))["id"]
    with site.database.session.begin() as session:
        assert session.get_one(Quote, quote).expires_at <= SYSTEM_CLOCK.now() + timedelta(seconds=60)
        session.execute(update(Quote).values(expires_at=SYSTEM_CLOCK.now() - timedelta(seconds=1)))
    fuel.refused("/v1/exchanges", {"member": member, "points": 10, "quote": quote}, "quote_expired")


# -------------------------------------------------------------------- orders


def test_an_issuance_is_accepted_and_then_settled(site: Site, fuel: Party, member: str) -> None:
    body = {"program": "FUEL", "member": member, "points": 25, "reference": "sale-1", "expires_on": "2030-12-31"}
    response = site.call("POST", "/v1/issuances", body, caller=fuel.id)
    movement = response.json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/v1/issuances/{movement['id']}"
    assert "Preference-Applied" not in response.headers
    assert (movement["object"], movement["state"], movement["entry"]) == ("issuance", "accepted", None)
    assert (movement["program"], movement["points"], movement["reference"]) == ("FUEL", 25, "sale-1")
    assert (movement["member"], movement["merchant"]) == (member, fuel.id)
    assert movement["expires_on"] == "2030-12-31"
    site.finish(movement["order"], OrderState.SETTLED)
    settled = fuel.get(f"/v1/issuances/{movement['id']}")
    assert (settled["state"], settled["entry"]["points"]) == ("settled", 25)
    fuel.refused("/v1/issuances", body, "duplicate_reference", 409)


def test_waiting_for_a_movement(site: Site, fuel: Party, member: str) -> None:
    body = _exchange(member)
    began = time.monotonic()
    response = site.call("POST", "/v1/exchanges", body, caller=fuel.id, headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - began < 20
    assert (response.status_code, response.json()["state"]) == (202, "accepted")
    assert response.headers["Preference-Applied"] == "wait=1"

    def settle() -> None:
        (exchange,) = site.awaited()
        site.finish(fuel.get(f"/v1/exchanges/{exchange}")["order"], OrderState.SETTLED)

    with later(site.awaited, settle):
        response = site.call("POST", "/v1/exchanges", body, caller=fuel.id, headers={"Prefer": "wait=30"})
    assert (response.status_code, response.json()["state"]) == (201, "settled")


def test_the_prefer_header_is_parsed_as_in_rfc_7240() -> None:
    assert preferred_wait(["wait=5"]) == 5
    assert preferred_wait(["respond-async, wait=5"]) == 5
    assert preferred_wait(["return=minimal", 'WAIT="7"']) == 7
    assert preferred_wait(["wait=100"]) == 30
    for nonsense in ([], ["wait"], ["wait=x"], ["wait=-1"], ["await=5"], ["wait=1.5"]):
        assert preferred_wait(nonsense) == 0
    assert prefers_minimal(["wait=5, return=minimal"])
    assert prefers_minimal(["wait=5", 'Return="minimal"'])
    for other in ([], ["return=representation"], ["return=minimalist"], ["x-return=minimal"]):
        assert not prefers_minimal(other)


def test_movements_are_found_by_member_program_state_and_reference(site: Site, fuel: Party, member: str) -> None:
    body = {"program": "FUEL", "member": member, "points": 1, "reference": "find-me"}
    made = fuel.post("/v1/redemptions", body)
    for query in ("reference=find-me", f"member={member}", "program=FUEL", "state=accepted"):
        found = [movement["id"] for movement in fuel.get(f"/v1/redemptions?{query}")["data"]]
        assert made["id"] in found, query
    assert fuel.get(f"/v1/redemptions?member={fuel.member()}")["data"] == []
    assert fuel.get("/v1/issuances?reference=find-me")["data"] == []
    assert site.call("GET", f"/v1/issuances/{made['id']}", caller=fuel.id).status_code == 404


def test_pages_of_movements(fuel: Party) -> None:
    member = fuel.member()
    made = [fuel.post("/v1/issuances", {"program": "FUEL", "member": member, "points": 1})["id"] for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = fuel.get(f"/v1/issuances?member={member}&limit=2{cursor}")
        seen += [movement["id"] for movement in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert seen == made[::-1]


def test_an_order_of_many(site: Site, fuel: Party, member: str) -> None:
    items = [
        {"kind": "issue", "program": "FUEL", "member": member, "points": 3},
        {"kind": "exchange", **_exchange(member, 20)},
        {"kind": "redeem", "program": "FUEL", "member": member, "points": 1},
    ]
    response = site.call("POST", "/v1/orders", {"instructions": items}, caller=fuel.id)
    order = response.json()
    assert response.status_code == 202
    assert [movement["object"] for movement in order["movements"]] == ["issuance", "exchange", "redemption"]
    site.finish(order["id"], OrderState.REJECTED, "atomic_failed")
    final = fuel.get(f"/v1/orders/{order['id']}")
    assert (final["state"], final["reason"]) == ("rejected", "atomic_failed")
    assert {movement["state"] for movement in final["movements"]} == {"rejected"}


def test_an_order_that_no_transaction_can_hold_is_refused_at_once(fuel: Party, member: str) -> None:
    items = [{"kind": "exchange", **_exchange(member, 2)} for _ in range(450)]
    problem = fuel.refused("/v1/orders", {"instructions": items}, "order_too_large")
    assert problem["errors"][0]["pointer"] == "/instructions"
    assert "450 of kind exchange" in problem["detail"]


def test_prefer_return_minimal_leaves_out_an_orders_movements(site: Site, fuel: Party, member: str) -> None:
    items = [{"kind": "issue", "program": "FUEL", "member": member, "points": points} for points in (3, 4)]
    headers = {"Prefer": "wait=1, return=minimal"}
    response = site.call("POST", "/v1/orders", {"instructions": items}, caller=fuel.id, key="small", headers=headers)
    order = response.json()
    assert response.headers["Preference-Applied"] == "wait=1, return=minimal"
    assert (order["state"], order["size"], order["rejected_count"], order["movements"]) == ("accepted", 2, 0, None)
    site.finish(order["id"], OrderState.SETTLED)
    again = site.call(
        "POST", "/v1/orders", {"instructions": items}, caller=fuel.id, key="small", headers=headers
    ).json()
    full = fuel.get(f"/v1/orders/{order['id']}")
    assert len(full.pop("movements")) == 2
    assert again == {**full, "movements": None}
    assert (again["state"], again["rejected_count"]) == ("settled", 0)
    assert again["tx_hash"] is not None

    refused = fuel.post("/v1/orders", {"instructions": items})
    site.finish(refused["id"], OrderState.REJECTED, "program_paused")
    assert fuel.get(f"/v1/orders/{refused['id']}")["rejected_count"] == 2


def test_an_order_needs_the_scope_of_each_instruction(site: Site, fuel: Party, member: str) -> None:
    issuer = fuel.key("issue")
    issue = {"kind": "issue", "program": "FUEL", "member": member, "points": 3}
    redeem = {"kind": "redeem", "program": "FUEL", "member": member, "points": 1}
    assert site.post("/v1/orders", {"instructions": [issue]}, caller=issuer)
    problem = site.refused("/v1/orders", {"instructions": [issue, redeem]}, "insufficient_scope", 403, caller=issuer)
    assert "redeem" in problem["detail"]


def test_refusals_have_codes_of_their_own(site: Site, fuel: Party, cine: Party, member: str) -> None:
    base = {"program": "FUEL", "member": member, "points": 1}
    cine.refused("/v1/redemptions", {**base, "member": cine.member()}, "not_program_merchant", 403)
    fuel.refused("/v1/issuances", {**base, "program": "GHOST"}, "unknown_program", 404)
    fuel.refused("/v1/issuances", {**base, "member": "external:ghost"}, "unknown_member", 404)
    fuel.refused("/v1/issuances", {**base, "expires_on": "2020-01-01"}, "already_expired")
    fuel.refused("/v1/redemptions", {**base, "points": 10**9}, "insufficient_points")
    fuel.refused("/v1/exchanges", _exchange(member, 10, min_out=10), "below_minimum")
    fuel.refused("/v1/exchanges", _exchange(member, 10, agreement="agr_" + "0" * 26), "unknown_agreement", 404)
    with site.database.session.begin() as session:
        session.execute(update(Program).where(Program.code == "FUEL").values(status=ProgramStatus.PAUSED))
    fuel.refused("/v1/issuances", base, "program_paused")
    with site.database.session.begin() as session:
        session.execute(update(Program).where(Program.code == "FUEL").values(status=ProgramStatus.ACTIVE))


def test_a_full_queue_asks_the_client_to_retry(fresh_site: Site) -> None:
    fuel = fresh_site.merchant(program="FULL")
    member = fuel.member()
    fresh_site.settings.queue_limit = 1
    body = {"program": "FULL", "member": member, "points": 1}
    fuel.post("/v1/issuances", body)
    response = fresh_site.call("POST", "/v1/issuances", body, caller=fuel.id, key="later")
    assert (response.status_code, response.json()["code"]) == (429, "queue_share_full")
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0
    fresh_site.settings.queue_limit = 100
    assert fresh_site.call("POST", "/v1/issuances", body, caller=fuel.id, key="later").status_code == 202


def test_the_sdk_waits_for_its_turn_when_the_queue_is_full(fresh_site: Site) -> None:
    fuel = fresh_site.merchant(program="FULL")
    member = fuel.member()
    fresh_site.settings.queue_limit = 1
    first = fuel.post("/v1/issuances", {"program": "FULL", "member": member, "points": 1})

    def make_room() -> None:
        fresh_site.finish(first["order"], OrderState.SETTLED)

    url = f"http://127.0.0.1:{fresh_site.settings.gateway_port}"
    caller = "key_" + fresh_site.keys[fuel.id].split("_")[1]

    def was_sent_away() -> bool:
        return any((line.get("caller"), line.get("status")) == (caller, 429) for line in logged())

    client = Client(url, fresh_site.keys[fuel.id], timeout=60, max_retries=30)
    with client, later(was_sent_away, make_room):
        began = time.monotonic()
        movement = client.issuances.create(program="FULL", member=member, points=2, reference="second")
        assert time.monotonic() - began >= 2  # as the gateway asked
        assert movement.state == "accepted"
        assert [found.id for found in client.issuances.list(reference="second")] == [movement.id]
    fresh_site.settings.queue_limit = 0
    with (
        Client(url, fresh_site.keys[fuel.id], timeout=60, max_retries=0) as client,
        pytest.raises(RateLimitedError) as refused,
    ):
        client.issuances.create(program="FULL", member=member, points=3)
    assert (refused.value.code, refused.value.retry_after) == ("queue_share_full", 2)


def test_of_fifty_requests_for_the_last_points_only_those_covered_succeed(
    site: Site, fuel: Party, exchange_agreement: str
) -> None:
    member = fuel.member()
    site.give(member, "FUEL", 205)

    def spend(index: int) -> int:
        if index % 2:
            return site.call("POST", "/v1/exchanges", _exchange(member, 20), caller=fuel.id).status_code
        body = {"program": "FUEL", "member": member, "points": 20}
        return site.call("POST", "/v1/redemptions", body, caller=fuel.id).status_code

    assert Counter(together(50, spend)) == {202: 10, 422: 40}
    account = next(a for a in fuel.get(f"/v1/members/{member}/accounts")["data"] if a["program"] == "FUEL")
    assert (account["posted"], account["reserved"], account["available"]) == (205, 200, 5)


# -------------------------------------------------------------------- journal


def test_a_receipt_proves_its_entry(site: Site, fuel: Party, cine: Party, member: str) -> None:
    items = [{"kind": "issue", "program": "FUEL", "member": member, "points": n} for n in (1, 2, 3)]
    items.append({"kind": "exchange", **_exchange(member, 10)})
    order = fuel.post("/v1/orders", {"instructions": items})
    site.finish(order["id"], OrderState.SETTLED)
    movements = fuel.get(f"/v1/orders/{order['id']}")["movements"]
    for movement in movements:
        leaf = movement["entry"]["leaf"]
        receipt = fuel.get(f"/v1/entries/{leaf}/receipt")
        wire = {**receipt["entry"], "ref": bytes_of(receipt["entry"]["ref"])}
        wire["link"] = bytes_of(receipt["entry"]["link"])
        assert Entry(**wire).leaf() == bytes_of(leaf)
        proof = [bytes_of(sibling) for sibling in receipt["proof"]]
        assert root_of_proof(bytes_of(leaf), proof) == bytes_of(receipt["root"])
        assert (receipt["chain_id"], receipt["contract"]) == (31_337, site.settings.contract)
    entries = fuel.get(f"/v1/entries?batch={movements[0]['entry']['batch']}")["data"]
    assert [entry["kind"] for entry in entries] == ["exchange", "issue", "issue", "issue"]
    assert entries[0] == fuel.get(f"/v1/entries/{movements[3]['entry']['leaf']}")
    assert len(fuel.get(f"/v1/entries?member={member}")["data"]) >= 4
    seen_by_partner = cine.get(f"/v1/entries?batch={movements[0]['entry']['batch']}")["data"]
    assert [entry["kind"] for entry in seen_by_partner] == ["exchange"], "the agreement's entries are shared"
    assert site.call("GET", f"/v1/entries/{movements[0]['entry']['leaf']}", caller=cine.id).status_code == 404


def test_every_privileged_action_leaves_an_event_with_its_actor(site: Site, fuel: Party) -> None:
    operator = "key_" + site.keys["operator"].split("_")[1]
    events = site.get(f"/v1/events?subject={fuel.id}")["data"]
    registered = next(event for event in events if event["type"] == "merchant.registered")
    assert (registered["actor"], registered["merchant"]) == (operator, fuel.id)
    types = {event["type"] for event in site.get("/v1/events?limit=200")["data"]}
    assert {"merchant.registered", "program.registered", "api_key.created"} <= types
    page = site.get("/v1/events?limit=1")
    following = site.get(f"/v1/events?limit=1&cursor={page['next_cursor']}")
    assert page["data"] != following["data"]


def test_an_exchange_uses_the_named_quote(site: Site, fuel: Party, member: str) -> None:
    quote = fuel.post("/v1/quotes", _exchange(member, 100))
    made = fuel.post("/v1/exchanges", {"member": member, "points": 100, "quote": quote["id"]})
    assert made["agreement"] == quote["agreement"]
    with site.database.session() as session:
        row = session.scalars(select(Instruction).where(Instruction.id == made["id"])).one()
    assert row.min_out == quote["out"]
