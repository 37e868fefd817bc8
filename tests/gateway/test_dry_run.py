"""A dry run says what a request would do, and does nothing: no row of any table changes."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account as Key
from sqlalchemy import select

from clearing.kit.database import Base
from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.models import OrderState
from tests.gateway.site import Party, Site, agree, terms
from tongdui import Client

ZEROS = "0" * 26
MOVED = ("Movement", "Order", "Hold")
"""What a POST makes that moves points or sets them aside."""


def _dump(site: Site) -> dict[str, list[str]]:
    """Every row of every table."""
    with site.database.reading() as session:
        return {
            table.name: sorted(repr(tuple(row)) for row in session.execute(select(table)))
            for table in Base.metadata.sorted_tables
        }


def _dry(site: Site, path: str, body: Any, caller: str) -> dict[str, Any]:
    """A dry run that succeeds and changes nothing; its body."""
    before = _dump(site)
    headers = {"Authorization": f"Bearer {site.keys[caller]}"}  # and no Idempotency-Key
    response = site.http.post(f"{path}?dry_run=true", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert "location" not in response.headers
    assert _dump(site) == before
    shown: dict[str, Any] = response.json()
    assert set(shown) == {"dry_run", "result", "outcomes"}
    assert shown["dry_run"] is True
    assert shown["result"]["id"].endswith(ZEROS)
    return shown


@pytest.fixture(scope="module")
def cine(site: Site, fuel: Party) -> Party:
    cinema = site.merchant("Dry cinema", program="DRYC")
    agree(fuel, cinema)
    return cinema


@pytest.fixture
def rich(site: Site, fuel: Party) -> str:
    member = fuel.member()
    site.give(member, "FUEL", 1_000)
    return member


def _outcome(points: int, out: int = 0, settled: int = 0, fee: int = 0) -> dict[str, int]:
    return {"points": points, "out": out, "settled_micros": settled, "fee_micros": fee}


@pytest.mark.parametrize("collection", ["issuances", "redemptions"])
def test_a_movement_of_one_program(site: Site, fuel: Party, rich: str, collection: str) -> None:
    body = {"program": "FUEL", "member": rich, "points": 30, "reference": f"dry {collection}"}
    shown = _dry(site, f"/v1/{collection}", body, fuel.id)
    assert shown["outcomes"] == [_outcome(30)]
    assert (shown["result"]["state"], shown["result"]["entry"]) == ("accepted", None)
    assert shown["result"]["order"] == f"ord_{ZEROS}"
    real = fuel.post(f"/v1/{collection}", body)
    made_later = ("id", "order", "created_at")
    assert {n: v for n, v in real.items() if n not in made_later} == {
        n: v for n, v in shown["result"].items() if n not in made_later
    }


def test_an_exchange_says_what_it_gives_and_costs(site: Site, fuel: Party, cine: Party, rich: str) -> None:
    body = {"source_program": "FUEL", "target_program": cine.program, "member": rich, "points": 101}
    quote = fuel.post("/v1/quotes", {name: value for name, value in body.items() if name != "member"})
    shown = _dry(site, "/v1/exchanges", body, fuel.id)
    quoted = _outcome(quote["points_burnt"], quote["out"], quote["settled_micros"], quote["fee_micros"])
    assert shown["outcomes"] == [quoted] == [_outcome(100, 90, 900_000, 4_500)]


@pytest.fixture(scope="module")
def wash(site: Site, fuel: Party) -> Party:
    acceptor = site.merchant("Dry wash")
    fields = {
        "kind": "acceptance",
        "target_program": None,
        "target_merchant": acceptor.id,
        "rate_num": 1,
        "rate_den": 1,
    }
    agreement = fuel.post("/v1/agreements", terms(fuel, acceptor, **fields, initiators=["source", "target"]))
    acceptor.post(f"/v1/agreements/{agreement['id']}/signatures", {})
    site.confirm()
    return acceptor


def test_a_spend_by_code_leaves_the_code_alive(site: Site, fuel: Party, wash: Party, rich: str) -> None:
    code = fuel.post(f"/v1/members/{rich}/codes", {"points": 200, "program": "FUEL"})
    body = {"program": "FUEL", "member_code": code["code"], "points": 200}
    for _ in range(2):
        shown = _dry(site, "/v1/spends", body, wash.id)
        assert shown["outcomes"] == [_outcome(200, 0, 2_000_000, 10_000)]
    assert fuel.get(f"/v1/members/{rich}/codes/{code['id']}")["state"] == "live"
    assert wash.post("/v1/spends", body)["state"] == "accepted"
    wash.refused("/v1/spends?dry_run=true", body, "member_code_invalid")


def test_guessing_codes_in_dry_runs_is_counted_too(site: Site, fuel: Party, rich: str) -> None:
    guesser = site.merchant("Guesser")
    fields = {"kind": "acceptance", "target_program": None, "target_merchant": guesser.id, "rate_num": 1, "rate_den": 1}
    agreement = fuel.post("/v1/agreements", terms(fuel, guesser, **fields, initiators=["target"]))
    guesser.post(f"/v1/agreements/{agreement['id']}/signatures", {})
    site.confirm()
    body = {"program": "FUEL", "member_code": "K7Q2M-9XD4R", "points": 1}
    for _ in range(5):
        guesser.refused("/v1/spends?dry_run=true", body, "member_code_invalid")
    guesser.refused("/v1/spends?dry_run=true", body, "too_many_tries", 429)


def test_a_transfer_and_a_reversal(site: Site, fuel: Party, rich: str) -> None:
    gift = {"program": "FUEL", "member": rich, "recipient": fuel.member(), "points": 60}
    assert _dry(site, "/v1/transfers", gift, fuel.id)["outcomes"] == [_outcome(60)]
    sold = fuel.post("/v1/redemptions", {"program": "FUEL", "member": rich, "points": 50})
    site.finish(sold["order"], OrderState.SETTLED)
    back = {"movement": sold["id"], "points": 20}
    for _ in range(2):
        assert _dry(site, "/v1/reversals", back, fuel.id)["outcomes"] == [_outcome(20)]
    assert _dry(site, "/v1/reversals", {"movement": sold["id"]}, fuel.id)["outcomes"] == [_outcome(50)]


def test_every_kind_has_a_dry_run(site: Site, fuel: Party) -> None:
    schema = site.http.get("/openapi.json").json()
    moving = [
        path
        for path, operations in schema["paths"].items()
        if any(f"/{view}View'" in str(operations.get("post", {}).get("responses", {}).get("201")) for view in MOVED)
    ]
    assert {f"/v1/{kind.collection}" for kind in KINDS} < set(moving)
    assert {"/v1/orders", "/v1/holds", "/v1/holds/{hold}/capture"} < set(moving)
    for path in moving:
        operation = schema["paths"][path]["post"]
        assert "dry_run" in {parameter["name"] for parameter in operation["parameters"]}, path
        assert "DryRunView" in str(operation["responses"]["200"]), path
        assert "200" not in operation["responses"] or "dry_run=true" in operation["responses"]["200"]["description"]


def test_an_order_of_many(site: Site, fuel: Party, rich: str) -> None:
    item = {"kind": "issue", "program": "FUEL", "member": rich, "points": 5}
    shown = _dry(site, "/v1/orders", {"instructions": [item, {**item, "kind": "redeem", "points": 7}]}, fuel.id)
    assert shown["outcomes"] == [_outcome(5), _outcome(7)]
    assert [movement["id"] for movement in shown["result"]["movements"]] == [f"iss_{ZEROS}", f"red_{ZEROS}"]


def test_a_hold_and_its_capture(site: Site, fuel: Party, rich: str) -> None:
    body = {"program": "FUEL", "member": rich, "points": 600}
    shown = _dry(site, "/v1/holds", body, fuel.id)
    assert (shown["result"]["state"], shown["outcomes"]) == ("pending", [])
    hold = fuel.post("/v1/holds", body)
    shown = _dry(site, f"/v1/holds/{hold['id']}/capture", {"kind": "redeem", "points": 425}, fuel.id)
    assert shown["outcomes"] == [_outcome(425)]
    assert fuel.get(f"/v1/holds/{hold['id']}")["state"] == "pending"


def test_the_sdk_tries_holds_out_too(site: Site, fuel: Party, rich: str) -> None:
    before = fuel.get("/v1/holds")["data"]
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        assert client.holds.dry_run(program="FUEL", member=rich, points=10).result.state == "pending"
        assert fuel.get("/v1/holds")["data"] == before
        hold = client.holds.create(program="FUEL", member=rich, points=10)
        dry = client.holds.dry_run_capture(hold, points=4)
        assert (dry.outcome.points, dry.result.points) == (4, 4)
        assert client.holds.get(hold.id).state == "pending"


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("/v1/redemptions", {"points": 1_001}, "insufficient_points"),
        ("/v1/issuances", {"expires_on": "2020-01-01"}, "already_expired"),
        ("/v1/expirations", {}, "not_expired"),
        ("/v1/holds", {"points": 1_001}, "insufficient_points"),
    ],
)
def test_a_refusal_is_the_one_of_the_real_request(
    site: Site, fuel: Party, rich: str, path: str, fields: dict[str, Any], code: str
) -> None:
    body = {"program": "FUEL", "member": rich, "points": 1, **fields}
    before = _dump(site)
    dry = fuel.refused(f"{path}?dry_run=true", body, code)
    assert _dump(site) == before
    real = fuel.refused(path, body, code)
    assert {**dry, "request_id": ""} == {**real, "request_id": ""}


def test_a_reference_stays_free_and_a_key_stays_unused(site: Site, fuel: Party, rich: str) -> None:
    body = {"program": "FUEL", "member": rich, "points": 1, "reference": "dry-once"}
    for _ in range(2):
        assert site.call("POST", "/v1/issuances?dry_run=true", body, caller=fuel.id, key="dry-key").status_code == 200
    assert fuel.post("/v1/issuances", body, key="dry-key")["reference"] == "dry-once"
    fuel.refused("/v1/issuances?dry_run=true", body, "duplicate_reference", 409, key="dry-key")


def test_a_merchant_that_signs_itself_needs_no_signature(site: Site) -> None:
    key = Key.create()
    signer = site.merchant("Dry signer", program="DRYS", signer_address=key.address)
    member = signer.member()
    body = {"program": "DRYS", "member": member, "points": 12}
    signer.refused("/v1/issuances", body, "signature_required")
    assert _dry(site, "/v1/issuances", body, signer.id)["outcomes"] == [_outcome(12)]
    wrong = {"nonce": 0, "deadline": 4_102_444_800, "signature": "0x" + "11" * 64}
    signer.refused("/v1/issuances?dry_run=true", {**body, "authorization": wrong}, "deadline_too_far")
    wrong["deadline"] = int(site.clock.unix()) + 60
    signer.refused("/v1/issuances?dry_run=true", {**body, "authorization": wrong}, "nonce_not_reserved")


def test_it_is_true_or_false(site: Site, fuel: Party, rich: str) -> None:
    body = {"program": "FUEL", "member": rich, "points": 1}
    problem = fuel.refused("/v1/issuances?dry_run=maybe", body, "validation_failed")
    assert problem["errors"] == [{"pointer": "", "parameter": "dry_run", "detail": "must be true or false"}]
    assert fuel.post("/v1/issuances?dry_run=false", body)["order"] != f"ord_{ZEROS}"


def test_it_does_not_wait(site: Site, fuel: Party, rich: str) -> None:
    body = {"program": "FUEL", "member": rich, "points": 1}
    response = site.call("POST", "/v1/issuances?dry_run=true", body, caller=fuel.id, headers={"Prefer": "wait=30"})
    assert response.status_code == 200
    assert response.elapsed.total_seconds() < 5
    assert "preference-applied" not in response.headers
