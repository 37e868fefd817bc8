"""People sign in: passwords, sessions, seats, and the limits of trying."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from clearing.parties.access.models import Role
from clearing.parties.access.service import Caller
from clearing.parties.staff import tries
from clearing.parties.staff.models import Person, SignInTries, StaffSession
from clearing.parties.staff.people import PeopleService
from tests.gateway.site import LOG, Party, Site
from tests.gateway.staff import PASSWORD, Worker, sit, worker
from tongdui import AuthenticationError, Client, RateLimitedError


@pytest.fixture(scope="module")
def cashier(site: Site, fuel: Party) -> Worker:
    return worker(site, "cashier", fuel, name="Wang Wei")


def _tries(site: Site, email: str, count: int, address: str, password: str = "wrong-horse-battery") -> list[int]:
    """The statuses of so many attempts, all at the same moment."""

    def attempt(_: int) -> int:
        body = {"email": email, "password": password}
        return site.call("POST", "/v1/sessions", body, headers={"X-Forwarded-For": address}).status_code

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(attempt, range(count)))


def _tried(site: Site, subject: str, tries: int) -> None:
    """Lets so many attempts have been made a moment ago."""
    with site.database.session.begin() as session:
        session.add(SignInTries(subject=subject, since=site.clock.now(), tries=tries))


def _account(email: str) -> str:
    return f"account:{sha256(email.encode()).hexdigest()}"


def test_a_person_signs_in_and_works_with_the_token_as_with_a_key(site: Site, fuel: Party, cashier: Worker) -> None:
    session = cashier.session
    assert session["token"].startswith("tds_")
    assert session["person"] == {
        "id": cashier.id,
        "name": "Wang Wei",
        "email": cashier.email,
        "language": "en",
        "second_factor": False,
    }
    assert session["seat"]["title"] == "cashier"
    assert (session["seat"]["merchant"], session["seat"]["merchant_name"]) == (fuel.id, "Gas")
    assert session["seats"] == [session["seat"]]
    assert session["restriction"] is None
    shown = cashier.get("/v1/sessions/current")
    assert shown == {**session, "token": None}
    member = cashier.post("/v1/members", {"external_id": "by-a-person"})
    site.give(member["id"], "FUEL", 100)
    body = {"program": "FUEL", "member": member["id"], "points": 5}
    assert cashier.post("/v1/redemptions", body)["state"] == "accepted"
    refused = cashier.call("POST", "/v1/issuances", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert refused.json()["detail"] == "as cashier of your merchant you may not do this (scope issue); ask an admin"


def test_a_manager_sees_webhooks_and_changes_none(site: Site, fuel: Party) -> None:
    admin, manager = worker(site, "admin", fuel), worker(site, "manager", fuel)
    made = admin.post("/v1/webhook_endpoints", {"url": "https://partner.example/hook"})
    path = f"/v1/webhook_endpoints/{made['id']}"
    assert made["id"] in [one["id"] for one in manager.get("/v1/webhook_endpoints")["data"]]
    assert manager.get(f"{path}/deliveries")["data"] == []
    for method, place in (("PATCH", path), ("DELETE", path), ("POST", f"{path}/secret"), ("POST", f"{path}/replay")):
        refused = manager.call(method, place, None if method == "DELETE" else {})
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
        assert "as manager" in refused.json()["detail"]


def test_every_action_carries_the_persons_name(site: Site, fuel: Party, cine: Party, cashier: Worker) -> None:
    member = cashier.post("/v1/members", {"external_id": "named"})["id"]
    for caller in (fuel.id, "operator", "auditor"):
        event = site.get(f"/v1/events?subject={member}", caller=caller)["data"][0]
        assert (event["actor"], event["actor_name"]) == (f"staff:{cashier.id}", "Wang Wei")
    by_key = fuel.member("unnamed")
    assert fuel.get(f"/v1/events?subject={by_key}")["data"][0]["actor_name"] is None


def test_another_merchant_learns_no_name(site: Site, fuel: Party, cine: Party) -> None:
    manager = worker(site, "manager", fuel, name="Secret Name")
    terms = {
        "kind": "exchange",
        "source_program": "FUEL",
        "target_program": "CINE",
        "rate_num": 1,
        "rate_den": 1,
        "unit_price_micros": 10_000,
        "max_points": 100,
        "daily_cap": 1_000,
        "valid_until": "2040-01-01T00:00:00Z",
    }
    agreement = manager.post("/v1/agreements", terms)["id"]
    (theirs,) = cine.get(f"/v1/events?subject={agreement}&type=agreement.proposed")["data"]
    (ours,) = fuel.get(f"/v1/events?subject={agreement}&type=agreement.proposed")["data"]
    assert (theirs["actor"], theirs["actor_name"]) == (f"staff:{manager.id}", None)
    assert ours["actor_name"] == "Secret Name"
    everything = site.get(f"/v1/events?subject={agreement}&type=agreement.proposed")["data"]
    assert {event["actor_name"] for event in everything} == {"Secret Name"}


def test_a_merchants_people_and_keys_share_its_idempotency_keys(site: Site, fuel: Party, cashier: Worker) -> None:
    first = fuel.post("/v1/members", {"external_id": "shared"}, key="shared-key")
    again = cashier.call("POST", "/v1/members", {"external_id": "shared"}, key="shared-key")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first["id"]


def test_addresses_are_the_same_in_capital_letters(site: Site, cashier: Worker) -> None:
    body = {"email": cashier.email.upper(), "password": PASSWORD}
    assert site.post("/v1/sessions", body)["person"]["id"] == cashier.id


def test_wrong_password_unknown_address_and_disabled_person_are_answered_alike(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    gone = worker(site, "viewer", fuel)
    with site.database.session.begin() as session:
        people = PeopleService(session)
        person = people.by_email(gone.email)
        assert person is not None
        people.shut_out(person, by_network=True, actor="test")
    answers = []
    for email, password in (
        (one.email, "not-the-password"),
        ("nobody@partner.example", PASSWORD),
        (gone.email, PASSWORD),
    ):
        answer = site.refused("/v1/sessions", {"email": email, "password": password}, "wrong_credentials", 401)
        answers.append({name: answer[name] for name in ("detail", "title", "errors", "status")})
    assert answers[0] == answers[1] == answers[2]
    assert site.call("GET", "/v1/network", caller=gone.token).status_code == 401


def test_whoever_is_unknown_costs_as_much_work_as_whoever_is_known(
    site: Site, fuel: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = worker(site, "viewer", fuel)
    hashed: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, stored: str, password: bytes) -> bool:
        hashed.append(stored)
        return bool(verify(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    for email in (one.email, "nobody@partner.example"):
        with site.statements() as seen:
            site.refused("/v1/sessions", {"email": email, "password": "not-the-password"}, "wrong_credentials", 401)
        hashed.append(str(len([statement for statement, _ in seen if "staff_" in statement])))
    (known, statements, unknown, other_statements) = hashed
    assert known.split("$")[1:4] == unknown.split("$")[1:4]
    assert int(statements) - int(other_statements) == 1, "the person is locked before the last comparison"


def test_attempts_on_one_account_are_limited_exactly(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    _tried(site, _account(one.email), 7)
    statuses = _tries(site, one.email, 6, "198.51.100.1")
    assert sorted(statuses) == [401] * 3 + [429] * 3
    body = {"email": one.email, "password": PASSWORD}
    refused = site.call("POST", "/v1/sessions", body, headers={"X-Forwarded-For": "198.51.100.2"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_sign_ins")
    assert 1 <= int(refused.headers["Retry-After"]) <= 900
    with Client(str(site.http.base_url)) as client, pytest.raises(RateLimitedError) as raised:
        client.sessions.create(email=one.email, password=PASSWORD)
    assert raised.value.retry_after is not None
    site.clock.move(timedelta(minutes=16))
    try:
        one.sign_in()
    finally:
        site.clock.move(timedelta(minutes=-16))


def test_attempts_from_one_address_are_limited(site: Site) -> None:
    _tried(site, "address:203.0.113.9", 98)
    statuses = [_tries(site, f"nobody-{number}@partner.example", 1, "203.0.113.9")[0] for number in range(4)]
    assert statuses == [401, 401, 429, 429]


def test_all_addresses_of_one_network_of_ipv6_are_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MOST_OF_ADDRESS", 3)
    for host, status in enumerate([401] * 3 + [429] * 2):
        address = f"2001:db8:77:1::{host:x}"
        assert _tries(site, f"nobody-{host}@partner.example", 1, address) == [status]
    assert _tries(site, "nobody-9@partner.example", 1, "2001:db8:77:2::1") == [401]
    assert [tries._network(one) for one in ("::ffff:192.0.2.7", "192.0.2.7", "unix")] == ["192.0.2.7"] * 2 + ["unix"]


def test_a_good_sign_in_forgets_the_bad_ones(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    for _ in range(2):
        _tried(site, _account(one.email), 8)
        assert _tries(site, one.email, 1, "198.51.100.7") == [401]
        one.sign_in()


def test_every_sign_in_has_a_token_of_its_own(site: Site, cashier: Worker) -> None:
    first, second = cashier.token, cashier.sign_in()
    assert first != second
    for token in (first, second):
        assert site.call("GET", "/v1/sessions/current", caller=token).status_code == 200


def test_the_token_is_stored_nowhere(site: Site, cashier: Worker) -> None:
    secret = cashier.sign_in().rpartition("_")[2]
    with site.database.engine.connect() as connection:
        for table in ("staff_sessions", "staff_people", "idempotency_records", "events"):
            rows = repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert secret not in rows, table
            assert PASSWORD not in rows, table
    assert secret not in LOG.getvalue()
    assert PASSWORD not in LOG.getvalue()


def test_a_revoked_session_is_refused_by_the_very_next_request(site: Site, cashier: Worker) -> None:
    old = Worker(site, cashier.email, cashier.id)
    old.sign_in()
    assert old.get("/v1/network")
    listed = cashier.get("/v1/sessions")["data"]
    mine = next(session for session in listed if session["id"] == old.session["id"])
    assert (mine["is_current"], mine["address"], mine["method"]) == (False, "127.0.0.1", "password")
    assert [session["id"] for session in listed if session["is_current"]] == [cashier.session["id"]]
    assert cashier.call("DELETE", f"/v1/sessions/{old.session['id']}").status_code == 200
    for method, path in (("GET", "/v1/network"), ("POST", "/v1/redemptions"), ("POST", "/v1/sessions/current/seat")):
        refused = old.call(method, path, {} if method == "POST" else None)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert old.session["id"] not in {session["id"] for session in cashier.get("/v1/sessions")["data"]}
    assert cashier.call("DELETE", f"/v1/sessions/{old.session['id']}").status_code == 200


def test_nobody_ends_the_session_of_another(site: Site, fuel: Party, cashier: Worker) -> None:
    other = worker(site, "admin", fuel)
    assert other.call("DELETE", f"/v1/sessions/{cashier.session['id']}").status_code == 404
    assert cashier.get("/v1/sessions/current")


def test_signing_out_ends_the_session(site: Site, cashier: Worker) -> None:
    one = Worker(site, cashier.email, cashier.id)
    one.sign_in()
    assert one.call("DELETE", "/v1/sessions/current").status_code == 200
    assert one.call("GET", "/v1/sessions/current").status_code == 401


def test_sessions_end_by_themselves(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    site.clock.move(timedelta(hours=2))
    assert one.call("GET", "/v1/network").status_code == 401
    one.sign_in()
    gateway = site.app.state.gateway
    for _ in range(11):
        site.clock.move(timedelta(hours=1))
        assert one.call("GET", "/v1/network").status_code == 200
        gateway.key_uses.write(gateway.writing)
    site.clock.move(timedelta(hours=1))
    assert one.call("GET", "/v1/network").status_code == 401
    site.clock.move(timedelta(hours=-14))


def test_no_request_pays_for_the_note_that_a_session_is_used(site: Site, fuel: Party) -> None:
    one, other = worker(site, "viewer", fuel), worker(site, "viewer", fuel)
    gateway = site.app.state.gateway
    gateway.key_uses.write(gateway.writing)
    at = site.clock.now().replace(second=0, microsecond=0) + timedelta(minutes=10)
    for second, written in ((20, 20), (20, None), (30, 30)):
        with site.clock.stopped(at + timedelta(seconds=second)):
            with site.statements() as seen:
                one.get("/v1/network")
                other.get("/v1/network")
            assert not [statement for statement, _ in seen if "UPDATE" in statement], "nor does its transaction"
            with site.statements() as seen:
                gateway.key_uses.write(gateway.writing)
            updates = [statement for statement, _ in seen if "UPDATE staff_sessions" in statement]
            assert len(updates) == (0 if written is None else 1), "all of them are written together"
            if written is not None:
                shown = next(row for row in one.get("/v1/sessions")["data"] if row["is_current"])["last_seen_at"]
                assert datetime.fromisoformat(shown) == at + timedelta(seconds=written)


def test_a_session_in_use_does_not_end_and_one_that_is_over_stays_over(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    gateway = site.app.state.gateway
    begun = site.clock.now()
    with site.database.session.begin() as session:
        session.get_one(StaffSession, one.session["id"]).idle_seconds = 60
        session.get_one(StaffSession, one.session["id"]).last_seen_at = begun

    def at(second: int) -> int:
        with site.clock.stopped(begun + timedelta(seconds=second)):
            return int(one.call("GET", "/v1/network").status_code)

    def write(second: int) -> None:
        with site.clock.stopped(begun + timedelta(seconds=second)):
            gateway.key_uses.write(gateway.writing)

    assert at(29) == 200
    write(30)
    assert [at(second) for second in (70, 85, 100, 129)] == [200] * 4, "each a while after the last"
    assert at(190) == 401
    late = Caller(one.session["id"], Role.MERCHANT, None, frozenset(), one.id)
    gateway.key_uses.note(late, begun + timedelta(seconds=160))  # a use that could not be written in time
    write(191)
    assert at(192) == 401


@contextmanager
def _rolled_back(site: Site, start: str, times: int) -> Iterator[list[str]]:
    """PostgreSQL ends the transactions of so many statements that start like this, as it ends one of two in a deadlock."""
    ended: list[str] = []

    def end(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        if not statement.startswith(start) or len(ended) == times:
            return statement, parameters
        ended.append(statement)
        return "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$", {}

    event.listen(site.database.engine, "before_cursor_execute", end, retval=True)
    try:
        yield ended
    finally:
        event.remove(site.database.engine, "before_cursor_execute", end)


def test_a_sign_in_that_the_database_rolls_back_is_done_again(site: Site, fuel: Party) -> None:
    if site.database.is_sqlite:
        pytest.skip("SQLite has one writer, and no deadlocks")
    one = worker(site, "viewer", fuel)
    body = {"email": one.email, "password": PASSWORD}
    for start in ("INSERT INTO staff_sign_in_tries", "INSERT INTO staff_sessions"):
        with _rolled_back(site, start, 1) as ended:
            assert site.call("POST", "/v1/sessions", body).status_code == 201
        assert len(ended) == 1
    with _rolled_back(site, "INSERT INTO staff_sessions", 3):
        refused = site.call("POST", "/v1/sessions", body)
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert "may have been done" in refused.json()["detail"]
    with _rolled_back(site, "SELECT staff_sessions.id \nFROM staff_sessions", 3):
        refused = one.call("DELETE", "/v1/sessions/current")
    assert "may have been done" in refused.json()["detail"]


def test_many_sessions_are_ended_in_the_order_in_which_their_uses_are_noted(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    with site.statements() as seen:
        site.post(f"/v1/staff/{one.id}/sign_out", {})
    ending = next(place for place, (text, _) in enumerate(seen) if text.startswith("UPDATE staff_sessions"))
    locking = [text for text, _ in seen[:ending] if text.startswith("SELECT staff_sessions.id \n")]
    assert "ORDER BY staff_sessions.id" in locking[-1]
    assert site.database.is_sqlite or "FOR UPDATE" in locking[-1]


def test_what_cannot_be_noted_is_noted_later(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    gateway = site.app.state.gateway
    at = site.clock.now().replace(second=0, microsecond=0) + timedelta(minutes=20)

    @contextmanager
    def away() -> Iterator[Any]:
        raise OperationalError("UPDATE", {}, Exception("the database is away"))
        yield

    with site.clock.stopped(at):
        one.get("/v1/network")
        gateway.key_uses.write(away)
        gateway.key_uses.write(gateway.writing)
        shown = next(row for row in one.get("/v1/sessions")["data"] if row["is_current"])["last_seen_at"]
        assert datetime.fromisoformat(shown) == at


def test_a_person_sits_on_one_seat_at_a_time(site: Site, fuel: Party, cine: Party) -> None:
    one = worker(site, "viewer", fuel)
    with site.database.session.begin() as session:
        person = session.get_one(Person, one.id)
        sit(site, session, person, "manager", cine)
    seats = one.get("/v1/sessions/current")["seats"]
    assert [(seat["merchant"], seat["title"]) for seat in seats] == [(fuel.id, "viewer"), (cine.id, "manager")]
    body = {"external_id": "of the cinema"}
    assert one.call("POST", "/v1/members", body).status_code == 403
    taken = one.post("/v1/sessions/current/seat", {"seat": seats[1]["id"]})
    assert (taken["seat"], taken["token"]) == (seats[1], None)
    member = one.post("/v1/members", body)
    assert one.get(f"/v1/members/{member['id']}")["external_id"] == "of the cinema"
    one.sign_in()
    assert one.session["seat"] == seats[1], "it begins where it was last"
    stranger = worker(site, "viewer", cine)
    site.refused(
        "/v1/sessions/current/seat", {"seat": stranger.session["seat"]["id"]}, "unknown_seat", 404, caller=one.token
    )


def test_an_outdated_hash_is_replaced_at_the_next_sign_in(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    weak = PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1).hash(PASSWORD)
    with site.database.session.begin() as session:
        session.get_one(Person, one.id).password_hash = weak
    one.sign_in()
    with site.database.reading() as session:
        stored = session.get_one(Person, one.id).password_hash
    assert stored is not None
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    one.sign_in()


def test_the_sdk_signs_in_and_works(site: Site, fuel: Party, cashier: Worker) -> None:
    url = str(site.http.base_url)
    with Client(url) as stranger:
        session = stranger.sessions.create(
            email=cashier.email, password=PASSWORD, address="192.0.2.44", user_agent="A browser"
        )
        with pytest.raises(AuthenticationError):
            stranger.sessions.create(email=cashier.email, password="not-the-password")
    assert session.token is not None
    assert session.token not in repr(session)
    with Client(url, session.token) as client:
        assert client.sessions.current().person.name == "Wang Wei"
        shown = next(one for one in client.sessions.list() if one.is_current)
        assert (shown.address, shown.user_agent) == ("192.0.2.44", "A browser")
        assert client.sessions.take_seat(session.seats[0]).seat == session.seat
        client.sessions.end()
        with pytest.raises(AuthenticationError):
            client.sessions.current()
