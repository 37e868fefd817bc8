"""Nobody alone: what moves money, raises credit or hands out power takes effect only when a second person approves it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clearing.oversight.approvals.service import ApprovalService
from clearing.parties.staff.models import Person
from tests.gateway.site import Party, Site, together
from tests.gateway.staff import Worker, sit, worker

REASON = {"reason": "line 14 of the statement"}
_FIRST_PASSWORD = "quiet-river-stone-42"


def _deposit(merchant: Party, reference: str, micros: int = 5) -> dict[str, Any]:
    return {"merchant": merchant.id, "micros": micros, "bank_reference": reference, **REASON}


def _asked(site: Site, merchant: Party, reference: str, *, caller: str = "treasury") -> str:
    return str(site.post("/v1/deposits", _deposit(merchant, reference), caller=caller)["id"])


def _state(site: Site, approval: str) -> str:
    return str(site.get(f"/v1/approvals/{approval}", caller="auditor")["state"])


def _events(site: Site, subject: str) -> list[str]:
    return [act["type"] for act in site.get(f"/v1/audit_log?subject={subject}", caller="auditor")["data"]][::-1]


def _token(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


# -------------------------------------------------------------------- the reproduction


def test_the_operators_key_alone_gets_no_money_out_and_no_key_of_another(site: Site, fuel: Party) -> None:
    """The audit made a treasury key with it, deposited and withdrew 999,000, and issued points with a merchant's managed key."""
    for role, pointer in (("treasury", "/role"), ("merchant", "/role")):
        body = {"role": role, "scopes": ["issue"] if role == "merchant" else [], **REASON}
        assert site.refused("/v1/api_keys", body, "forbidden", 403)["errors"][0]["pointer"] == pointer
    body = {"role": "merchant", "merchant": fuel.id, "scopes": ["issue"]}
    site.refused("/v1/api_keys", body, "forbidden", 403)
    for path in ("/v1/deposits", "/v1/withdrawals"):
        site.refused(path, _deposit(fuel, "alone", 999_000_000_000), "forbidden", 403)
    # Its own new key is good only when somebody else has approved it, and it is its maker's then.
    asked = site.post("/v1/api_keys", {"role": "operator", **REASON})
    assert site.call("GET", "/v1/network", caller=asked["secret"]).status_code == 401
    site.refused(f"/v1/approvals/{asked['id']}/approve", None, "second_person_required", 403)
    assert "secret_hash" not in asked["change"]
    # An invitation that it makes comes without a link, and whoever has that lacks the code.
    invited = {"email": "me@tongdui.example", "title": "treasury", **REASON}
    for offer in (invited, {**invited, "title": "admin", "merchant": fuel.id}):
        assert site.post("/v1/invitations", offer)["link"] is None


def test_the_treasurys_key_alone_books_nothing(site: Site, fuel: Party) -> None:
    before = fuel.get(f"/v1/positions/{fuel.id}")
    asked = site.post("/v1/deposits", _deposit(fuel, "alone-2", 999_000_000_000), caller="treasury")
    site.refused(f"/v1/approvals/{asked['id']}/approve", None, "second_person_required", 403, caller="treasury")
    site.confirm()
    assert fuel.get(f"/v1/positions/{fuel.id}") == before
    assert fuel.get("/v1/deposits?bank_reference[]=alone-2")["data"] == []


def test_a_person_is_the_same_person_with_each_of_its_keys_sessions_and_seats(site: Site, fuel: Party) -> None:
    one = worker(site, "operator", name="Both")
    with site.database.session.begin() as session:
        sit(site, session, session.get_one(Person, one.id), "treasury", None)
    made = site.agreed("/v1/api_keys", {"role": "operator", "name": "hers", "scopes": ["keys"]}, caller=one.token)
    again = site.agreed("/v1/api_keys", {"role": "operator", "name": "hers, too"}, caller=made["secret"])
    treasury = next(seat["id"] for seat in one.get("/v1/sessions/current")["seats"] if seat["title"] == "treasury")
    asked = site.post(
        f"/v1/merchants/{fuel.id}/credit_limit", {"credit_limit_micros": 7, **REASON}, caller=made["secret"]
    )
    path = f"/v1/approvals/{asked['id']}/approve"
    one.post("/v1/sessions/current/seat", {"seat": treasury})
    for caller in (one.token, made["secret"], again["secret"]):
        assert site.get(f"/v1/approvals/{asked['id']}", caller=caller)["is_yours"]
        site.refused(path, None, "second_person_required", 403, caller=caller)
    assert not site.get(f"/v1/approvals/{asked['id']}")["is_yours"]
    assert site.post(f"/v1/approvals/{asked['id']}/withdraw", None, caller=again["secret"])["state"] == "withdrawn"


