"""One effect a key, however requests are repeated, raced or interrupted."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from clearing.kit.events.recorder import EventRecorder
from clearing.kit.idempotency import service as idempotency
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.ordering.orders.models import Instruction, Order, OrderState
from clearing.parties.merchants.models import Merchant
from gateway.app import THREADS
from tests.gateway.own_key import OwnKey
from tests.gateway.site import Party, Site, later, together, until


def _count(site: Site, table: type[Any]) -> int:
    with site.database.session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_mutation_needs_a_key(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.keys['operator']}"}
    response = site.http.post("/v1/merchants", json={}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_missing")
    for bad in ("with space", "x" * 256, "ключ".encode()):
        response = site.http.post("/v1/merchants", json={}, headers={**headers, "Idempotency-Key": bad})
        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")


def test_the_same_request_gets_the_first_answer(site: Site) -> None:
    before = _count(site, Merchant)
    body = {"name": "Twice", "managed_key": True}
    first = site.call("POST", "/v1/merchants", body, key="twice")
    second = site.call("POST", "/v1/merchants", dict(reversed(body.items())), key="twice")
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers["Location"] == first.headers["Location"]
    assert _count(site, Merchant) == before + 1


def test_a_key_is_for_one_request(site: Site) -> None:
    site.post("/v1/merchants", {"name": "First use", "managed_key": True}, key="reused")
    other_body = {"name": "Other body", "managed_key": True}
    site.refused("/v1/merchants", other_body, "idempotency_key_reused", key="reused")
    site.refused(
        "/v1/programs",
        {"merchant": "mer_" + "0" * 26, "code": "KEY", "name": "n"},
        "idempotency_key_reused",
        key="reused",
    )


def test_each_principal_has_its_own_keys_and_rotation_keeps_them(site: Site, fuel: Party, cine: Party) -> None:
    body = {"external_id": "shared-key"}
    ours = fuel.post("/v1/members", body, key="shared")
    theirs = cine.post("/v1/members", body, key="shared")
    assert ours["id"] != theirs["id"]
    rotated = site.call("POST", "/v1/members", body, caller=fuel.key("members"), key="shared")
    assert rotated.headers["Idempotent-Replayed"] == "true"
    assert rotated.json() == ours


def test_a_business_refusal_is_final_for_its_key(site: Site, fuel: Party) -> None:
    member = fuel.member()
    body = {"program": "FUEL", "member": member, "points": 10}
    first = fuel.refused("/v1/redemptions", body, "insufficient_points", key="poor")
    site.give(member, "FUEL", 10)
    replay = site.call("POST", "/v1/redemptions", body, caller=fuel.id, key="poor")
    assert (replay.status_code, replay.json()) == (422, first)
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert replay.headers["content-type"] == "application/problem+json"
    assert fuel.post("/v1/redemptions", body, key="richer")["state"] == "accepted"


def test_a_refusal_leaves_nothing_behind(site: Site, fuel: Party) -> None:
    orders, instructions = _count(site, Order), _count(site, Instruction)
    member = fuel.member()
    items = [
        {"kind": "issue", "program": "FUEL", "member": member, "points": 1},
        {"kind": "redeem", "program": "FUEL", "member": member, "points": 10},
    ]
    fuel.refused("/v1/orders", {"instructions": items}, "insufficient_points")
    assert (_count(site, Order), _count(site, Instruction)) == (orders, instructions)


def test_a_malformed_request_does_not_use_up_its_key(fuel: Party) -> None:
    body = {"program": "FUEL", "member": fuel.member(), "points": 1.5}
    fuel.refused("/v1/issuances", body, "validation_failed", key="mended")
    assert fuel.post("/v1/issuances", {**body, "points": 15}, key="mended")["points"] == 15


def test_a_weak_api_key_does_not_use_up_the_idempotency_key(site: Site, fuel: Party) -> None:
    member = fuel.member()
    weak = fuel.key("redeem", "keys")
    order = {"instructions": [{"kind": "issue", "program": "FUEL", "member": member, "points": 4}]}
    site.refused("/v1/orders", order, "insufficient_scope", 403, caller=weak, key="weak-order")
    assert fuel.post("/v1/orders", order, key="weak-order")["state"] == "accepted"
    site.give(member, "FUEL", 10)
    held = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 5, "expires_in": 60})
    path, capture = f"/v1/holds/{held['id']}/capture", {"kind": "redeem", "points": 5}
    site.refused(path, capture, "insufficient_scope", 403, caller=fuel.key("exchange"), key="weak-capture")
    assert fuel.post(path, capture, key="weak-capture")["state"] == "accepted"
    wanted = {"role": "merchant", "scopes": ["issue"]}
    site.refused("/v1/api_keys", wanted, "forbidden", 403, caller=weak, key="weak-key")
    assert fuel.post("/v1/api_keys", wanted, key="weak-key")["scopes"] == ["issue"]


def test_a_fault_of_ours_does_not_use_the_key_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _count(site, Merchant)
    body = {"name": "Crash", "managed_key": True}
    with monkeypatch.context() as patch:
        patch.setattr(EventRecorder, "record", lambda *_, **__: 1 / 0)
        response = site.call("POST", "/v1/merchants", body, key="crashed")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "division" not in response.text
    assert _count(site, Merchant) == before, "the effect went with the transaction"
    assert site.call("POST", "/v1/merchants", body, key="crashed").status_code == 201


def test_twenty_requests_at_the_same_moment_have_one_effect(site: Site, fuel: Party) -> None:
    member = fuel.member()
    body = {"program": "FUEL", "member": member, "points": 7, "reference": f"r-{secrets.token_hex(4)}"}
    before = _count(site, Order)
    responses = together(20, lambda _: site.call("POST", "/v1/issuances", body, caller=fuel.id, key="stampede"))
    assert _count(site, Order) == before + 1
    assert {response.status_code for response in responses} <= {202, 409}
    answered = [response for response in responses if response.status_code == 202]
    assert len({response.json()["id"] for response in answered}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in answered) == 1
    for response in responses:
        if response.status_code == 409:
            assert response.json()["code"] == "idempotency_in_flight"


def test_a_second_request_waits_for_the_first_or_is_refused(site: Site, fuel: Party) -> None:
    if site.database.is_sqlite:
        pytest.skip("SQLite has one writer: the second request waits for its turn")
    body = {"external_id": "slow"}
    print_of_body = idempotency.fingerprint("POST", "/v1/members", body)
    with site.database.session.begin() as session:
        principal = f"merchant:{fuel.number}"
        idempotency.IdempotencyService(session).claim(principal, "in-flight", print_of_body)
        problem = fuel.refused("/v1/members", body, "idempotency_in_flight", 409, key="in-flight")
        assert problem["status"] == 409
        session.rollback()
    assert fuel.post("/v1/members", body, key="in-flight")["external_id"] == "slow"


# -------------------------------------------------------------------- movements


def test_the_replay_of_a_movement_shows_it_as_it_is_now(site: Site, fuel: Party) -> None:
    body = {"program": "FUEL", "member": fuel.member(), "points": 3}
    first = site.call("POST", "/v1/issuances", body, caller=fuel.id, key="crashed-client")
    assert (first.status_code, first.json()["state"]) == (202, "accepted")
    site.finish(first.json()["order"], OrderState.SETTLED)
    replay = site.call("POST", "/v1/issuances", body, caller=fuel.id, key="crashed-client")
    assert (replay.status_code, replay.json()["state"]) == (201, "settled")
    assert replay.json()["id"] == first.json()["id"]
    assert replay.headers["Idempotent-Replayed"] == "true"


def test_a_client_that_lost_its_response_can_wait_again(site: Site, fuel: Party) -> None:
    body = {"program": "FUEL", "member": fuel.member(), "points": 3}
    first = site.call("POST", "/v1/issuances", body, caller=fuel.id, key="again").json()

    def finish() -> None:
        site.finish(first["order"], OrderState.REJECTED, "supply_overflow")

    with later(lambda: first["id"] in site.awaited(), finish):
        replay = site.call("POST", "/v1/issuances", body, caller=fuel.id, key="again", headers={"Prefer": "wait=30"})
    assert replay.status_code == 201
    assert (replay.json()["state"], replay.json()["reason"]) == ("rejected", "supply_overflow")


@pytest.fixture
def signer(site: Site) -> OwnKey:
    return OwnKey(site)


def test_a_restarted_client_that_signs_anew_gets_its_first_order(signer: OwnKey) -> None:
    first = signer.party.post("/v1/issuances", signer.body(signer.nonce()), key="restart")
    again = signer.party.post("/v1/issuances", signer.body(signer.nonce()), key="restart")
    assert again["id"] == first["id"]


def test_a_bad_signature_can_be_corrected_under_the_same_key(signer: OwnKey) -> None:
    nonce = signer.nonce()
    wrong = signer.body(nonce, key=secrets.token_bytes(32))
    signer.party.refused("/v1/issuances", wrong, "wrong_signer", key="mend")
    signer.party.refused("/v1/issuances", signer.body(nonce, seconds=-1), "deadline_passed", key="mend")
    signer.party.refused("/v1/issuances", signer.body(nonce, seconds=9_999), "deadline_too_far", key="mend")
    unsigned = {name: value for name, value in wrong.items() if name != "authorization"}
    signer.party.refused("/v1/issuances", unsigned, "signature_required", key="mend")
    assert signer.party.post("/v1/issuances", signer.body(nonce), key="mend")["state"] == "accepted"


def test_a_nonce_is_used_once(signer: OwnKey) -> None:
    nonce = signer.nonce()
    signer.party.post("/v1/issuances", signer.body(nonce))
    signer.party.refused("/v1/issuances", signer.body(nonce), "nonce_used", 409)


def test_a_nonce_is_reserved_once(signer: OwnKey) -> None:
    blocks = together(8, lambda _: signer.party.post("/v1/nonces", {"count": 5}))
    handed_out = [block["first"] + i for block in blocks for i in range(block["count"])]
    assert len(set(handed_out)) == 40


# -------------------------------------------------------------------- interrupted


def test_a_client_that_hangs_up_does_not_undo_its_request(site: Site, fuel: Party) -> None:
    body = {"program": "FUEL", "member": fuel.member(), "points": 3}
    headers = {
        "Authorization": f"Bearer {site.keys[fuel.id]}",
        "Idempotency-Key": "hung-up",
        "Content-Type": "application/json",
        "Prefer": "wait=30",
    }
    impatient = http.client.HTTPConnection("127.0.0.1", site.settings.gateway_port)
    impatient.request("POST", "/v1/issuances", json.dumps(body), headers)
    until(site.awaited)
    impatient.close()
    replay = site.call("POST", "/v1/issuances", body, caller=fuel.id, key="hung-up")
    assert replay.headers["Idempotent-Replayed"] == "true"


def test_waiting_clients_hold_no_thread_and_no_transaction(site: Site, fuel: Party) -> None:
    """More clients wait than the gateway has threads; it still answers others."""
    bodies = [{"program": "FUEL", "member": fuel.member(), "points": 1} for _ in range(3)]
    before = _count(site, Order)

    def wait(index: int) -> int:
        body, key, status = bodies[index % 3], f"wait-{index}", 202
        for _ in range(5):  # the first ones' half minute may be over before the last ones arrive
            if status == 202:
                headers = {"Prefer": "wait=30"}
                status = site.call("POST", "/v1/issuances", body, caller=fuel.id, key=key, headers=headers).status_code
        return status

    with ThreadPoolExecutor(1) as pool:
        crowd = pool.submit(together, 60, wait)
        until(lambda: _count(site, Order) >= before + 60 and len(site.awaited()) > THREADS, 120)
        began = time.monotonic()
        assert site.call("GET", "/v1/network").status_code == 200
        assert fuel.post("/v1/members", {"external_id": "meanwhile"})["external_id"] == "meanwhile"
        assert time.monotonic() - began < 20
        with site.database.session.begin() as session:
            for order in session.scalars(select(Order).where(Order.state == OrderState.ACCEPTED)):
                order.state = OrderState.SETTLED
    assert crowd.result() == [201] * 60


def test_records_store_the_resource_not_the_response(site: Site, fuel: Party) -> None:
    movement = fuel.post("/v1/issuances", {"program": "FUEL", "member": fuel.member(), "points": 1}, key="record")
    with site.database.session() as session:
        record = session.get_one(IdempotencyRecord, (f"merchant:{fuel.number}", "record"))
    assert (record.location, record.body) == (movement["id"], "")
