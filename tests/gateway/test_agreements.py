"""Agreements: both sign, whatever the chain would refuse is refused, and no cycle of them makes points out of nothing."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from clearing.chain.calls.models import Call
from clearing.kit.identity import instant
from clearing.parties.agreements.models import Agreement
from clearing.parties.merchants.models import SignerKey
from tests.gateway.site import Party, Site, agree, later, terms, together
from tongdui.encoding import bytes_of, hex_of
from tongdui.orders import AgreementTerms, address_of_key, full_signature, recover_signer, sign_digest


def _digest(site: Site, view: dict[str, Any]) -> bytes:
    values = {**view["terms"], "document": bytes_of(view["terms"]["document"])}
    return AgreementTerms(**values).digest(site.app.state.gateway.network.domain)


def test_two_managed_merchants_agree(site: Site, fuel: Party, cine: Party) -> None:
    proposal = fuel.post("/v1/agreements", terms(fuel, cine))
    assert (proposal["state"], proposal["number"], proposal["signed_by"]) == ("proposed", None, ["source"])
    assert bytes_of(proposal["digest"]) == _digest(site, proposal)
    assert cine.get(f"/v1/agreements/{proposal['id']}") == proposal
    accepted = cine.post(f"/v1/agreements/{proposal['id']}/signatures", {})
    assert (accepted["state"], accepted["signed_by"]) == ("accepted", ["source", "target"])
    with site.database.session() as session:
        call = session.scalars(select(Call).where(Call.subject == proposal["id"])).one()
    number, wire, *signatures = call.arguments
    assert (call.function, number) == ("registerAgreement", accepted["number"])
    assert wire == list(proposal["terms"].values())
    for party, signature in zip((fuel, cine), signatures, strict=True):
        raw = bytes_of(signature)
        assert len(raw) == 65
        signer = site.get(f"/v1/merchants/{party.id}")["signer"]["address"]
        compact = raw[:32] + (int.from_bytes(raw[32:64], "big") | (raw[64] - 27) << 255).to_bytes(32, "big")
        assert full_signature(compact) == raw
        assert recover_signer(bytes_of(proposal["digest"]), compact).lower() == signer
    site.confirm()
    assert fuel.get(f"/v1/agreements/{proposal['id']}")["state"] == "active"


def test_waiting_until_it_is_active(site: Site, fuel: Party, cine: Party) -> None:
    proposal = fuel.post("/v1/agreements", terms(fuel, cine))
    path = f"/v1/agreements/{proposal['id']}/signatures"
    with later(lambda: proposal["id"] in site.awaited(), site.confirm):
        response = site.call("POST", path, {}, caller=cine.id, headers={"Prefer": "respond-async, wait=30"})
    assert response.json()["state"] == "active"
    began = time.monotonic()
    other = site.call("POST", "/v1/agreements", terms(fuel, cine), caller=fuel.id, headers={"Prefer": "wait=30"})
    assert other.json()["state"] == "proposed"
    assert time.monotonic() - began < 25, "a proposal has nothing to wait for"


def test_a_merchant_that_holds_its_key_signs_what_it_sees(site: Site, cine: Party) -> None:
    key = secrets.token_bytes(32)
    own = site.merchant(program="OWNKEY", signer_address=address_of_key(key))
    proposal = own.post("/v1/agreements", terms(own, cine))
    assert proposal["signed_by"] == []
    path = f"/v1/agreements/{proposal['id']}/signatures"
    own.refused(path, {}, "signature_required")
    wrong = hex_of(sign_digest(bytes_of(proposal["digest"]), secrets.token_bytes(32)))
    own.refused(path, {"signature": wrong}, "wrong_signer")
    cine.refused(path, {"signature": hex_of(sign_digest(bytes_of(proposal["digest"]), key))}, "wrong_signer")
    signature = sign_digest(_digest(site, proposal), key)
    signed = own.post(path, {"signature": hex_of(full_signature(signature))})
    assert signed["signed_by"] == ["source"]
    assert cine.post(path, {})["state"] == "accepted"


def test_terms_that_hold_at_once_have_begun_on_a_chain_that_is_behind(site: Site, cine: Party) -> None:
    own = site.merchant(program="ATONCE1")
    at = datetime(2026, 11, 25, 8, 0, 30, tzinfo=UTC)
    with site.clock.stopped(at):
        proposal = own.post("/v1/agreements", terms(own, cine))
    assert proposal["valid_from"] == "2026-11-25T07:59:30Z"


def test_signatures_that_are_worth_nothing_after_a_time_and_points_that_keep_their_expiry(
    site: Site, fuel: Party, cine: Party
) -> None:
    asked = {"accept_by": "2039-12-31T00:00:00Z", "keep_expiry": True}
    proposal = fuel.post("/v1/agreements", terms(fuel, cine, **asked))
    assert (proposal["accept_by"], proposal["keep_expiry"]) == ("2039-12-31T00:00:00Z", True)
    assert (proposal["terms"]["accept_by"], proposal["terms"]["keep_expiry"]) == (2_208_902_400, True)
    assert hex_of(_digest(site, proposal)) == proposal["digest"]
    with site.clock.stopped(datetime(2026, 11, 25, 8, tzinfo=UTC)):
        default = fuel.post("/v1/agreements", terms(fuel, cine))["accept_by"]
        short = fuel.post("/v1/agreements", terms(fuel, cine, valid_until="2026-11-26T08:00:00Z"))["accept_by"]
    assert (default, short) == ("2026-12-25T08:00:00Z", "2026-11-26T08:00:00Z")


def test_signing_at_once(site: Site, cine: Party) -> None:
    key = secrets.token_bytes(32)
    own = site.merchant(program="ATONCE", signer_address=address_of_key(key))
    asked = terms(
        own, cine, valid_from="2026-01-01T00:00:00Z", accept_by="2039-01-01T00:00:00Z", document="0x" + "ab" * 32
    )
    digest = _digest(site, own.post("/v1/agreements", asked))
    body = {**asked, "document": "0x" + "cd" * 32}
    preview = own.post("/v1/agreements", {**body, "document": "0x" + "ef" * 32})
    body["document"] = preview["document"]
    own.refused("/v1/agreements", body, "conflict", 409)
    body = {**asked, "max_points": 99, "signature": hex_of(sign_digest(digest, key))}
    own.refused("/v1/agreements", body, "wrong_signer")
    terms_of = {**preview["terms"], "max_points": 99, "document": bytes_of(asked["document"])}
    wire = AgreementTerms(**terms_of).digest(site.app.state.gateway.network.domain)
    body["signature"] = hex_of(sign_digest(wire, key))
    assert own.post("/v1/agreements", body)["signed_by"] == ["source"]
    for covered in ("valid_from", "accept_by", "document"):
        missing = {name: value for name, value in body.items() if name != covered}
        own.refused("/v1/agreements", missing, "validation_failed")


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"rate_num": 0}, ["/rate_num"]),
        ({"rate_den": 2**32}, ["/rate_den"]),
        ({"rate_num": 0.9}, ["/rate_num"]),
        ({"fee_bps": 10_001}, ["/fee_bps"]),
        ({"max_points": 0}, ["/max_points"]),
        ({"max_points": 100, "daily_cap": 99}, ["/daily_cap"]),
        ({"initiators": []}, ["/initiators"]),
        ({"initiators": ["target"]}, ["/initiators"]),
        ({"initiators": ["bystander"]}, ["/initiators/0"]),
        ({"grace_seconds": 7 * 86_400 + 1}, ["/grace_seconds"]),
        ({"valid_until": "2020-01-01T00:00:00Z"}, ["/valid_until", "/valid_until"]),
        ({"valid_until": "2040-01-01T00:00:00"}, ["/valid_until"]),
        ({"valid_until": 2_208_988_800}, ["/valid_until"]),
        ({"valid_until": "2040-01-01T00:00:00Z", "valid_from": "2040-01-01T00:00:00Z"}, ["/valid_until"]),
        ({"target_program": "FUEL"}, ["/target_program"]),
        ({"kind": "acceptance"}, [""]),
        ({"target_program": None}, [""]),
        ({"accept_by": "2020-01-01T00:00:00Z"}, ["/accept_by"]),
        ({"accept_by": "2040-01-01T00:00:00"}, ["/accept_by"]),
        ({"accept_by": "2040-01-01T00:00:01Z"}, ["/accept_by"]),
        ({"keep_expiry": 1}, ["/keep_expiry"]),
        ({"document": "0x00"}, ["/document"]),
    ],
)
def test_terms_that_the_chain_would_refuse_are_refused(
    fuel: Party, cine: Party, fields: dict[str, Any], pointers: list[str]
) -> None:
    problem = fuel.refused("/v1/agreements", terms(fuel, cine, **fields), "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == pointers


def test_an_acceptance(site: Site, fuel: Party) -> None:
    wash = site.merchant("Car wash")
    body = terms(fuel, wash, kind="acceptance", rate_num=1, rate_den=1, initiators=["target"])
    del body["target_program"]
    made = wash.post("/v1/agreements", {**body, "target_merchant": wash.id})
    assert (made["kind"], made["target_program"], made["target_merchant"]) == ("acceptance", None, wash.id)
    for wrong, pointer in (
        ({"rate_num": 2}, "/rate_num"),
        ({"lifetime_days": 1}, "/lifetime_days"),
        ({"keep_expiry": True}, "/keep_expiry"),
        ({"target_merchant": fuel.id}, "/target_merchant"),
    ):
        problem = fuel.refused("/v1/agreements", {**body, "target_merchant": wash.id, **wrong}, "validation_failed")
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_only_the_parties_propose(site: Site, fuel: Party, cine: Party) -> None:
    other = site.merchant(program="BROKER")
    other.refused("/v1/agreements", terms(fuel, cine), "forbidden", 403)
    fuel.refused("/v1/agreements", terms(fuel, cine, target_program="GHOST"), "unknown_program", 404)


def test_a_second_signature_by_the_same_side_changes_nothing(fuel: Party, cine: Party) -> None:
    proposal = fuel.post("/v1/agreements", terms(fuel, cine))
    path = f"/v1/agreements/{proposal['id']}/signatures"
    assert fuel.post(path, {}) == proposal
    cine.post(path, {})
    cine.refused(path, {}, "agreement_not_proposed", 409)


def test_the_same_terms_are_proposed_once(fuel: Party, cine: Party) -> None:
    body = terms(
        fuel, cine, valid_from="2026-02-01T00:00:00Z", accept_by="2039-01-01T00:00:00Z", document="0x" + "11" * 32
    )
    fuel.post("/v1/agreements", body)
    cine.refused("/v1/agreements", body, "conflict", 409)


def test_a_signature_by_a_key_revoked_since_does_not_count(site: Site, cine: Party) -> None:
    short = site.merchant(program="SHORT")
    proposal = short.post("/v1/agreements", terms(short, cine))
    with site.database.session.begin() as session:
        revoked = update(SignerKey).where(SignerKey.merchant_number == short.number)
        session.execute(revoked.values(valid_until=int(time.time()) - 1))
    cine.refused(f"/v1/agreements/{proposal['id']}/signatures", {}, "wrong_signer")
    with site.database.session() as session:
        row = session.scalars(select(Agreement).where(Agreement.id == proposal["id"])).one()
    assert (row.number, row.target_signature) == (None, None)


def test_terms_that_have_ended_are_not_sent_to_the_chain(site: Site, fuel: Party, cine: Party) -> None:
    proposal = fuel.post("/v1/agreements", terms(fuel, cine, accept_by="2040-01-01T00:00:00Z"))
    a_minute_before = instant(proposal["terms"]["valid_until"] - 60)
    with site.clock.stopped(a_minute_before):
        cine.refused(f"/v1/agreements/{proposal['id']}/signatures", {}, "accept_by_passed")
    with site.clock.stopped(a_minute_before - timedelta(seconds=1)):
        assert cine.post(f"/v1/agreements/{proposal['id']}/signatures", {})["state"] == "accepted"


def test_a_new_version_supersedes_its_route_only(site: Site, fuel: Party, cine: Party) -> None:
    first = agree(fuel, cine)
    mart = site.merchant(program=f"M{secrets.randbelow(10**6)}")
    problem = fuel.refused("/v1/agreements", terms(fuel, mart, supersedes=first["id"]), "validation_failed")
    assert problem["errors"][0]["pointer"] == "/supersedes"
    second = agree(fuel, cine, supersedes=first["id"], grace_seconds=60, rate_num=4, rate_den=5)
    assert second["supersedes"] == first["id"]
    assert fuel.get(f"/v1/agreements/{first['id']}")["state"] == "superseded"


# -------------------------------------------------------------------- cycles


@pytest.fixture
def ring(site: Site) -> list[Party]:
    """Three merchants with a program each."""
    tag = secrets.token_hex(3).upper()
    return [site.merchant(program=f"{letter}{tag}") for letter in "ABC"]


def _at(source: Party, target: Party, num: int, den: int) -> dict[str, Any]:
    return terms(source, target, rate_num=num, rate_den=den)


def test_a_cycle_returns_at_most_what_went_in(ring: list[Party]) -> None:
    a, b, c = ring
    agree(a, b, rate_num=2, rate_den=3)
    agree(b, c, rate_num=5, rate_den=7)
    a_to_c_and_back = _at(c, a, 21, 10)
    fair = c.post("/v1/agreements", a_to_c_and_back)
    a.post(f"/v1/agreements/{fair['id']}/signatures", {})
    problem = c.refused("/v1/agreements", _at(c, a, 2_101, 1_000), "rate_cycle")
    assert problem["errors"][0]["pointer"] == "/rate_num"
    assert f"{c.program} → {a.program} → {b.program} → {c.program}" in problem["detail"]
    assert "at most 21/10" in problem["detail"]


def test_a_pair_of_agreements_is_a_cycle_too(ring: list[Party]) -> None:
    a, b, _ = ring
    agree(a, b, rate_num=9, rate_den=10)
    b.refused("/v1/agreements", _at(b, a, 10_001, 9_000), "rate_cycle")
    agree(b, a, rate_num=10, rate_den=9)


def test_a_cycle_is_found_at_the_second_signature(ring: list[Party]) -> None:
    a, b, _ = ring
    there = a.post("/v1/agreements", _at(a, b, 2, 1))
    back = b.post("/v1/agreements", _at(b, a, 1, 1))
    b.post(f"/v1/agreements/{there['id']}/signatures", {})
    a.refused(f"/v1/agreements/{back['id']}/signatures", {}, "rate_cycle")


def test_two_agreements_signed_at_the_same_moment_open_no_cycle(site: Site, ring: list[Party]) -> None:
    a, b, _ = ring
    there = a.post("/v1/agreements", _at(a, b, 2, 1))
    back = b.post("/v1/agreements", _at(b, a, 1, 1))
    signers = [(b, there), (a, back)]

    def sign(index: int) -> Any:
        party, proposal = signers[index]
        return site.call("POST", f"/v1/agreements/{proposal['id']}/signatures", {}, caller=party.id)

    responses = together(2, sign)
    assert sorted(response.status_code for response in responses) == [200, 422]


def test_an_agreement_that_has_ended_opens_no_cycle(site: Site, ring: list[Party]) -> None:
    a, b, _ = ring
    old = agree(a, b, rate_num=2, rate_den=1)
    b.refused("/v1/agreements", _at(b, a, 1, 1), "rate_cycle")
    with site.database.session.begin() as session:
        session.execute(update(Agreement).where(Agreement.id == old["id"]).values(ends_at=int(time.time()) - 1))
    b.post("/v1/agreements", _at(b, a, 1, 1))


def test_agreements_accepted_at_the_same_moment_get_dense_numbers(site: Site, ring: list[Party]) -> None:
    a, b, _ = ring
    proposals = [a.post("/v1/agreements", _at(a, b, 1, 2 + i)) for i in range(5)]
    signed = together(5, lambda i: b.post(f"/v1/agreements/{proposals[i]['id']}/signatures", {}))
    numbers = sorted(agreement["number"] for agreement in signed)
    assert numbers == list(range(numbers[0], numbers[0] + 5))


# -------------------------------------------------------------------- points that renew their expiry


def test_both_merchants_are_warned_of_a_way_back_that_renews_the_expiry(ring: list[Party]) -> None:
    a, b, c = ring
    there = agree(a, b, lifetime_days=365, keep_expiry=True)
    assert there["warnings"] == []
    proposal = b.post("/v1/agreements", {**_at(b, a, 1, 1), "lifetime_days": 365})
    (warning,) = proposal["warnings"]
    assert (warning["code"], warning["path"]) == ("expiry_renewal", [b.program, a.program, b.program])
    assert f"{b.program} → {a.program} → {b.program}" in warning["detail"]
    assert a.get(f"/v1/agreements/{proposal['id']}")["warnings"] == [warning], "the other side sees it before it signs"
    assert b.get(f"/v1/events?subject={proposal['id']}")["data"][0]["data"]["warnings"] == [warning]
    assert b.post("/v1/agreements", {**_at(b, a, 1, 1), "keep_expiry": True})["warnings"] == []

    b.post(f"/v1/agreements/{proposal['id']}/withdrawal", {})
    assert a.get(f"/v1/agreements/{proposal['id']}")["warnings"] == []
    agree(b, c, lifetime_days=1)
    agree(c, a, keep_expiry=True)
    again = {agreement["id"]: agreement["warnings"] for agreement in a.get("/v1/agreements")["data"]}
    assert again[there["id"]] == [], "points that live for one day renew nothing"
    agree(c, a)
    (warning,) = a.get(f"/v1/agreements/{there['id']}")["warnings"]
    assert warning["path"] == [a.program, b.program, c.program, a.program]


# -------------------------------------------------------------------- lists and the operator's fee


def test_lists_of_agreements_are_narrowed(site: Site, ring: list[Party]) -> None:
    a, b, c = ring
    to_b = agree(a, b)
    to_c = a.post("/v1/agreements", terms(a, c))
    body = terms(a, b, kind="acceptance", rate_num=1, rate_den=1)
    del body["target_program"]
    wash = a.post("/v1/agreements", {**body, "target_merchant": b.id})

    def found(query: str) -> set[str]:
        listed = {agreement["id"] for agreement in a.get(f"/v1/agreements?{query}")["data"]}
        seen = {agreement["id"] for agreement in site.get(f"/v1/agreements?limit=200&{query}")["data"]}
        assert listed <= seen
        return listed

    assert found("") == {to_b["id"], to_c["id"], wash["id"]}
    assert found("state=active") == {to_b["id"]}
    assert found("state=proposed") == {to_c["id"], wash["id"]}
    assert found("kind=acceptance") == {wash["id"]}
    assert found(f"program={c.program}") == {to_c["id"]}
    assert found(f"counterparty={b.id}") == {to_b["id"], wash["id"]}
    assert found(f"counterparty={b.id}&kind=exchange&state=active&program={a.program}") == {to_b["id"]}
    assert [agreement["id"] for agreement in b.get(f"/v1/agreements?counterparty={a.id}&limit=1")["data"]] == [
        wash["id"]
    ]
    for wrong, status in (("state=good", 422), ("program=GHOST", 404), (f"counterparty={'mer_' + '0' * 25}1", 404)):
        assert site.call("GET", f"/v1/agreements?{wrong}").status_code == status


def test_no_agreement_is_cheaper_than_the_operator_allows(database_url: str, tmp_path: Path) -> None:
    with Site(database_url, tmp_path) as before:
        fuel, cine = before.merchant(program="FUEL"), before.merchant(program="CINE")
        assert before.get("/v1/network")["minimum_fee_bps"] == 0
        cheap = fuel.post("/v1/agreements", terms(fuel, cine, fee_bps=29))
        keys = before.keys
    with Site(database_url, tmp_path, minimum_fee_bps=30) as site:
        site.keys = keys
        fuel.site = cine.site = site
        assert site.get("/v1/network")["minimum_fee_bps"] == 30
        problem = fuel.refused("/v1/agreements", terms(fuel, cine, fee_bps=29), "validation_failed")
        assert [(error["pointer"], error["detail"]) for error in problem["errors"]] == [
            ("/fee_bps", "must be at least 30, which the operator asks for")
        ]
        problem = cine.refused(f"/v1/agreements/{cheap['id']}/signatures", {}, "validation_failed")
        assert problem["errors"][0]["pointer"] == "/fee_bps"
        agree(fuel, cine, fee_bps=30)