# -------------------------------------------------------------------- asking and deciding


def test_the_checker_sees_what_why_and_what_was_before(site: Site) -> None:
    shop = site.merchant()
    site.book("deposit", shop.id, 1_000, "seen-0")
    site.confirm()
    body = {"merchant": shop.id, "micros": 400, "bank_reference": "seen-1", **REASON}
    asked = site.post("/v1/withdrawals", body, caller="treasury")
    seen = site.get(f"/v1/approvals/{asked['id']}")
    assert (seen["kind"], seen["state"], seen["merchant"]) == ("withdrawal", "requested", shop.id)
    assert seen["change"] == {"merchant": shop.id, "micros": 400, "bank_reference": "seen-1"}
    assert (seen["before"], seen["after"]) == ({"position_micros": 1_000}, {"position_micros": 600})
    assert (seen["reason"], seen["maker"]["name"]) == (REASON["reason"], "a key of the treasury")
    assert [one["id"] for one in site.get(f"/v1/approvals?state=requested&merchant={shop.id}")["data"]] == [asked["id"]]
    site.book("deposit", shop.id, 50, "seen-2")
    site.confirm()
    done = site.post(f"/v1/approvals/{asked['id']}/approve", None)
    assert (done["state"], done["is_pending"]) == ("approved", True)
    assert done["before"] == {"position_micros": 1_050}, "as it was when the change took effect"
    site.confirm()
    assert not site.get(f"/v1/approvals/{asked['id']}")["is_pending"]
    assert shop.get(f"/v1/withdrawals/{done['result']}")["state"] == "posted"
    assert _events(site, asked["id"]) == ["approval.requested", "approval.approved"]


def test_the_credit_limit_is_approved_by_the_other_role(site: Site) -> None:
    shop = site.merchant(credit_limit_micros=10)
    done = site.agreed(f"/v1/merchants/{shop.id}/credit_limit", {"credit_limit_micros": 30})
    assert (done["before"], done["after"]) == ({"credit_limit_micros": 10}, {"credit_limit_micros": 30})
    site.confirm()
    assert shop.get(f"/v1/positions/{shop.id}")["credit_limit_micros"] == 30


def test_it_is_declined_with_a_reason_or_withdrawn_by_its_maker(site: Site, fuel: Party) -> None:
    declined, withdrawn = _asked(site, fuel, "no-1"), _asked(site, fuel, "no-2")
    site.refused(f"/v1/approvals/{declined}/decline", {"reason": ""}, "validation_failed")
    site.refused(f"/v1/approvals/{declined}/decline", REASON, "second_person_required", 403, caller="treasury")
    seen = site.post(f"/v1/approvals/{declined}/decline", {"reason": "no such line"})
    assert (seen["state"], seen["decision_reason"], seen["result"]) == ("declined", "no such line", None)
    site.refused(f"/v1/approvals/{withdrawn}/withdraw", None, "not_the_maker", 403)
    assert site.post(f"/v1/approvals/{withdrawn}/withdraw", None, caller="treasury")["state"] == "withdrawn"
    for approval in (declined, withdrawn):
        site.refused(f"/v1/approvals/{approval}/approve", None, "approval_ended", 409)
    _asked(site, fuel, "no-1")  # its reference is free again
    site.confirm()
    assert fuel.get("/v1/deposits?bank_reference[]=no-1&bank_reference[]=no-2")["data"] == []


def test_unapproved_it_expires(site: Site, fuel: Party) -> None:
    late, noted = _asked(site, fuel, "late-1"), _asked(site, fuel, "late-2")
    site.clock.move(timedelta(seconds=site.settings.approval_lifetime))
    try:
        assert _state(site, late) == "expired", "whether or not anybody has noted it"
        assert late in [one["id"] for one in site.get("/v1/approvals?state=expired")["data"]]
        assert late not in [one["id"] for one in site.get("/v1/approvals?state=requested")["data"]]
        site.refused(f"/v1/approvals/{late}/approve", None, "approval_ended", 409)
        again = _asked(site, fuel, "late-1")
        gateway = site.app.state.gateway
        with site.database.session.begin() as session:
            service = ApprovalService(session, keyring=gateway.keyrings.mailed_links, settings=site.settings)
            assert service.any_overdue()
            assert service.expire(100) >= 1
            assert not service.any_overdue()
        for ended in (late, noted):
            assert _events(site, ended)[0] == "approval.requested"
            assert site.get(f"/v1/approvals/{ended}")["decided_by"]["id"] == "worker"
        assert _state(site, again) == "requested"
    finally:
        site.clock.move(-timedelta(seconds=site.settings.approval_lifetime))


