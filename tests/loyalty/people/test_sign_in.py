"""Signing in: a password and a one-time code, sessions that end, and attempts that are counted."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from loyalty.attempts.models import Attempt
from loyalty.audit_log.models import AuditEntry
from loyalty.jobs import work
from loyalty.kit.errors import Malformed
from loyalty.people.models import Person, StaffSession
from loyalty.people.passwords import require_good
from loyalty.people.sealing import Seal
from loyalty.people.sign_in import FAILURES_OF_A_LOGIN, FAILURES_OF_AN_ADDRESS
from loyalty.staff.models import Role
from tests.loyalty.people.team import PASSWORD, SECRET, Team, team_on, text_of

WRONG = "Login, password or code is wrong"
OFTEN = "failed too often"


def test_a_person_signs_in_and_out(team: Team) -> None:
    browser = team.browser()
    assert browser.get("/staff/home").headers["location"] == "/staff/sign-in?next=%2Fstaff%2Fhome"
    answer = browser.sign_in(team.members[Role.CASHIER], next="/staff/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/account")
    assert "陈小燕" in browser.get("/staff/home").text
    assert browser.get("/staff/sign-in").headers["location"] == "/staff/"
    assert browser.get("/staff").headers["location"] == "/staff/"
    assert browser.post("/staff/sign-out").status_code == 303
    assert browser.get("/staff/home").status_code == 303


def test_the_cookie_of_a_session_is_for_the_server_only(team: Team) -> None:
    answer = team.browser().sign_in(team.members[Role.CASHIER])
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("loyalty_session="))
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Secure" not in cookie


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_over_https_cookies_are_for_https_only(programme, shifted) -> None:  # type: ignore[no-untyped-def]
    team = team_on(programme, shifted, url="https://staff.example")
    answer = team.browser(base_url="https://staff.example").get("/staff/sign-in")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-loyalty_visit=")
    assert "Secure" in cookie
    assert "max-age" in answer.headers["strict-transport-security"]


def test_what_is_wrong_is_not_told_apart(team: Team) -> None:
    browser, member = team.browser(), team.members[Role.CASHIER]
    for wrong in ({"password": "Wrong-Horse-77"}, {"login": "nobody"}, {"code": "000000"}, {"code": "A" * 15}):
        answer = browser.sign_in(member, **wrong)
        assert (answer.status_code, WRONG in answer.text) == (422, True), wrong
        assert PASSWORD not in answer.text
    assert browser.sign_in(member).status_code == 303


def test_a_code_is_good_once(team: Team) -> None:
    member = team.members[Role.CASHIER]
    code = member.code()
    assert team.browser().sign_in(member, code=code).status_code == 303
    assert team.browser().sign_in(member, code=code).status_code == 422
    recovery = member.recovery_codes[0]
    assert team.browser().sign_in(member, code=recovery.lower().replace("-", " ")).status_code == 303
    assert team.browser().sign_in(member, code=recovery).status_code == 422


def test_whoever_fails_too_often_waits(team: Team) -> None:
    member = team.members[Role.CASHIER]
    browser = team.browser()
    for _ in range(FAILURES_OF_A_LOGIN):
        assert WRONG in browser.sign_in(member, password="Wrong-Horse-77").text
    answer = browser.sign_in(member)
    assert (answer.status_code, OFTEN in answer.text) == (422, True)
    assert team.browser().sign_in(team.members[Role.MANAGER]).status_code == 303
    team.clock.ahead += timedelta(minutes=16)
    assert browser.sign_in(member).status_code == 303


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_an_address_that_tries_many_logins_waits_too(team: Team) -> None:
    browser, member = team.browser(), team.members[Role.CASHIER]
    for number in range(FAILURES_OF_AN_ADDRESS):
        browser.sign_in(member, login=f"login-{number}", code="000000")
    assert OFTEN in browser.sign_in(member).text


def test_a_session_ends_when_nobody_uses_it_and_at_its_end(team: Team) -> None:
    browser = team.signed_in(Role.CASHIER)
    for _ in range(24):
        team.clock.ahead += timedelta(minutes=29)
        assert browser.get("/staff/home").status_code == 200
    team.clock.ahead += timedelta(minutes=29)  # twelve hours are over
    assert browser.get("/staff/home").status_code == 303
    idle = team.signed_in(Role.CASHIER)
    team.clock.ahead += timedelta(minutes=31)
    assert idle.get("/staff/home").status_code == 303


def test_a_person_ends_another_session_of_the_own_and_no_other(team: Team) -> None:
    here, there = team.signed_in(Role.CASHIER), team.signed_in(Role.CASHIER)
    page = here.get("/staff/account").text
    (other,) = re.findall(r"/staff/account/sessions/(ses_\w+)/end", page)
    assert team.signed_in(Role.MANAGER).post(f"/staff/account/sessions/{other}/end").status_code == 404
    assert there.get("/staff/home").status_code == 200
    assert here.post(f"/staff/account/sessions/{other}/end").status_code == 303
    assert there.get("/staff/home").status_code == 303
    assert here.get("/staff/home").status_code == 200


def test_another_password_ends_the_other_sessions(team: Team) -> None:
    here, there = team.signed_in(Role.CASHIER), team.signed_in(Role.CASHIER)
    new = {"password": PASSWORD, "new_password": "Another-Horse-8", "again": "Another-Horse-8"}
    assert here.post("/staff/account/password", new | {"password": "x"}).status_code == 422
    assert here.post("/staff/account/password", new | {"again": "x"}).status_code == 422
    weak = here.post("/staff/account/password", new | {"new_password": "aaaaaaaaaaaa", "again": "aaaaaaaaaaaa"})
    assert (weak.status_code, "less simple password" in weak.text) == (422, True)
    assert here.post("/staff/account/password", new).status_code == 303
    assert here.get("/staff/home").status_code == 200
    assert there.get("/staff/home").status_code == 303
    assert team.browser().sign_in(team.members[Role.CASHIER]).status_code == 422
    assert team.browser().sign_in(team.members[Role.CASHIER], password="Another-Horse-8").status_code == 303


def test_new_recovery_codes_take_the_place_of_the_old_ones(team: Team) -> None:
    member = team.members[Role.CASHIER]
    browser = team.signed_in(Role.CASHIER)
    assert browser.post("/staff/account/recovery-codes", {"code": "000000"}).status_code == 422
    shown = browser.post("/staff/account/recovery-codes", {"code": member.code()})
    codes = re.findall(r"<code>([0-9A-Z-]+)</code>", shown.text)
    assert len(codes) == 10
    assert team.browser().sign_in(member, code=member.recovery_codes[0]).status_code == 422
    assert team.browser().sign_in(member, code=codes[0]).status_code == 303


def test_a_form_of_another_session_is_refused(team: Team) -> None:
    browser = team.signed_in(Role.MANAGER)
    for token in ("", "x", "ä"):
        answer = browser.post("/staff/sign-out", token=token)
        assert (answer.status_code, "Please send that again" in answer.text) == (403, True)
    other = browser.http.post("/staff/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert other.status_code == 403
    assert browser.get("/staff/home").status_code == 200


def test_pages_bind_the_browser(team: Team) -> None:
    headers = team.browser().get("/staff/sign-in").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "content-security-policy" not in team.browser().get("/healthz").headers


def test_next_leads_nowhere_else(team: Team) -> None:
    for there in ("https://evil.example/staff/", "//evil.example", "/staff/\\evil", "/v1/keys"):
        answer = team.browser().sign_in(team.members[Role.CASHIER], next=there)
        assert answer.headers["location"] == "/staff/"


def test_the_database_alone_gives_nobody_in(team: Team) -> None:
    with team.database.reading() as session:
        rows = [*session.scalars(select(Person)), *session.scalars(select(StaffSession))]
        entries = [*session.scalars(select(AuditEntry))]
        kept = json.dumps([{name: str(value) for name, value in vars(row).items()} for row in (*rows, *entries)])
    member = team.members[Role.CASHIER]
    assert PASSWORD not in kept
    assert member.app.secret not in kept
    with pytest.raises(ValueError, match="LOYALTY_STAFF_SECRET"):
        Seal("another secret of tests").open("totp x", Seal(SECRET).close("totp x", b"1"))
    with pytest.raises(ValueError, match="not sealed here"):
        Seal(SECRET).open("totp y", Seal(SECRET).close("totp x", b"1"))


@pytest.mark.parametrize("password", ["short", "aaaabbbbccccdddd", "my-cashier-2026", "x" * 257])
def test_a_password_that_somebody_would_guess_is_refused(password: str) -> None:
    with pytest.raises(Malformed) as refused:
        require_good(password, "cashier")
    assert refused.value.code == "weak_password"


def test_old_sessions_and_attempts_are_forgotten(team: Team) -> None:
    team.signed_in(Role.CASHIER)
    team.browser().sign_in(team.members[Role.MANAGER], password="Wrong-Horse-77")
    settings = team.settings.model_copy(update={"database_url": team.database.url, "session_lifetime": -(10**6)})
    work.clean_up(settings)
    with team.database.reading() as session:
        assert session.scalars(select(StaffSession)).all() == []
        assert len(session.scalars(select(Attempt)).all()) == 2  # these are of now


def test_signing_in_stands_in_the_audit_log(team: Team) -> None:
    member = team.members[Role.CASHIER]
    team.browser().sign_in(member, password="Wrong-Horse-77")
    team.signed_in(Role.CASHIER)
    with team.database.reading() as session:
        query = select(AuditEntry.action).where(AuditEntry.actor == member.id).order_by(AuditEntry.id)
        assert session.scalars(query).all() == ["person.joined", "person.sign_in_failed", "person.signed_in"]


def test_pages_speak_the_readers_language(team: Team) -> None:
    assert "登录名" in text_of(team.browser("zh-CN").get("/staff/sign-in"))
    browser = team.browser("en")
    assert "Login" in text_of(browser.get("/staff/sign-in"))
    answer = browser.post("/staff/preferences", {"language": "zh", "here": "/staff/sign-in"})
    assert answer.headers["location"] == "/staff/sign-in"
    assert "登录名" in text_of(browser.get("/staff/sign-in"))
