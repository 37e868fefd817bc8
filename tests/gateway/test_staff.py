"""An admin's people: invitations, titles, seats, and who may not come in any more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest

from clearing.parties.staff.models import Person
from clearing.parties.staff.people import PeopleService
from tests.gateway.site import LOG, Party, Site
from tests.gateway.staff import PASSWORD, Worker, sit, worker
from tongdui import Client, ConflictError, OutcomeUnknownError

NEW_PASSWORD = "four-random-words-help"


@pytest.fixture(scope="module")
def admin(site: Site, fuel: Party) -> Worker:
    return worker(site, "admin", fuel, name="Chen Admin")


def _token(invitation: Any) -> str:
    link = urlsplit(invitation["link"])
    assert (link.netloc, link.path) == ("127.0.0.1:8088", "/invitation")
    return parse_qs(link.query)["token"][0]


def _invited(admin: Worker, email: str, title: str = "cashier", **fields: Any) -> str:
    """The token of an invitation."""
    return _token(admin.post("/v1/invitations", {"email": email, "title": title, **fields}))


def _types(site: Site, subject: str) -> list[str]:
    return [event["type"] for event in site.get(f"/v1/events?subject={subject}")["data"]]


# -------------------------------------------------------------------- invitations


def test_somebody_new_accepts_an_invitation_and_works(site: Site, fuel: Party, admin: Worker) -> None:
    token = _invited(admin, "New.Cashier@Partner.example", name="Li", language="en")
    offer = site.post("/v1/invitations/lookup", {"token": token})
    assert (offer["title"], offer["merchant_name"], offer["is_known"], offer["name"]) == ("cashier", "Gas", False, "Li")
    for wrong, code in (
        ("short", "weak_password"),
        ("aaaaaaaaaaaaaa", "weak_password"),
        ("new.cashier-1", "weak_password"),
    ):
        body = {"token": token, "name": "Li Na", "password": wrong}
        refused = site.refused("/v1/invitations/accept", body, code)
        assert refused["errors"][0]["pointer"] == "/password"
    body = {"token": token, "password": NEW_PASSWORD}
    assert site.refused("/v1/invitations/accept", body, "validation_failed")["errors"][0]["pointer"] == "/name"
    session = site.post("/v1/invitations/accept", {**body, "name": "Li Na"})
    assert (session["person"]["name"], session["person"]["language"]) == ("Li Na", "en")
    assert session["seat"]["title"] == "cashier"
    assert site.post("/v1/members", {"external_id": "by-li"}, caller=session["token"])
    site.refused("/v1/invitations/accept", {**body, "name": "Li Na"}, "invitation_used", 409)
    one = Worker(site, "new.cashier@partner.example", session["person"]["id"], password=NEW_PASSWORD)
    one.sign_in()
    staff = admin.get("/v1/staff")["data"]
    assert (staff[0]["person"]["name"], staff[0]["seat"]["title"]) == ("Li Na", "cashier")
    (seated,) = admin.get(f"/v1/events?subject={one.id}&type=staff.seated")["data"]
    assert seated["data"]["title"] == "cashier"


def test_of_many_who_accept_at_once_one_gets_the_seat(site: Site, admin: Worker) -> None:
    token = _invited(admin, "at-once@partner.example")
    body = {"token": token, "name": "One Of Four", "password": NEW_PASSWORD}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: site.call("POST", "/v1/invitations/accept", body).status_code, range(4)))
    # Whoever comes when the person is known signs in with its own password, and then finds the invitation used.
    assert sorted(answers) == [201, 409, 409, 409]
    seats = [one for one in admin.get("/v1/staff")["data"] if one["person"]["email"] == "at-once@partner.example"]
    assert len(seats) == 1


def test_of_many_acceptances_of_somebody_known_one_counts(site: Site, cine: Party, admin: Worker) -> None:
    one = worker(site, "manager", cine)
    body = {"token": _invited(admin, one.email, "viewer"), "password": PASSWORD}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: site.call("POST", "/v1/invitations/accept", body).status_code, range(4)))
    assert sorted(answers) == [201, 409, 409, 409]
    assert len([row for row in admin.get("/v1/staff")["data"] if row["person"]["id"] == one.id]) == 1
    assert _types(site, one.id).count("staff.seated") == 2


def test_whoever_has_lost_its_app_accepts_with_a_recovery_code(site: Site, cine: Party, admin: Worker) -> None:
    one = worker(site, "manager", cine)
    secret = one.post("/v1/profile/totp", {"password": PASSWORD})["secret"]
    code = pyotp.TOTP(secret).at(int(site.clock.now().timestamp()))
    recovery = one.post("/v1/profile/totp/confirm", {"one_time_code": code})["recovery_codes"]
    body = {"token": _invited(admin, one.email, "viewer"), "password": PASSWORD}
    assert site.call("POST", "/v1/invitations/accept", body).json()["code"] == "second_factor_required"
    with Client(str(site.http.base_url)) as stranger:
        accepted = stranger.invitations.accept(body["token"], password=PASSWORD, recovery_code=recovery[0])
    assert accepted.seat.title == "viewer"


def test_accepting_and_inviting_lock_in_one_order(site: Site) -> None:
    """In two orders they could wait for each other, and PostgreSQL would end one of them."""
    shop = site.merchant("First Shop")
    made = site.agreed("/v1/invitations", {"email": "first@partner.example", "title": "admin", "merchant": shop.id})
    with site.statements() as seen:
        body = {"token": _token(made), "code": made["code"], "name": "First", "password": NEW_PASSWORD}
        site.post("/v1/invitations/accept", body)
    asked = [statement for statement, _ in seen]
    counted = next(place for place, text in enumerate(asked) if "count(*)" in text and "staff_seats" in text)
    used = next(place for place, text in enumerate(asked) if text.startswith("UPDATE staff_invitations"))
    locked = [place for place, text in enumerate(asked) if "staff_invitations" in text and "FOR UPDATE" in text]
    assert counted < min([*locked, used])


class _LosesAnswers(httpx.HTTPTransport):
    """A connection that breaks when the gateway has done what it was asked."""

    sent = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.read()
        self.sent += 1
        raise httpx.ReadError("reset", request=request)


def test_an_acceptance_whose_answer_is_lost_happens_once_and_says_what_to_do(site: Site, admin: Worker) -> None:
    url, token = str(site.http.base_url), _invited(admin, "lost-answer@partner.example")
    transport = _LosesAnswers()
    with Client(url, transport=transport) as losing, pytest.raises(OutcomeUnknownError) as caught:
        losing.invitations.accept(token, password=NEW_PASSWORD, name="Li Na")
    assert transport.sent == 1
    assert "sign in with the password" in caught.value.advice
    with Client(url) as stranger:
        with pytest.raises(ConflictError, match="invitation_used"):
            stranger.invitations.look_up(token)
        assert stranger.sessions.create(email="lost-answer@partner.example", password=NEW_PASSWORD).seat


def test_the_link_is_shown_once_and_its_secret_is_stored_nowhere(site: Site, admin: Worker) -> None:
    body = {"email": "once@partner.example", "title": "viewer"}
    first = admin.post("/v1/invitations", body, key="invite-once")
    again = admin.post("/v1/invitations", body, key="invite-once")
    assert again == {**first, "link": None}
    listed = next(one for one in admin.get("/v1/invitations")["data"] if one["id"] == first["id"])
    assert listed == again
    secret = _token(first).rpartition("_")[2]
    with site.database.engine.connect() as connection:
        for table in ("staff_invitations", "idempotency_records", "events", "mails"):
            assert secret not in repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all()), table


def test_somebody_who_works_elsewhere_keeps_its_password(site: Site, fuel: Party, cine: Party, admin: Worker) -> None:
    one = worker(site, "manager", cine)
    token = _invited(admin, one.email, "accountant")
    assert site.post("/v1/invitations/lookup", {"token": token})["is_known"]
    body = {"token": token, "password": NEW_PASSWORD, "name": "An impostor"}
    site.refused("/v1/invitations/accept", body, "wrong_credentials", 401)
    session = site.post("/v1/invitations/accept", {"token": token, "password": PASSWORD})
    assert session["person"]["id"] == one.id
    assert [(seat["merchant"], seat["title"]) for seat in session["seats"]] == [
        (cine.id, "manager"),
        (fuel.id, "accountant"),
    ]
    assert session["seat"]["merchant"] == fuel.id
    refused = admin.call("POST", "/v1/invitations", {"email": one.email, "title": "viewer"})
    assert (refused.status_code, refused.json()["code"]) == (409, "seat_taken")


def test_whoever_has_a_similar_address_is_somebody_else(site: Site, admin: Worker) -> None:
    addresses = ("Li@straße.example", "li@strasse.example", "ℓi@strasse.example", "LI@STRASSE.example")
    tokens = [_invited(admin, address) for address in addresses]
    site.refused("/v1/invitations/lookup", {"token": tokens[1]}, "invitation_ended", 409)  # the last is the same person
    made = {}
    for token in (tokens[0], *tokens[2:]):
        assert not site.post("/v1/invitations/lookup", {"token": token})["is_known"]
        body = {"token": token, "name": "Li", "password": NEW_PASSWORD}
        made[token] = site.post("/v1/invitations/accept", body)["person"]
    assert len({person["id"] for person in made.values()}) == 3
    theirs = worker(site, "admin", site.merchant("Elsewhere"))
    for token, address in zip(tokens, ("li@straße.example", None, addresses[2], addresses[1]), strict=True):
        if address is not None:
            session = site.post("/v1/sessions", {"email": address, "password": NEW_PASSWORD})
            assert session["person"]["id"] == made[token]["id"]
            assert site.post("/v1/invitations/lookup", {"token": _invited(theirs, address)})["is_known"]
    site.refused("/v1/sessions", {"email": "li@STRAẞE.example", "password": NEW_PASSWORD}, "wrong_credentials", 401)


def test_an_invitation_ends(site: Site, admin: Worker) -> None:
    replaced = _invited(admin, "ends@partner.example")
    revoked = admin.post("/v1/invitations", {"email": "ends@partner.example", "title": "viewer"})
    site.refused("/v1/invitations/lookup", {"token": replaced}, "invitation_ended", 409)
    assert admin.call("DELETE", f"/v1/invitations/{revoked['id']}").status_code == 200
    site.refused("/v1/invitations/lookup", {"token": _token(revoked)}, "invitation_ended", 409)
    old = _invited(admin, "ends@partner.example")
    site.clock.move(timedelta(days=7))
    try:
        body = {"token": old, "name": "Too Late", "password": NEW_PASSWORD}
        site.refused("/v1/invitations/accept", body, "invitation_ended", 409)
    finally:
        site.clock.move(timedelta(days=-7))
    wrong = old[:-1] + ("0" if old[-1] != "0" else "1")
    for token in (wrong, "tdi_nonsense", "tds" + old[3:], "x"):
        site.refused("/v1/invitations/lookup", {"token": token}, "invitation_unknown", 404)


def test_an_admin_offers_titles_of_its_own_merchant_only(site: Site, fuel: Party, cine: Party, admin: Worker) -> None:
    for body, code in (
        ({"title": "operator"}, "validation_failed"),
        ({"title": "cashier", "merchant": cine.id}, "forbidden"),
        ({"title": "king"}, "validation_failed"),
    ):
        refused = admin.call("POST", "/v1/invitations", {"email": "x@partner.example", **body})
        assert refused.json()["code"] == code, refused.text
    assert admin.post("/v1/invitations", {"email": "x@partner.example", "title": "cashier", "merchant": fuel.id})
    theirs = worker(site, "admin", cine)
    mine = admin.get("/v1/invitations")["data"][0]
    assert theirs.call("DELETE", f"/v1/invitations/{mine['id']}").status_code == 404
    assert theirs.get("/v1/invitations")["data"] == []
    assert theirs.call("GET", f"/v1/staff?merchant={fuel.id}").status_code == 422


def test_the_operator_brings_in_the_first_admin_and_nobody_else(site: Site) -> None:
    wash = site.merchant("Wash")
    offer = {"email": "boss@wash.example", "merchant": wash.id, "reason": "comes on board"}
    refused = site.refused("/v1/invitations", {**offer, "title": "cashier"}, "forbidden", 403)
    assert refused["errors"][0]["pointer"] == "/title"
    site.refused("/v1/invitations", {**offer, "title": "admin", "merchant": "mer_" + "0" * 26}, "validation_failed")
    first = site.agreed("/v1/invitations", {**offer, "title": "admin"})
    second = site.agreed("/v1/invitations", {**offer, "title": "admin", "email": "rival@wash.example"})
    third = site.agreed("/v1/invitations", {**offer, "title": "admin", "email": worker(site, "auditor").email})
    listed = site.get(f"/v1/invitations?merchant={wash.id}")["data"]
    assert {one["id"] for one in listed} == {first["result"], second["result"], third["result"]}
    body = {"token": _token(first), "code": first["code"], "name": "The Boss", "password": NEW_PASSWORD}
    boss = site.post("/v1/invitations/accept", body)
    site.refused(
        "/v1/invitations/accept",
        {**body, "token": _token(second), "code": second["code"], "name": "A Rival"},
        "merchant_has_admin",
        409,
    )
    known = {"token": _token(third), "code": third["code"], "password": PASSWORD}
    for _ in range(11):  # whoever gives its password and comes too late has not tried a wrong one
        site.refused("/v1/invitations/accept", known, "merchant_has_admin", 409)
    site.refused("/v1/invitations", {**offer, "title": "admin"}, "merchant_has_admin", 409)
    assert [one["person"]["name"] for one in site.get(f"/v1/staff?merchant={wash.id}")["data"]] == ["The Boss"]
    with site.database.session.begin() as session:
        session.get_one(Person, boss["person"]["id"]).disabled_at = site.clock.now()
    assert site.agreed("/v1/invitations", {**offer, "title": "admin", "email": "heir@wash.example"})["link"]


def test_the_operator_invites_the_networks_own_staff(site: Site) -> None:
    invitation = site.agreed("/v1/invitations", {"email": "cash@tongdui.example", "title": "treasury"})
    body = {"token": _token(invitation), "name": "Treasurer", "password": NEW_PASSWORD}
    for wrong in ({}, {"code": "guessed"}):
        refused = site.refused("/v1/invitations/accept", {**body, **wrong}, "invitation_code_wrong")
        assert refused["errors"][0]["pointer"] == "/code"
    body["code"] = invitation["code"]
    session = site.post("/v1/invitations/accept", body)
    assert (session["seat"]["role"], session["seat"]["merchant"]) == ("treasury", None)
    assert "Treasurer" in [one["person"]["name"] for one in site.get("/v1/staff")["data"]]
    wrong = {"email": "y@tongdui.example", "title": "manager", "reason": "x"}
    assert site.refused("/v1/invitations", wrong, "validation_failed")["errors"][0]["pointer"] == "/title"


def test_a_program_with_a_merchants_key_manages_no_people(site: Site, fuel: Party) -> None:
    fuel.refused("/v1/invitations", {"email": "bot@partner.example", "title": "admin"}, "forbidden", 403)
    assert site.call("GET", "/v1/staff", caller=fuel.id).status_code == 403


# -------------------------------------------------------------------- titles and seats


def test_a_new_title_counts_at_once(site: Site, fuel: Party, admin: Worker) -> None:
    one = worker(site, "manager", fuel)
    seat = one.session["seat"]["id"]
    changed = admin.call("PATCH", f"/v1/staff/seats/{seat}", {"title": "viewer"})
    assert changed.json()["seat"]["title"] == "viewer"
    assert one.call("POST", "/v1/members", {"external_id": "too-late"}).status_code == 401
    one.sign_in()
    assert one.call("POST", "/v1/members", {"external_id": "too-weak"}).status_code == 403
    (event,) = admin.get(f"/v1/events?subject={one.id}&type=staff.title_changed")["data"]
    assert (event["data"]["before"], event["data"]["title"], event["actor_name"]) == ("manager", "viewer", "Chen Admin")
    refused = admin.call("PATCH", f"/v1/staff/seats/{seat}", {"title": "operator"})
    assert refused.status_code == 422


def test_a_removed_seat_is_lost_at_once_and_others_stay(site: Site, fuel: Party, cine: Party, admin: Worker) -> None:
    one = worker(site, "manager", fuel)
    with site.database.session.begin() as session:
        sit(site, session, session.get_one(Person, one.id), "viewer", cine)
    seat = one.session["seat"]["id"]
    assert admin.call("DELETE", f"/v1/staff/seats/{seat}").status_code == 200
    assert one.call("GET", "/v1/network").status_code == 401
    assert admin.call("DELETE", f"/v1/staff/seats/{seat}").status_code == 404
    one.sign_in()
    assert one.session["seat"]["merchant"] == cine.id
    assert admin.call("POST", f"/v1/staff/{one.id}/disable", {}).status_code == 404
    theirs = worker(site, "admin", cine)
    assert theirs.call("DELETE", f"/v1/staff/seats/{one.session['seat']['id']}").status_code == 200
    refused = site.call("POST", "/v1/sessions", {"email": one.email, "password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (403, "no_seat")


def test_a_disabled_person_is_out_at_once_and_may_come_back(site: Site, fuel: Party, admin: Worker) -> None:
    one = worker(site, "cashier", fuel)
    assert admin.post(f"/v1/staff/{one.id}/disable")["disabled_at"]
    assert one.call("GET", "/v1/network").status_code == 401
    site.refused("/v1/sessions", {"email": one.email, "password": PASSWORD}, "wrong_credentials", 401)
    assert admin.post(f"/v1/staff/{one.id}/enable")["disabled_at"] is None
    assert one.call("GET", "/v1/network").status_code == 401, "its old session stays ended"
    one.sign_in()
    assert _types(site, one.id)[:3] == ["staff.signed_in", "staff.enabled", "staff.disabled"]


def test_whom_the_network_has_disabled_no_admin_lets_in_again(site: Site, fuel: Party, admin: Worker) -> None:
    one = worker(site, "cashier", fuel)
    disable, enable = f"/v1/staff/{one.id}/disable", f"/v1/staff/{one.id}/enable"
    assert not admin.post(disable)["disabled_by_network"]
    shown = site.post(disable, {}, caller="operator")
    assert shown["disabled_by_network"], "the operator's word weighs more than the admin's, which came first"
    assert site.post(disable, {}, caller="operator") == shown
    assert admin.post(disable)["disabled_by_network"], "and the admin's changes nothing about it"
    refused = admin.call("POST", enable, {})
    assert (refused.status_code, refused.json()["code"]) == (403, "disabled_by_network")
    listed = next(row for row in admin.get("/v1/staff")["data"] if row["person"]["id"] == one.id)
    assert (listed["disabled_by_network"], listed["disabled_at"]) == (True, shown["disabled_at"])
    site.refused("/v1/sessions", {"email": one.email, "password": PASSWORD}, "wrong_credentials", 401)
    assert not site.post(enable, {}, caller="operator")["disabled_by_network"]
    one.sign_in()
    assert _types(site, one.id)[:4] == ["staff.signed_in", "staff.enabled", "staff.disabled", "staff.disabled"]
    admin.post(disable)
    assert admin.post(enable)["disabled_at"] is None


def test_nobody_locks_itself_or_everybody_out(site: Site, fuel: Party, cine: Party, admin: Worker) -> None:
    own = admin.session["seat"]["id"]
    for method, path, body in (
        ("PATCH", f"/v1/staff/seats/{own}", {"title": "viewer"}),
        ("DELETE", f"/v1/staff/seats/{own}", None),
        ("POST", f"/v1/staff/{admin.id}/disable", {}),
    ):
        assert admin.call(method, path, body).json()["code"] == "own_seat"
    both = worker(site, "viewer", fuel)
    with site.database.session.begin() as session:
        sit(site, session, session.get_one(Person, both.id), "viewer", cine)
    refused = admin.call("POST", f"/v1/staff/{both.id}/disable", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "person_elsewhere")


def test_a_disabled_admin_can_lose_its_seat(site: Site) -> None:
    shop = site.merchant("Two Admins")
    stays, goes = worker(site, "admin", shop), worker(site, "admin", shop)
    assert stays.call("POST", f"/v1/staff/{goes.id}/disable", {}).status_code == 200
    assert stays.call("DELETE", f"/v1/staff/seats/{goes.session['seat']['id']}").status_code == 200


def test_the_operator_shuts_out_a_merchants_only_admin_and_brings_in_another(site: Site) -> None:
    shop = site.merchant("Lone")
    only = worker(site, "admin", shop)
    offer = {"email": "heir@lone.example", "merchant": shop.id, "title": "admin", "reason": "the first one left"}
    site.refused("/v1/invitations", offer, "merchant_has_admin", 409)
    assert site.post(f"/v1/staff/{only.id}/disable", {})["disabled_by_network"]
    assert only.call("GET", "/v1/network").status_code == 401
    made = site.agreed("/v1/invitations", offer)
    body = {"token": _token(made), "code": made["code"], "name": "Heir", "password": NEW_PASSWORD}
    heir = site.post("/v1/invitations/accept", body)
    enable = f"/v1/staff/{only.id}/enable"
    site.refused(enable, {}, "disabled_by_network", 403, caller=heir["token"])
    site.refused(f"/v1/staff/{heir['person']['id']}/disable", {}, "own_seat", 403, caller=heir["token"])


def test_the_networks_last_operator_stays(site: Site, fuel: Party) -> None:
    last = worker(site, "operator")
    with site.database.session.begin() as session:
        sit(site, session, session.get_one(Person, last.id), "viewer", fuel)
        others = [one.person for one in PeopleService(session).everybody() if one.seat.title == "operator"]
        able = [one.id for one in others if one.id != last.id and one.disabled_at is None]
        for person_id in able:
            session.get_one(Person, person_id).disabled_at = site.clock.now()
    site.refused(f"/v1/staff/{last.id}/disable", {}, "last_admin", 409)
    with site.database.session.begin() as session:
        for person_id in able:
            session.get_one(Person, person_id).disabled_at = None
    worker(site, "operator")
    assert site.post(f"/v1/staff/{last.id}/disable", {})["disabled_at"]


def test_an_admin_signs_somebody_out_at_its_own_merchant_and_the_operator_everywhere(
    site: Site, fuel: Party, cine: Party, admin: Worker
) -> None:
    one = worker(site, "viewer", fuel, name="Zhao")
    with site.database.session.begin() as session:
        sit(site, session, session.get(Person, one.id), "viewer", cine)
    here = one.token
    seats = one.get("/v1/sessions/current")["seats"]
    elsewhere = one.sign_in()
    one.post("/v1/sessions/current/seat", {"seat": next(seat["id"] for seat in seats if seat["merchant"] == cine.id)})
    assert admin.post(f"/v1/staff/{one.id}/sign_out")["disabled_at"] is None
    assert site.call("GET", "/v1/network", caller=here).status_code == 401
    assert site.get("/v1/network", caller=elsewhere), "where else the person works is not the admin's affair"
    site.refused(f"/v1/staff/{admin.id}/sign_out", {}, "own_seat", 403, caller=admin.token)
    stranger = worker(site, "admin", site.merchant("Stranger"))
    site.refused(f"/v1/staff/{one.id}/sign_out", {}, "not_found", 404, caller=stranger.token)
    (event,) = admin.get(f"/v1/events?type=staff.sessions_ended&subject={one.id}")["data"]
    assert event["data"] == {"name": "Zhao"}
    site.post(f"/v1/staff/{one.id}/sign_out", {})
    assert site.call("GET", "/v1/network", caller=elsewhere).status_code == 401
    one.sign_in()
    assert one.get("/v1/network"), "it may come in again"


def test_a_list_says_when_somebody_was_last_seen_on_the_seat(site: Site, fuel: Party, admin: Worker) -> None:
    one = worker(site, "viewer", fuel)
    seen = next(row for row in admin.get("/v1/staff")["data"] if row["person"]["id"] == one.id)["last_seen_at"]
    site.clock.move(timedelta(minutes=30))
    try:
        one.get("/v1/network")
        gateway = site.app.state.gateway
        gateway.key_uses.write(gateway.writing)  # as it does every ten seconds
        later = next(row for row in admin.get("/v1/staff")["data"] if row["person"]["id"] == one.id)["last_seen_at"]
    finally:
        site.clock.move(timedelta(minutes=-30))
    assert seen < later
    unseen = site.merchant("Unseen")
    with site.database.session.begin() as session:
        sit(site, session, session.get(Person, one.id), "viewer", unseen)
    (row,) = site.get(f"/v1/staff?merchant={unseen.id}")["data"]
    assert row["last_seen_at"] is None, "what it does elsewhere is not shown"


def test_a_merchant_sees_nothing_of_anothers_people(site: Site, fuel: Party, cine: Party, admin: Worker) -> None:
    theirs = worker(site, "admin", cine, name="Their Admin")
    assert "Their Admin" not in [one["person"]["name"] for one in admin.get("/v1/staff")["data"]]
    seat = theirs.session["seat"]["id"]
    assert admin.call("PATCH", f"/v1/staff/seats/{seat}", {"title": "viewer"}).status_code == 404
    assert admin.call("DELETE", f"/v1/staff/seats/{seat}").status_code == 404
    assert admin.call("POST", f"/v1/staff/{theirs.id}/disable", {}).status_code == 404
    assert admin.get(f"/v1/events?subject={theirs.id}")["data"] == []


def test_the_sdk_invites_and_manages_people(site: Site, fuel: Party, admin: Worker) -> None:
    url = str(site.http.base_url)
    with Client(url, admin.token) as client, Client(url) as stranger:
        invitation = client.invitations.create(email="sdk@partner.example", title="viewer", name="S")
        assert invitation.link is not None
        assert invitation.link not in repr(invitation)
        token = parse_qs(urlsplit(invitation.link).query)["token"][0]
        assert not stranger.invitations.look_up(token).is_known
        session = stranger.invitations.accept(token, password=NEW_PASSWORD, name="S. D. K.")
        found = next(one for one in client.staff.list() if one.person.id == session.person.id)
        assert client.staff.change_title(found.seat, "cashier").seat.title == "cashier"
        assert client.staff.disable(session.person).disabled_at is not None
        assert client.staff.enable(session.person).disabled_at is None
        assert client.staff.remove_seat(found.seat).person.name == "S. D. K."
        other = client.invitations.create(email="sdk2@partner.example", title="viewer")
        assert other.id in [one.id for one in client.invitations.list()]
        assert client.invitations.revoke(other).revoked_at is not None


def test_no_event_and_no_line_of_the_log_has_an_address(site: Site, admin: Worker) -> None:
    """All that the tests above have done: every reader of events, every webhook and every log would have them."""
    one = _invited(admin, "unheard-of@partner.example", name="Li Na")
    session = site.post("/v1/invitations/accept", {"token": one, "name": "Li Na", "password": NEW_PASSWORD})
    admin.post(f"/v1/staff/{session['person']['id']}/disable")
    with site.database.engine.connect() as connection:
        addresses = {
            email.lower()
            for table in ("staff_people", "staff_invitations")
            for (email,) in connection.exec_driver_sql(f"SELECT email FROM {table}")
        }
        events = connection.exec_driver_sql("SELECT type, stored, subject, actor FROM events").all()
    assert "staff.invited" in {event[0] for event in events}
    told = f"{events} {LOG.getvalue()}".lower()
    assert len(addresses) > 1
    assert [address for address in addresses if address in told] == []