def test_the_rules_are_checked_again_when_it_takes_effect(site: Site) -> None:
    shop = site.merchant()
    site.book("deposit", shop.id, 100, "rules-0")
    site.confirm()
    asked = [
        site.post("/v1/withdrawals", {**_deposit(shop, f"rules-{i}", 60)}, caller="treasury")["id"] for i in (1, 2)
    ]
    site.post(f"/v1/approvals/{asked[0]}/approve", None)
    site.refused(f"/v1/approvals/{asked[1]}/approve", None, "insufficient_position")
    assert _state(site, asked[1]) == "requested", "the checker may decline it, or wait for money"


def test_of_many_who_decide_at_once_one_does(site: Site, fuel: Party) -> None:
    other = worker(site, "operator")
    approval = _asked(site, fuel, "race-1")
    callers = ["operator", other.token, "operator", other.token]
    results = together(4, lambda i: site.call("POST", f"/v1/approvals/{approval}/approve", caller=callers[i]))
    assert [response.status_code for response in results] == [200] * 4, "approving it twice does no harm"
    assert len({response.json()["result"] for response in results}) == 1
    assert len(fuel.get("/v1/deposits?bank_reference[]=race-1")["data"]) == 1
    for number in range(3):
        approval = _asked(site, fuel, f"race-2-{number}")
        ways = [("approve", None, "operator"), ("withdraw", None, "treasury"), ("decline", REASON, other.token)]
        results = together(
            3,
            lambda i, ways=ways, approval=approval: site.call(  # type: ignore[misc]
                "POST", f"/v1/approvals/{approval}/{ways[i][0]}", ways[i][1], caller=ways[i][2]
            ),
        )
        assert sorted(response.status_code for response in results) == [200, 409, 409]
        booked = fuel.get(f"/v1/deposits?bank_reference[]=race-2-{number}")["data"]
        assert len(booked) == (results[0].status_code == 200)
        assert len(_events(site, approval)) == 2


def test_what_somebody_asked_for_who_is_gone_is_not_approved(site: Site, fuel: Party) -> None:
    one = worker(site, "treasury")
    key = site.agreed("/v1/api_keys", {"role": "treasury"}, caller=one.token)
    by_key, by_person = (
        _asked(site, fuel, "gone-1", caller=key["secret"]),
        _asked(site, fuel, "gone-2", caller=one.token),
    )
    assert site.call("DELETE", f"/v1/api_keys/{key['result']}", caller="treasury").status_code == 200
    site.post(f"/v1/staff/{one.id}/disable", {})
    for approval in (by_key, by_person):
        site.refused(f"/v1/approvals/{approval}/approve", None, "maker_gone", 409)
    enable = f"/v1/staff/{one.id}/enable"
    assert site.refused(enable, {}, "validation_failed")["errors"][0]["pointer"] == "/reason"
    site.agreed(enable, {})
    site.post(f"/v1/approvals/{by_person}/approve", None)


def test_secrets_are_shown_once_to_one_of_the_two(site: Site) -> None:
    shop = site.merchant("Once")
    offer = {"email": "once@shop.example", "title": "admin", "merchant": shop.id, **REASON}
    first, again = (site.post("/v1/invitations", offer, key="asked-once") for _ in range(2))
    assert first["code"]
    assert first["link"] is None
    assert again == {**first, "code": None}
    path = f"/v1/approvals/{first['id']}/approve"
    approved, again = (site.post(path, None, caller="treasury", key="approved-once") for _ in range(2))
    assert approved["code"] is None
    assert again == {**approved, "link": None}
    secrets = (first["code"], _token(approved["link"]).rpartition("_")[2])
    with site.database.engine.connect() as connection:
        for table in ("approvals", "staff_invitations", "idempotency_records", "events"):
            stored = repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert not any(secret in stored for secret in secrets), table


