"""Member codes over HTTP: the member's app asks for one, shows it, and sees what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete

from clearing.ordering.orders.repository import OrderRepository
from clearing.parties.codes.models import PresenterTries
from tests.gateway.site import LOG, Party, Site, agree, together
from tests.support.qr_codes import scanned


@pytest.fixture
def codes(member: str) -> str:
    """The path of the member's codes."""
    return f"/v1/members/{member}/codes"


def test_the_members_own_merchant_gets_a_code_to_show(site: Site, fuel: Party, cine: Party, codes: str) -> None:
    code = fuel.post(codes, {"points": 1_000, "program": "FUEL", "merchant": cine.id})
    assert code == {
        **code,
        "state": "live",
        "points": 1_000,
        "program": "FUEL",
        "merchant": cine.id,
        "used_by": None,
        "used_points": None,
        "used_for": None,
        "used_at": None,
    }
    life = datetime.fromisoformat(code["expires_at"]) - site.clock.now()
    assert timedelta(seconds=290) < life <= timedelta(seconds=300)
    assert code["qr"] == "tongdui:code:" + code["code"].replace("-", "")


def test_a_scanner_reads_the_code_off_the_image(fuel: Party, codes: str) -> None:
    for _ in range(5):
        code = fuel.post(codes, {"points": 1})
        assert scanned(code["qr_svg"]) == code["qr"]


def test_a_code_is_shown_once_and_stored_nowhere(site: Site, fuel: Party, codes: str) -> None:
    first = fuel.post(codes, {"points": 5}, key="member-code-once")
    replay = fuel.post(codes, {"points": 5}, key="member-code-once")
    hidden = {"code": None, "qr": None, "qr_svg": None}
    assert replay == {**first, **hidden}
    assert fuel.get(f"{codes}/{first['id']}") == {**first, **hidden}
    with site.database.engine.connect() as connection:
        for table in ("member_codes", "idempotency_records", "events"):
            rows = repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert first["code"] not in rows, table
            assert first["qr"] not in rows, table
    assert first["code"] not in LOG.getvalue()


def test_a_code_ends_by_itself(site: Site, fuel: Party, codes: str) -> None:
    code = fuel.post(codes, {"points": 5, "expires_in": 60})
    with site.clock.stopped(site.clock.now() + timedelta(seconds=61)):
        assert fuel.get(f"{codes}/{code['id']}")["state"] == "expired"


def test_a_code_is_taken_back(site: Site, fuel: Party, codes: str) -> None:
    code = fuel.post(codes, {"points": 5})
    for _ in range(2):
        ended = site.call("DELETE", f"{codes}/{code['id']}", caller=fuel.id)
        assert (ended.status_code, ended.json()["state"]) == (200, "void")


