"""A person's own affairs: name, password, one-time codes, recovery codes, and what must be done first."""

from __future__ import annotations

from base64 import b32decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import local
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from sqlalchemy import event

from clearing.kit.errors import ClearingError
from clearing.parties.staff import bearers, tries
from clearing.parties.staff.models import Person, SignInTries
from clearing.parties.staff.people import PeopleService
from tests.gateway.site import Party, Site
from tests.gateway.staff import PASSWORD, Worker, worker
from tongdui import AuthenticationError, Client, SecondFactorRequiredError

NEW_PASSWORD = "four-random-words-help"


def _code(site: Site, secret: str, steps: int = 0) -> str:
    """The code that an app shows by the network's clock."""
    return pyotp.TOTP(secret).at(int(site.clock.now().timestamp()) + 30 * steps)


def _with_app(site: Site, one: Worker) -> tuple[str, list[str]]:
    """Sets up an app; its secret, and the recovery codes."""
    begun = one.post("/v1/profile/totp", {"password": PASSWORD})
    assert begun["uri"].startswith("otpauth://totp/Tongdui:")
    assert f"secret={begun['secret']}" in begun["uri"]
    assert begun["qr_svg"].startswith("<svg")
    confirmed = one.post("/v1/profile/totp/confirm", {"one_time_code": _code(site, begun["secret"])})
    one.token = confirmed["session"]["token"]
    return begun["secret"], confirmed["recovery_codes"]


def _sign_in(site: Site, one: Worker, **fields: Any) -> Any:
    return site.call("POST", "/v1/sessions", {"email": one.email, "password": PASSWORD, **fields})