# -------------------------------------------------------------------- a merchant's first access


@pytest.fixture
def invited(site: Site) -> tuple[Party, dict[str, Any]]:
    """A merchant, and its invitation."""
    shop = site.merchant()
    offer = {"email": f"boss@{shop.number}.example", "title": "admin", "merchant": shop.id}
    return shop, site.agreed("/v1/invitations", offer)


def test_a_program_redeems_an_invitation_for_the_first_key(site: Site, invited: tuple[Party, dict[str, Any]]) -> None:
    shop, made = invited
    body = {"token": _token(made["link"]), "code": made["code"], "name": "till", "scopes": ["issue", "read"]}
    assert site.post("/v1/invitations/lookup", {"token": body["token"]})["needs_code"]
    for code in (None, "wrong"):
        site.refused("/v1/invitations/redeem", {**body, "code": code}, "invitation_code_wrong")
    key = site.post("/v1/invitations/redeem", body, caller="nobody")
    assert (key["merchant"], key["scopes"], key["name"]) == (shop.id, ["issue", "read"], "till")
    assert site.get("/v1/positions", caller=key["secret"])["data"][0]["merchant"] == shop.id
    site.refused("/v1/invitations/redeem", body, "invitation_used", 409)
    acts = site.get(f"/v1/audit_log?subject={made['result']}", caller="auditor")["data"]
    assert [act["type"] for act in acts] == ["staff.invitation_redeemed", "staff.invited"]
    assert acts[0]["data"]["api_key"] == key["id"]
    assert (acts[0]["merchant"], acts[0]["actor"]["id"]) == (shop.id, made["result"])
    assert "staff.invitation_redeemed" in [event["type"] for event in shop.get("/v1/events")["data"]], (
        "the merchant sees it"
    )


def test_an_invitation_is_redeemed_once_however_many_try_at_once(
    site: Site, invited: tuple[Party, dict[str, Any]]
) -> None:
    shop, made = invited
    body = {"token": _token(made["link"]), "code": made["code"]}
    person = {**body, "name": "Boss", "password": _FIRST_PASSWORD}
    ways = [("redeem", body), ("redeem", body), ("accept", person)]
    results = together(3, lambda i: site.call("POST", f"/v1/invitations/{ways[i][0]}", ways[i][1]))
    assert sorted(response.status_code for response in results) == [201, 409, 409]
    keys = [one for one in site.get("/v1/api_keys?limit=200")["data"] if one["merchant"] == shop.id]
    people = site.get(f"/v1/staff?merchant={shop.id}")["data"]
    assert (len(keys), len(people)) in ((2, 0), (1, 1)), "the key of the fixture, and one access"


def test_an_invitation_that_was_taken_back_or_is_for_a_person_is_not_redeemed(
    site: Site, fuel: Party, invited: tuple[Party, dict[str, Any]]
) -> None:
    shop, made = invited
    body = {"token": _token(made["link"]), "code": made["code"]}
    site.clock.move(timedelta(days=7))
    try:
        site.refused("/v1/invitations/redeem", body, "invitation_ended", 409)
    finally:
        site.clock.move(-timedelta(days=7))
    assert site.call("DELETE", f"/v1/invitations/{made['result']}").status_code == 200
    site.refused("/v1/invitations/redeem", body, "invitation_ended", 409)
    link = worker(site, "admin", shop).post("/v1/invitations", {"email": "a@shop.example", "title": "viewer"})["link"]
    site.refused("/v1/invitations/redeem", {"token": _token(link)}, "invitation_for_person", 409)
    link = site.post("/v1/invitations", {"email": "audit@x.example", "title": "auditor"})["link"]
    site.refused("/v1/invitations/redeem", {"token": _token(link)}, "invitation_for_person", 409)


def test_whoever_came_as_admin_makes_the_first_key(site: Site, invited: tuple[Party, dict[str, Any]]) -> None:
    shop, made = invited
    body = {"token": _token(made["link"]), "code": made["code"], "name": "Boss", "password": _FIRST_PASSWORD}
    boss = Worker(site, "", "", site.post("/v1/invitations/accept", body)["token"])
    assert boss.post("/v1/api_keys", {"scopes": ["issue"]})["merchant"] == shop.id
    offer = {"email": "rival@shop.example", "title": "admin", "merchant": shop.id, **REASON}
    site.refused("/v1/invitations", offer, "merchant_has_admin", 409)