def test_only_the_merchant_that_made_a_code_sees_it(site: Site, fuel: Party, cine: Party, codes: str) -> None:
    code = fuel.post(codes, {"points": 5})
    link = fuel.post(codes.removesuffix("codes") + "link_codes", {})["code"]
    cine.post("/v1/members", {"external_id": code["id"], "link_code": link})
    path = f"{codes}/{code['id']}"
    for method in ("GET", "DELETE"):
        assert site.call(method, path, caller=cine.id).status_code == 404
    assert site.get(path, caller="auditor")["state"] == "live"
    assert site.call("GET", f"/v1/members/{fuel.member()}/codes/{code['id']}", caller=fuel.id).status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"points": 0}, "/points"),
        ({"points": "5"}, "/points"),
        ({"expires_in": 59}, "/expires_in"),
        ({"expires_in": 601}, "/expires_in"),
        ({"merchant": "Sparkle Wash"}, "/merchant"),
        ({"ceiling": 5}, "/ceiling"),
    ],
)
def test_a_wrong_field_is_named(fuel: Party, codes: str, change: dict[str, object], pointer: str) -> None:
    problem = fuel.refused(codes, {"points": 5, **change}, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_what_a_code_may_not_be_for_is_named(site: Site, fuel: Party, cine: Party, codes: str) -> None:
    acceptor = site.merchant("No points of its own")
    theirs = f"/v1/members/{acceptor.member()}/codes"
    unknown = "mer_" + "0" * 25 + "x"
    for party, path, body, code, status, pointer in (
        (fuel, codes, {"program": cine.program}, "not_program_merchant", 403, "/program"),
        (fuel, codes, {"program": "NOSUCH"}, "unknown_program", 404, "/program"),
        (fuel, codes, {"merchant": unknown}, "unknown_merchant", 404, "/merchant"),
        (acceptor, theirs, {}, "no_program", 422, "/program"),
    ):
        problem = party.refused(path, {"points": 5, **body}, code, status)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
    fuel.refused("/v1/members/external:nobody/codes", {"points": 5}, "not_found", 404)


# -------------------------------------------------------------------- at the till

LOOKUP = "/v1/member_codes/lookup"


def shown(code: str, points: int = 5, program: str = "FUEL") -> dict[str, object]:
    return {"member_code": code, "program": program, "points": points}


def test_the_till_learns_whose_code_it_is_and_uses_nothing_up(
    fuel: Party, cine: Party, member: str, codes: str
) -> None:
    code = fuel.post(codes, {"points": 5})
    for text in (code["code"], code["qr"], code["code"].lower().replace("-", " ")):
        found = cine.post(LOOKUP, shown(text))
        assert found == {**fuel.get(f"/v1/members/{member}"), "external_id": None, "external_ids": []}
    assert fuel.get(f"{codes}/{code['id']}")["state"] == "live"
    problem = cine.refused(LOOKUP, shown(code["code"], 6), "over_member_code")
    assert problem["errors"][0]["pointer"] == "/points"
    cine.refused(LOOKUP, shown(code["code"], 5, "CINE"), "member_code_other_program")
    cine.refused(LOOKUP, shown(code["code"], 5, "NOSUCH"), "unknown_program", 404)


def test_wrong_codes_are_counted_although_the_request_is_undone(site: Site, fuel: Party, codes: str) -> None:
    till = site.merchant("Guesser")
    for _ in range(4):
        till.refused(LOOKUP, shown("00000-00000"), "member_code_invalid", key="one-wrong-code")
        problem = till.refused(LOOKUP, shown("00000-00000"), "member_code_invalid")
    assert problem["errors"][0]["pointer"] == "/member_code"
    right = shown(fuel.post(codes, {"points": 5})["code"])
    blocked = site.call("POST", LOOKUP, right, caller=till.id, key="patient")
    assert (blocked.status_code, blocked.json()["code"]) == (429, "too_many_tries")
    assert 0 < int(blocked.headers["Retry-After"]) <= 600
    site.clock.move(timedelta(minutes=10))
    right = shown(fuel.post(codes, {"points": 5})["code"])
    assert till.post(LOOKUP, right, key="patient-2")


def test_a_blocked_request_may_be_sent_again_with_its_key(site: Site, fuel: Party, codes: str) -> None:
    till = site.merchant("Hurried")
    for _ in range(5):
        till.refused(LOOKUP, shown("00000-00000"), "member_code_invalid")
    code = shown(fuel.post(codes, {"points": 5, "expires_in": 600})["code"])
    site.clock.move(timedelta(minutes=5))
    till.refused(LOOKUP, code, "too_many_tries", 429, key="again")
    with site.database.session.begin() as session:
        session.execute(delete(PresenterTries))
    assert till.post(LOOKUP, code, key="again")


def test_a_code_dies_of_five_tries_for_too_much(fuel: Party, cine: Party, codes: str) -> None:
    code = fuel.post(codes, {"points": 5})
    for _ in range(5):
        cine.refused(LOOKUP, shown(code["code"], 6), "over_member_code")
    assert fuel.get(f"{codes}/{code['id']}")["state"] == "void"


# -------------------------------------------------------------------- what it becomes


@pytest.fixture(scope="module")
def washes(site: Site, fuel: Party) -> list[Party]:
    """Two merchants that take FUEL for goods."""
    parties = [site.merchant("Sparkle Wash"), site.merchant("Bubble Wash")]
    for party in parties:
        agree(fuel, party, kind="acceptance")
    return parties


def test_the_app_sees_what_became_of_the_code(
    site: Site, fuel: Party, washes: list[Party], member: str, codes: str
) -> None:
    code = fuel.post(codes, {"points": 60})
    body = {"program": "FUEL", "member_code": code["qr"], "points": 50, "reference": "wash-17"}
    spend = washes[0].post("/v1/spends", body, key="wash-17")
    assert washes[0].post("/v1/spends", body, key="wash-17")["id"] == spend["id"]
    used = fuel.get(f"{codes}/{code['id']}")
    assert (used["state"], used["used_for"], used["used_points"]) == ("used", spend["id"], 50)
    assert used["used_by"] == washes[0].id
    told = fuel.get(f"/v1/events?type=member.code_used&subject={member}")["data"]
    assert [event["data"] for event in told] == [
        {
            "code": code["id"],
            "member": member,
            "points": 50,
            "program": "FUEL",
            "used_for": spend["id"],
            "merchant": washes[0].id,
            "merchant_name": "Sparkle Wash",
        }
    ]
    assert site.call("DELETE", f"{codes}/{code['id']}", caller=fuel.id).json()["code"] == "member_code_used"


def test_a_hold_uses_the_code_up(fuel: Party, washes: list[Party], codes: str) -> None:
    code = fuel.post(codes, {"points": 60})
    hold = washes[0].post("/v1/holds", {"program": "FUEL", "member_code": code["code"], "points": 60})
    assert fuel.get(f"{codes}/{code['id']}")["used_for"] == hold["id"]


def test_two_tills_with_one_code_at_the_same_moment_get_it_once(
    site: Site, fuel: Party, washes: list[Party], member: str, codes: str
) -> None:
    for _ in range(4):
        code = fuel.post(codes, {"points": 5})
        body = {"program": "FUEL", "member_code": code["code"], "points": 5}
        answers = together(2, lambda till: site.call("POST", "/v1/spends", body, caller=washes[till].id))  # noqa: B023
        assert sorted(answer.status_code for answer in answers) == [202, 422]
        (lost,) = [answer.json() for answer in answers if answer.status_code == 422]
        assert (lost["code"], "used already" in lost["detail"]) == ("member_code_invalid", True)
        (won,) = [answer.json() for answer in answers if answer.status_code == 202]
        assert fuel.get(f"{codes}/{code['id']}")["used_for"] == won["id"]
        site.clock.move(timedelta(minutes=10))


def test_a_code_is_not_used_up_by_a_till_whose_member_has_too_few_points(
    fuel: Party, washes: list[Party], codes: str
) -> None:
    code = fuel.post(codes, {"points": 1_000})
    body = {"program": "FUEL", "member_code": code["code"], "points": 101}
    washes[0].refused("/v1/spends", body, "insufficient_points")
    assert fuel.get(f"{codes}/{code['id']}")["state"] == "live"
    assert washes[1].post("/v1/spends", {**body, "points": 100})["points"] == 100


def test_a_gateway_that_dies_in_the_middle_leaves_the_code_to_the_retry(
    site: Site, fuel: Party, washes: list[Party], codes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = fuel.post(codes, {"points": 5})
    body = {"program": "FUEL", "member_code": code["code"], "points": 5}
    with monkeypatch.context() as patched:
        patched.setattr(OrderRepository, "add_instructions", lambda *_: 1 // 0)
        assert site.call("POST", "/v1/spends", body, caller=washes[0].id, key="dies").status_code == 500
    assert fuel.get(f"{codes}/{code['id']}")["state"] == "live"
    spend = washes[0].post("/v1/spends", body, key="dies")
    assert washes[0].post("/v1/spends", body, key="dies")["id"] == spend["id"]
    assert fuel.get(f"{codes}/{code['id']}")["used_for"] == spend["id"]


def test_trying_a_code_out_is_a_try_and_uses_nothing_up(site: Site, fuel: Party, codes: str) -> None:
    till = site.merchant("Rehearser")
    agree(fuel, till, kind="acceptance")
    code = fuel.post(codes, {"points": 5})
    body = {"program": "FUEL", "member_code": code["code"], "points": 5}
    assert till.post("/v1/spends?dry_run=true", body)
    assert fuel.get(f"{codes}/{code['id']}")["state"] == "live"
    for _ in range(5):
        till.refused("/v1/spends?dry_run=true", {**body, "member_code": "00000-00000"}, "member_code_invalid")
    till.refused("/v1/spends?dry_run=true", body, "too_many_tries", 429)
