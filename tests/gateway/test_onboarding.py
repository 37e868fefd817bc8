"""Merchants, programs, limits and bank movements: numbers as the chain demands them, and refusals where it would refuse."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from clearing.chain.calls.models import Call
from clearing.ledger.settlement.repository import PositionRepository
from clearing.parties.merchants.models import Merchant
from tests.gateway.site import Site, later, terms, together
from tongdui.encoding import bytes_of, keccak256, word_text
from tongdui.orders import address_of_key


def _call(site: Site, subject: str) -> Call:
    with site.database.session() as session:
        return session.scalars(select(Call).where(Call.subject == subject)).one()


def test_a_merchant_is_pending_until_the_chain_confirms_it(site: Site) -> None:
    body = {"name": "加油站", "managed_key": True}
    merchant = site.post("/v1/merchants", body)
    assert merchant["status"] == "pending"
    assert merchant["signer"]["managed"] is True
    call = _call(site, merchant["id"])
    assert (call.role, call.function) == ("operator", "registerMerchant")
    number, name, key, limit = call.arguments
    assert (number, key, limit) == (merchant["number"], merchant["signer"]["address"], 0), (
        "credit needs a second person"
    )
    assert word_text(bytes_of(name)) == "加油站"
    site.confirm()
    assert site.get(f"/v1/merchants/{merchant['id']}")["status"] == "active"


def test_a_merchant_may_bring_its_own_key(site: Site) -> None:
    address = address_of_key(keccak256(b"own key"))
    merchant = site.post("/v1/merchants", {"name": "Own", "signer_address": address})
    assert merchant["signer"] == {"address": address.lower(), "managed": False}
    again = {"name": "Twin", "signer_address": address.lower()}
    problem = site.refused("/v1/merchants", again, "key_taken", 409)
    assert problem["errors"][0]["pointer"] == "/signer_address"


def test_a_mistyped_address_is_refused(site: Site) -> None:
    address = address_of_key(keccak256(b"mistyped"))
    wrong = address[:-1] + ("a" if address[-1] != "a" else "b")
    for bad in (wrong, "0x12", "0x" + "00" * 20, "é"):
        body = {"name": "Typo", "signer_address": bad}
        assert site.refused("/v1/merchants", body, "validation_failed")["errors"][0]["pointer"] == "/signer_address"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "Both", "managed_key": True, "signer_address": "0x" + "11" * 20}, ""),
        ({"name": "Neither"}, ""),
        ({"name": "十一个汉字就太长了呢吗", "managed_key": True}, "/name"),
        ({"name": "", "managed_key": True}, "/name"),
        ({"name": "a\x00b", "managed_key": True}, "/name"),
        ({"name": "\ud800", "managed_key": True}, "/name"),
        ({"name": "Debt", "managed_key": True, "credit_limit_micros": 1}, "/credit_limit_micros"),
    ],
)
def test_merchants_that_the_chain_would_refuse_are_refused(site: Site, body: dict[str, object], pointer: str) -> None:
    problem = site.refused("/v1/merchants", body, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_merchants_registered_at_the_same_moment_get_dense_numbers(site: Site) -> None:
    before = max(merchant["number"] for merchant in site.get("/v1/merchants?limit=200")["data"])
    made = together(8, lambda i: site.post("/v1/merchants", {"name": f"Rush {i}", "managed_key": True}))
    assert sorted(merchant["number"] for merchant in made) == list(range(before + 1, before + 9))
    with site.database.session() as session:
        calls = session.scalars(select(Call).where(Call.function == "registerMerchant").order_by(Call.id)).all()
    numbers = [call.arguments[0] for call in calls]
    assert numbers == sorted(numbers), "the calls go out in the order of the numbers"


def test_programs_registered_at_the_same_moment_get_dense_numbers(site: Site) -> None:
    merchant = site.merchant()
    before = max([program["number"] for program in site.get("/v1/programs?limit=200")["data"]], default=0)
    made = together(
        6, lambda i: site.post("/v1/programs", {"merchant": merchant.id, "code": f"RUSH{i}", "name": f"Rush {i}"})
    )
    assert sorted(program["number"] for program in made) == list(range(before + 1, before + 7))


def test_a_program_is_found_by_code_and_by_id(site: Site) -> None:
    merchant = site.merchant(program="FINDME")
    by_code = merchant.get("/v1/programs/FINDME")
    assert by_code == merchant.get(f"/v1/programs/{by_code['id']}")
    assert by_code["merchant"] == merchant.id
    call = _call(site, by_code["id"])
    assert word_text(bytes_of(call.arguments[2])) == "FINDME"


def test_a_program_code_can_be_taken_once(site: Site) -> None:
    merchant = site.merchant(program="ONCE")
    body = {"merchant": merchant.id, "code": "ONCE", "name": "Again"}
    assert site.refused("/v1/programs", body, "code_taken", 409)["errors"][0]["pointer"] == "/code"
    results = together(
        4,
        lambda i: site.call("POST", "/v1/programs", {"merchant": merchant.id, "code": "RACE", "name": "Race"}),
    )
    assert sorted(response.status_code for response in results) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"code": "fuel"}, "validation_failed", "/code"),
        ({"code": "F"}, "validation_failed", "/code"),
        ({"code": "ABCDEFGHIJKLM"}, "validation_failed", "/code"),
        ({"name": "九个汉字加上六个汉字"[:11] + "长"}, "validation_failed", "/name"),
        ({"default_lifetime_days": 0}, "validation_failed", "/default_lifetime_days"),
        ({"merchant": "mer_" + "z" * 26}, "unknown_merchant", "/merchant"),
    ],
)
def test_a_program_is_checked_field_by_field(site: Site, fields: dict[str, object], code: str, pointer: str) -> None:
    body = {"merchant": site.merchant().id, "code": "CHECKED", "name": "Checked", **fields}
    problem = site.refused("/v1/programs", body, code, 404 if code.startswith("unknown") else 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_waiting_for_the_chain_to_confirm_a_merchant(site: Site) -> None:
    with later(site.awaited, site.confirm):
        body = {"name": "Patient", "managed_key": True}
        response = site.call("POST", "/v1/merchants", body, headers={"Prefer": "wait=30"})
    assert response.status_code == 201
    assert response.json()["status"] == "active"
    assert response.headers["Preference-Applied"] == "wait=30"


def test_the_credit_limit_cannot_go_below_the_credit_in_use(site: Site) -> None:
    merchant = site.merchant()
    for wrong in (-1, 1.0):
        body = {"credit_limit_micros": wrong, "reason": "x"}
        refused = site.refused(f"/v1/merchants/{merchant.id}/credit_limit", body, "validation_failed")
        assert refused["errors"][0]["pointer"] == "/credit_limit_micros"
    site.agreed(f"/v1/merchants/{merchant.id}/credit_limit", {"credit_limit_micros": 70})
    site.confirm()
    assert merchant.get(f"/v1/positions/{merchant.id}")["credit_limit_micros"] == 70
    with site.database.session.begin() as session:
        PositionRepository(session).lock(merchant.number).position = -50
        PositionRepository(session).lock(merchant.number).reserved = 10
    body = {"credit_limit_micros": 59, "reason": "x"}
    problem = site.refused(f"/v1/merchants/{merchant.id}/credit_limit", body, "credit_limit_in_use")
    assert "60 micros" in problem["detail"]
    site.agreed(f"/v1/merchants/{merchant.id}/credit_limit", {"credit_limit_micros": 60})


def test_a_bank_reference_books_once(site: Site) -> None:
    merchant = site.merchant()
    body = {"merchant": merchant.id, "micros": 1_000, "bank_reference": "BOC-1", "reason": "line 1"}
    deposit = site.book("deposit", merchant.id, 1_000, "BOC-1")
    assert (deposit["object"], deposit["state"]) == ("deposit", "pending")
    assert _call(site, deposit["id"]).arguments[2] == "0x" + keccak256(b"BOC-1").hex()
    site.refused("/v1/deposits", body, "bank_reference_used", 409, caller="treasury")
    site.confirm()
    assert site.get(f"/v1/deposits/{deposit['id']}", caller="treasury")["state"] == "posted"
    assert merchant.get(f"/v1/positions/{merchant.id}")["position_micros"] == 1_000
    withdrawal = {"merchant": merchant.id, "micros": 1, "bank_reference": "BOC-1", "reason": "line 1"}
    site.refused("/v1/withdrawals", withdrawal, "bank_reference_used", 409, caller="treasury")


def test_many_bookings_of_one_bank_reference_at_once_book_one(site: Site) -> None:
    body = {"merchant": site.merchant().id, "micros": 5, "bank_reference": "BOC-race", "reason": "line 2"}
    responses = together(8, lambda _: site.call("POST", "/v1/deposits", body, caller="treasury"))
    assert sorted(response.status_code for response in responses) == [202] + [409] * 7
    assert {response.json().get("code") for response in responses} == {None, "approval_pending"}


def test_many_registrations_of_one_key_at_once_register_one(site: Site) -> None:
    body = {"name": "Race", "signer_address": address_of_key(keccak256(b"raced key"))}
    responses = together(8, lambda _: site.call("POST", "/v1/merchants", body))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 7
    assert {response.json().get("code") for response in responses} == {None, "key_taken"}


def test_many_proposals_of_the_same_terms_at_once_propose_one(site: Site) -> None:
    source, target = site.merchant(program="RACEA"), site.merchant(program="RACEB")
    # Without these moments, proposals in different seconds would have different terms.
    moments = {"valid_from": "2030-01-01T00:00:00Z", "accept_by": "2029-01-01T00:00:00Z"}
    body = terms(source, target, document="0x" + "12" * 32, **moments)
    responses = together(8, lambda _: site.call("POST", "/v1/agreements", body, caller=source.id))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 7
    assert {response.json().get("code") for response in responses} == {None, "conflict"}


def test_a_withdrawal_counts_pending_ones_but_no_credit(site: Site) -> None:
    merchant = site.merchant()
    site.book("deposit", merchant.id, 100, "w0")
    site.confirm()
    ask = {"merchant": merchant.id, "micros": 60, "reason": "asked for"}
    site.book("withdrawal", merchant.id, 60, "w1")
    problem = site.refused(
        "/v1/withdrawals", {**ask, "bank_reference": "w2"}, "insufficient_position", caller="treasury"
    )
    assert "40 micros" in problem["detail"]
    _one_of_four_is_approved(site, [merchant.id] * 4, 40)


def _one_of_four_is_approved(site: Site, merchants: list[str], micros: int) -> None:
    """All may be asked for, because nothing is reserved yet; at the approval the rules are checked again."""
    asked = [
        site.post(
            "/v1/withdrawals",
            {
                "merchant": merchant,
                "micros": micros,
                "bank_reference": f"race {merchant} {place}",
                "reason": "asked for",
            },
            caller="treasury",
        )["id"]
        for place, merchant in enumerate(merchants)
    ]
    results = together(4, lambda i: site.call("POST", f"/v1/approvals/{asked[i]}/approve", {}))
    assert sorted(response.status_code for response in results) == [200, 422, 422, 422]
    states = [site.get(f"/v1/approvals/{one}")["state"] for one in asked]
    assert sorted(states) == ["approved", "requested", "requested", "requested"]


def test_two_merchants_cannot_withdraw_the_same_money(fresh_site: Site) -> None:
    site = fresh_site
    merchants = [site.merchant().id for _ in range(3)]
    site.book("deposit", merchants[0], 100, "all")
    site.confirm()
    with site.database.session.begin() as session:  # the first one has paid the others 210 micros for points
        numbers = [session.scalars(select(Merchant.number).where(Merchant.id == id)).one() for id in merchants]  # noqa: A001
        PositionRepository(session).shift(dict(zip(numbers, [(-210, 0), (105, 0), (105, 0)], strict=True)))
    ask = {"merchant": merchants[1], "micros": 101, "bank_reference": "too much", "reason": "asked for"}
    problem = site.refused("/v1/withdrawals", ask, "insufficient_funds", caller="treasury")
    assert problem["errors"][0]["pointer"] == "/micros"
    assert "100 micros" in problem["detail"]
    _one_of_four_is_approved(site, [merchants[1 + place % 2] for place in range(4)], 60)


def test_lists_come_in_pages_newest_first(site: Site) -> None:
    made = [site.merchant().id for _ in range(3)]
    first = site.get("/v1/merchants?limit=2")
    assert [merchant["id"] for merchant in first["data"]] == made[:0:-1]
    second = site.get(f"/v1/merchants?limit=2&cursor={first['next_cursor']}")
    assert second["data"][0]["id"] == made[0]
    assert site.call("GET", "/v1/merchants?limit=0").status_code == 422
    assert site.call("GET", "/v1/merchants?cursor=%00").status_code == 422