def test_a_person_changes_its_name_and_language(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    changed = one.call("PATCH", "/v1/profile", {"name": "Another Name", "language": "zh"}).json()
    assert (changed["name"], changed["language"]) == ("Another Name", "zh")
    assert one.get("/v1/profile") == changed
    assert one.get("/v1/sessions/current")["person"]["name"] == "Another Name"
    assert one.call("PATCH", "/v1/profile", {"language": "fr"}).status_code == 422


def test_a_new_password_ends_all_sessions_and_gives_a_new_token(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    elsewhere = Worker(site, one.email, one.id)
    elsewhere.sign_in()
    body = {"password": PASSWORD, "new_password": NEW_PASSWORD}
    refused = one.call("POST", "/v1/profile/password", {**body, "password": NEW_PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (422, "wrong_password")
    assert refused.json()["errors"][0]["pointer"] == "/password"
    for weak in ("short", PASSWORD):
        refused = one.call("POST", "/v1/profile/password", {**body, "new_password": weak})
        assert (refused.json()["code"], refused.json()["errors"][0]["pointer"]) == ("weak_password", "/new_password")
    session = one.post("/v1/profile/password", body)
    for token in (one.token, elsewhere.token):
        assert site.call("GET", "/v1/sessions/current", caller=token).status_code == 401
    assert site.get("/v1/sessions/current", caller=session["token"])["id"] == session["id"]
    site.refused("/v1/sessions", {"email": one.email, "password": PASSWORD}, "wrong_credentials", 401)
    one.password = NEW_PASSWORD
    one.sign_in()


def test_two_new_passwords_at_once_are_one(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    wanted = [f"{number}-random-words-help" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda new: one.call("POST", "/v1/profile/password", {"password": PASSWORD, "new_password": new}),
                wanted,
            )
        )
    assert [answer.status_code for answer in answers].count(201) == 1
    # The others come when the session has ended, or when the password is another one already.
    assert {answer.status_code for answer in answers if answer.status_code != 201} <= {401, 422}
    (password,) = [new for new, answer in zip(wanted, answers, strict=True) if answer.status_code == 201]
    assert _sign_in(site, one, password=password).status_code == 201


def test_a_weak_new_password_is_no_attempt(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    for _ in range(12):
        refused = one.call("POST", "/v1/profile/password", {"password": PASSWORD, "new_password": "short"})
        assert refused.json()["code"] == "weak_password"
    one.post("/v1/profile/password", {"password": PASSWORD, "new_password": NEW_PASSWORD})


def test_what_is_refused_after_a_right_password_is_no_wrong_try(site: Site, fuel: Party) -> None:
    one, plain = worker(site, "viewer", fuel), worker(site, "viewer", fuel)
    _with_app(site, one)
    with site.database.session.begin() as session:
        for email in (one.email, plain.email):
            subject = f"account:{sha256(email.encode()).hexdigest()}"
            session.add(SignInTries(subject=subject, tries=9, since=site.clock.now()))
    same = {"password": PASSWORD, "new_password": PASSWORD}
    for _ in range(2):
        refusals = (
            one.call("POST", "/v1/profile/totp", {"password": PASSWORD}),
            plain.call("POST", "/v1/profile/recovery_codes", {"password": PASSWORD}),
            plain.call("POST", "/v1/profile/password", same),
        )
        codes = [refused.json()["code"] for refused in refusals]
        assert codes == ["second_factor_exists", "second_factor_missing", "weak_password"]
    assert _sign_in(site, plain).status_code == 201


def test_a_first_code_cannot_be_guessed(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    secret = one.post("/v1/profile/totp", {"password": PASSWORD})["secret"]
    wrong = {"one_time_code": _code(site, secret, 9)}
    codes = [one.call("POST", "/v1/profile/totp/confirm", wrong).json()["code"] for _ in range(12)]
    assert codes == ["wrong_one_time_code"] * 10 + ["too_many_sign_ins"] * 2
    assert one.call("POST", "/v1/profile/totp/confirm", {"one_time_code": _code(site, secret)}).status_code == 429


def test_no_transaction_is_open_while_a_password_is_hashed(
    site: Site, fuel: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash takes its time on purpose; on SQLite, everybody else would wait for it."""
    one, transactions, seen = worker(site, "admin", fuel), local(), []

    def counting(difference: int) -> Callable[[Any], None]:
        def count(_connection: Any) -> None:
            transactions.open = getattr(transactions, "open", 0) + difference

        return count

    listeners = [("begin", counting(1)), ("commit", counting(-1)), ("rollback", counting(-1))]
    for name, count in listeners:
        event.listen(site.database.engine, name, count)
    hashing, verifying = PasswordHasher.hash, PasswordHasher.verify

    def note_hash(self: Any, *arguments: Any) -> Any:
        seen.append(("hash", getattr(transactions, "open", 0)))
        return hashing(self, *arguments)

    def note_verify(self: Any, *arguments: Any) -> Any:
        seen.append(("verify", getattr(transactions, "open", 0)))
        return verifying(self, *arguments)

    monkeypatch.setattr(PasswordHasher, "hash", note_hash)
    monkeypatch.setattr(PasswordHasher, "verify", note_verify)
    invitation = one.post("/v1/invitations", {"email": "hashed@partner.example", "title": "viewer"})
    token = invitation["link"].partition("token=")[2]
    site.post("/v1/invitations/accept", {"token": token, "name": "Li", "password": NEW_PASSWORD})
    one.sign_in()
    one.post("/v1/profile/totp", {"password": PASSWORD})
    secret = one.post("/v1/profile/totp", {"password": PASSWORD})["secret"]
    one.token = one.post("/v1/profile/totp/confirm", {"one_time_code": _code(site, secret)})["session"]["token"]
    one.post("/v1/profile/recovery_codes", {"password": PASSWORD})
    one.post("/v1/profile/totp/remove", {"password": PASSWORD})
    one.post("/v1/profile/password", {"password": PASSWORD, "new_password": NEW_PASSWORD})
    for name, count in listeners:
        event.remove(site.database.engine, name, count)
    assert [what for what, _ in seen].count("verify") == 6
    assert [what for what, _ in seen].count("hash") >= 2
    assert {open_ones for _, open_ones in seen} == {0}


def test_a_secret_of_an_app_is_good_for_its_person_only(site: Site, fuel: Party) -> None:
    one, other = worker(site, "viewer", fuel), worker(site, "viewer", fuel)
    secret, _ = _with_app(site, one)
    stored = _rows(site, "staff_people")
    assert b32decode(secret).hex() not in repr(stored)
    with site.database.session.begin() as session:
        mine, theirs = (session.get_one(Person, worker.id) for worker in (one, other))
        assert mine.totp_secret is not None
        assert len(mine.totp_secret) < 200
        keyring = site.app.state.gateway.keyrings.staff_secrets
        assert keyring.unseal(f"totp {one.id}", mine.totp_secret) == b32decode(secret)
        with pytest.raises(ValueError, match="not sealed here"):
            keyring.unseal(f"totp {theirs.id}", mine.totp_secret)


def test_a_found_session_cannot_guess_the_password(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    codes = [
        one.call("POST", "/v1/profile/recovery_codes", {"password": "not-the-password"}).json()["code"]
        for _ in range(12)
    ]
    assert codes == ["wrong_password"] * 10 + ["too_many_sign_ins"] * 2
    assert _sign_in(site, one).status_code == 429


def test_codes_of_an_app_are_needed_and_good_once(site: Site, fuel: Party) -> None:
    one = worker(site, "admin", fuel)
    other = Worker(site, one.email, one.id)
    other.sign_in()
    before = one.token
    with site.clock.stopped(site.clock.now()):
        secret, recovery = _with_app(site, one)
        used = _sign_in(site, one, one_time_code=_code(site, secret))
    for token in (before, other.token):
        assert site.call("GET", "/v1/network", caller=token).status_code == 401, "no session from before goes on"
    assert one.get("/v1/sessions/current")["person"]["second_factor"]
    needed = _sign_in(site, one)
    assert (needed.status_code, needed.json()["code"]) == (401, "second_factor_required")
    assert _sign_in(site, one, password="not-the-password").json()["code"] == "wrong_credentials"
    assert used.json()["code"] == "wrong_one_time_code", "it has confirmed the app already"
    site.clock.move(timedelta(seconds=30))
    code = _code(site, secret)
    assert _sign_in(site, one, one_time_code=code).status_code == 201
    again = _sign_in(site, one, one_time_code=code)
    assert (again.status_code, again.json()["code"]) == (401, "wrong_one_time_code")
    assert again.json()["errors"][0]["pointer"] == "/one_time_code"
    assert _sign_in(site, one, one_time_code=_code(site, secret, 1)).status_code == 201, "clocks differ"
    assert _sign_in(site, one, one_time_code=_code(site, secret, 5)).status_code == 401
    assert _sign_in(site, one, one_time_code=_code(site, secret, 0)).status_code == 401, "an older step than the last"
    site.clock.move(timedelta(seconds=-30))
    assert len(recovery) == len(set(recovery)) == 10


def test_recovery_codes_are_good_once_and_can_be_renewed(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    _, recovery = _with_app(site, one)
    assert _sign_in(site, one, recovery_code=recovery[0].lower().replace("-", " ")).status_code == 201
    assert _sign_in(site, one, recovery_code=recovery[0]).json()["code"] == "wrong_one_time_code"
    assert one.get("/v1/profile")["recovery_codes_left"] == 9
    renewed = one.post("/v1/profile/recovery_codes", {"password": PASSWORD})["recovery_codes"]
    assert _sign_in(site, one, recovery_code=recovery[1]).status_code == 401
    assert _sign_in(site, one, recovery_code=renewed[1]).status_code == 201
    stored = repr(_rows(site, "staff_recovery_codes"))
    assert not any(code in stored for code in [*recovery, *renewed])


@pytest.mark.parametrize("kind", ["one_time_code", "recovery_code"])
def test_of_many_who_show_one_code_at_once_one_comes_in(site: Site, fuel: Party, kind: str) -> None:
    one = worker(site, "viewer", fuel)
    secret, recovery = _with_app(site, one)
    code = _code(site, secret, 1) if kind == "one_time_code" else recovery[0]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: _sign_in(site, one, **{kind: code}), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401]
    assert {answer.json().get("code") for answer in answers} == {None, "wrong_one_time_code"}


def test_an_office_of_people_with_apps_does_not_use_up_its_address(
    site: Site, fuel: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = worker(site, "viewer", fuel)
    _, recovery = _with_app(site, one)
    monkeypatch.setattr(tries, "MOST_OF_ADDRESS", 2)
    office = {"X-Forwarded-For": "192.0.2.201"}
    body = {"email": one.email, "password": PASSWORD}
    for code in recovery[:3]:
        first = site.call("POST", "/v1/sessions", body, headers=office)
        assert first.json()["code"] == "second_factor_required"
        assert site.call("POST", "/v1/sessions", {**body, "recovery_code": code}, headers=office).status_code == 201
    for status in (401, 401, 429):
        wrong = {"email": f"nobody-{status}@partner.example", "password": PASSWORD}
        assert site.call("POST", "/v1/sessions", wrong, headers=office).status_code == status


def test_whoever_is_signed_out_meanwhile_begins_no_session_anew(site: Site, fuel: Party) -> None:
    """Its transaction began while it was signed in, and waited for the one that shut it out."""
    one = worker(site, "viewer", fuel)
    with site.database.session.begin() as session:
        caller = bearers.bearer_of(session, one.token)
    assert caller is not None
    with site.database.session.begin() as session:
        PeopleService(session).shut_out(session.get_one(Person, one.id), by_network=True, actor="test")
    with (
        site.database.session.begin() as session,
        pytest.raises(ClearingError, match="not signed in any more"),
    ):
        PeopleService(session).locked(caller)


def test_the_apps_secret_is_encrypted_and_shown_once(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    secret, _ = _with_app(site, one)
    assert secret not in repr(_rows(site, "staff_people"))
    refused = one.call("POST", "/v1/profile/totp", {"password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (409, "second_factor_exists")
    assert one.call("POST", "/v1/profile/totp/remove", {}).json()["code"] == "wrong_password"
    assert one.post("/v1/profile/totp/remove", {"password": PASSWORD})["second_factor"] is False
    assert _sign_in(site, one).status_code == 201
    assert (
        one.call("POST", "/v1/profile/totp/confirm", {"one_time_code": "123456"}).json()["code"]
        == "second_factor_missing"
    )


def test_an_unconfirmed_app_asks_for_nothing(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    begun = one.post("/v1/profile/totp", {"password": PASSWORD})
    wrong = one.call("POST", "/v1/profile/totp/confirm", {"one_time_code": _code(site, begun["secret"], 9)})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_one_time_code")
    assert _sign_in(site, one).status_code == 201


def test_a_password_that_others_know_must_be_changed_first(site: Site, fuel: Party) -> None:
    one = worker(site, "admin", fuel, must_change_password=True)
    assert one.session["restriction"] == "password_change"
    for path in ("/v1/network", "/v1/staff", "/v1/events"):
        refused = one.call("GET", path)
        assert (refused.status_code, refused.json()["code"]) == (403, "password_change_required")
    assert one.get("/v1/profile")
    session = one.post("/v1/profile/password", {"password": PASSWORD, "new_password": NEW_PASSWORD})
    assert session["restriction"] is None
    assert site.get("/v1/staff", caller=session["token"])


def test_the_networks_people_set_up_an_app_first_where_it_is_required(database_url: str, tmp_path: Path) -> None:
    with Site(database_url, tmp_path, staff_require_totp=True) as strict:
        auditor, operator = worker(strict, "auditor"), worker(strict, "operator")
        assert auditor.get("/v1/network")
        assert operator.session["restriction"] == "second_factor"
        refused = operator.call("GET", "/v1/network")
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_setup_required")
        limited = operator.token
        _with_app(strict, operator)
        assert operator.token != limited
        assert operator.get("/v1/network")
        assert strict.call("GET", "/v1/sessions/current", caller=limited).status_code == 401


def test_the_sdk_manages_a_profile(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    url = str(site.http.base_url)
    with Client(url, one.token) as client:
        assert client.profile.change(name="By The SDK", language="en").name == "By The SDK"
        totp = client.profile.begin_totp(password=PASSWORD)
        assert totp.secret not in repr(totp)
        confirmed = client.profile.confirm_totp(one_time_code=_code(site, totp.secret))
        assert confirmed.recovery_codes[0] not in repr(confirmed)
    with Client(url) as stranger:
        with pytest.raises(SecondFactorRequiredError):
            stranger.sessions.create(email=one.email, password=PASSWORD)
        with pytest.raises(AuthenticationError) as wrong:
            stranger.sessions.create(email=one.email, password=PASSWORD, one_time_code="000000")
        assert not isinstance(wrong.value, SecondFactorRequiredError)
        session = stranger.sessions.create(
            email=one.email, password=PASSWORD, recovery_code=confirmed.recovery_codes[0]
        )
    with Client(url, session.token) as client:
        assert client.profile.get().recovery_codes_left == 9
        assert len(client.profile.renew_recovery_codes(password=PASSWORD).recovery_codes) == 10
        assert not client.profile.remove_totp(password=PASSWORD).second_factor
        changed = client.profile.change_password(password=PASSWORD, new_password=NEW_PASSWORD)
        with pytest.raises(AuthenticationError):
            client.profile.get()
    assert changed.token is not None


def _rows(site: Site, table: str) -> list[Any]:
    with site.database.engine.connect() as connection:
        return list(connection.exec_driver_sql(f"SELECT * FROM {table}").all())


def test_a_person_without_a_password_has_none_to_change(site: Site, fuel: Party) -> None:
    one = worker(site, "viewer", fuel)
    with site.database.session.begin() as session:
        session.get_one(Person, one.id).password_hash = None
    body = {"password": PASSWORD, "new_password": NEW_PASSWORD}
    refused = one.call("POST", "/v1/profile/password", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_password")
    assert one.get("/v1/profile")["has_password"] is False
    assert one.post("/v1/profile/totp")["secret"]
    site.refused("/v1/sessions", {"email": one.email, "password": PASSWORD}, "wrong_credentials", 401)
