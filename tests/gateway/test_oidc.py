"""Signing in at another issuer, over real HTTP: a provider of OpenID Connect in the same process."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from clearing.kit.errors import ClearingError
from clearing.parties.staff import issuer as issuer_module
from clearing.parties.staff import tries
from clearing.parties.staff.issuer import IssuerDirectory
from clearing.parties.staff.oidc import OidcProvider
from tests.gateway.site import Party, Site, until
from tests.gateway.staff import PASSWORD, worker
from tests.support.ailing_issuer import AilingIssuer
from tests.support.other_issuer import other_issuer
from tongdui import Client, ForbiddenError

CLIENT_ID = "tongdui-console"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with other_issuer() as url:
        yield url


@pytest.fixture(scope="module")
def site(module_database_url: str, issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = {"oidc_issuer": issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": "s e:cret"}
    with Site(module_database_url, tmp_path_factory.mktemp("keys"), staff_require_totp=True, **options) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def li(site: Site, fuel: Party) -> Any:
    return worker(site, "manager", fuel, email="li@partner.example", name="Li Na", must_change_password=True)


def _come_back(site: Site, sub: str) -> dict[str, str]:
    """What a person's browser brings back from the issuer."""
    begun = site.http.get("/v1/sessions/oidc").json()
    query = parse_qs(urlsplit(begun["authorization_url"]).query)
    assert query["state"] == [begun["state"]]
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == ["http://127.0.0.1:8088/sign-in/oidc"]
    answer = httpx.post(begun["authorization_url"], data={"sub": sub, "action": "authorize"}, timeout=60)
    assert answer.status_code == 302, answer.text
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == [begun["state"]]
    return {"code": back["code"][0], "state": back["state"][0]}


def test_a_person_with_a_verified_address_comes_in(site: Site, li: Any) -> None:
    session = site.post("/v1/sessions/oidc", _come_back(site, "li"))
    assert (session["person"]["id"], session["restriction"]) == (li.id, None)
    shown = site.get("/v1/sessions", caller=session["token"])["data"][0]
    assert (shown["method"], shown["second_factor"]) == ("oidc", True)
    assert site.get("/v1/network", caller=session["token"])


@pytest.mark.parametrize(
    ("sub", "status", "code"),
    [
        ("eve", 401, "oidc_failed"),
        ("nobody", 403, "oidc_no_person"),
        ("lookalike", 403, "oidc_no_person"),
        ("neighbour", 403, "oidc_no_person"),
    ],
)
def test_nobody_else_comes_in(site: Site, fuel: Party, sub: str, status: int, code: str) -> None:
    if sub == "neighbour":
        worker(site, "viewer", fuel, email="li@straße.example")  # another domain than `strasse.example`
    site.refused("/v1/sessions/oidc", _come_back(site, sub), code, status)


def test_a_code_is_good_once_and_only_with_its_state(site: Site) -> None:
    first, second = _come_back(site, "li"), _come_back(site, "li")
    mixed = {"code": first["code"], "state": second["state"]}
    site.refused("/v1/sessions/oidc", mixed, "oidc_failed", 401)
    good = _come_back(site, "li")
    site.post("/v1/sessions/oidc", good)
    site.refused("/v1/sessions/oidc", good, "oidc_failed", 401)


def test_a_state_is_ours_and_young(site: Site) -> None:
    answer = _come_back(site, "li")
    for state in (answer["state"][:-1] + "g", "x", "", "9" * 20 + ".1799999999.00", "\ud800"):
        refused = site.call("POST", "/v1/sessions/oidc", {**answer, "state": state})
        assert refused.json()["code"] in ("oidc_failed", "validation_failed", "bad_request"), refused.text
    site.clock.move(timedelta(minutes=11))
    try:
        site.refused("/v1/sessions/oidc", answer, "oidc_failed", 401)
    finally:
        site.clock.move(timedelta(minutes=-11))


def test_a_disabled_person_does_not_come_in(site: Site, fuel: Party, li: Any) -> None:
    admin = worker(site, "admin", fuel)
    admin.post(f"/v1/staff/{li.id}/disable")
    site.refused("/v1/sessions/oidc", _come_back(site, "li"), "oidc_no_person", 403)
    admin.post(f"/v1/staff/{li.id}/enable")


@pytest.mark.parametrize("fault", ["issuer", "audience", "expired", "nonce", "key", "none", "shared"])
def test_a_forged_id_token_is_not_believed(site: Site, issuer: str, fault: str) -> None:
    provider = site.app.state.gateway.oidc
    flow = provider._flow("state")
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": CLIENT_ID,
        "sub": "li",
        "email": "li@partner.example",
        "email_verified": True,
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
        "nonce": flow.nonce,
    }
    claims |= {"issuer": {"iss": "https://evil.example"}, "audience": {"aud": "another"}, "nonce": {"nonce": "x"}}.get(
        fault, {}
    )
    claims |= {"exp": int(time.time()) - 3_600} if fault == "expired" else {}
    key, header = RSAKey.generate_key(2_048), {"alg": "RS256"}
    if fault == "shared":
        key, header = OctKey.import_key("s e:cret" * 8), {"alg": "HS256"}
    token = jwt.encode(header, claims, key)
    if fault == "none":
        token = re.sub(r"^[^.]*\.([^.]*)\..*$", r"eyJhbGciOiJub25lIn0.\1.", token)
    if fault not in ("key", "none", "shared"):
        issuers = provider._issuers
        issuers._known = replace(issuers.issuer(), keys=KeySet([key]))
    with pytest.raises(ClearingError) as refused:
        provider._claims(token, flow)
    assert refused.value.code == "oidc_failed"
    provider._issuers._known = None


def test_the_issuer_is_named_to_whoever_wants_to_sign_in(site: Site, issuer: str) -> None:
    assert site.http.get("/v1/sessions/issuers").json() == {"data": [{"name": urlsplit(issuer).netloc, "url": issuer}]}
    named = site.settings.model_copy(update={"oidc_name": "Partner's directory"})
    keyring = site.app.state.gateway.keyrings.staff_secrets
    assert [one.name for one in OidcProvider(named, keyring, site.clock).issuers] == ["Partner's directory"]
    without = named.model_copy(update={"oidc_issuer": ""})
    assert list(OidcProvider(without, keyring, site.clock).issuers) == []


def test_whoever_signs_in_here_does_not_wait_for_the_other_issuer(
    site: Site, li: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "_TIMEOUT", 600.0)
    monkeypatch.setattr(issuer_module, "_PATIENCE", 600.0)
    with AilingIssuer() as silent, ThreadPoolExecutor(6) as pool:
        monkeypatch.setattr(site.app.state.gateway.oidc, "_issuers", IssuerDirectory(silent.url, site.clock))
        waiting = [pool.submit(site.call, "GET", "/v1/sessions/oidc") for _ in range(6)]
        until(lambda: silent.asked)
        assert site.post("/v1/sessions", {"email": li.email, "password": PASSWORD})["token"]
        assert not any(one.done() for one in waiting)
        silent.released.set()
        assert {one.result().status_code for one in waiting} == {503}
        assert len(silent.asked) == 1, "one asks, and all others hear what came of it"


def test_good_sign_ins_do_not_use_up_the_attempts_of_an_address(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MOST_OF_ADDRESS", 2)
    address = {"X-Forwarded-For": "192.0.2.77"}
    for _ in range(4):
        answer = site.call("POST", "/v1/sessions/oidc", _come_back(site, "li"), headers=address)
        assert answer.status_code == 201, answer.text
    for status in (403, 403, 429):
        assert site.call("POST", "/v1/sessions/oidc", _come_back(site, "nobody"), headers=address).status_code == status


def test_an_issuer_that_is_away_uses_up_no_attempts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MOST_OF_ADDRESS", 2)
    address = {"X-Forwarded-For": "192.0.2.78"}
    answer = _come_back(site, "li")
    with monkeypatch.context() as away:
        away.setattr(site.app.state.gateway.oidc, "_issuers", IssuerDirectory("http://localhost:9", site.clock))
        for _ in range(4):
            refused = site.call("POST", "/v1/sessions/oidc", answer, headers=address)
            assert (refused.status_code, refused.json()["code"]) == (503, "oidc_unavailable")
    assert site.call("POST", "/v1/sessions/oidc", answer, headers=address).status_code == 201


def test_the_sdk_signs_in_by_the_issuer(site: Site) -> None:
    with Client(str(site.http.base_url)) as client:
        assert client.sessions.issuers().data[0].url.startswith("http://localhost:")
        begun = client.sessions.begin_oidc()
        assert begun.authorization_url.startswith("http://localhost:")
        session = client.sessions.create_by_oidc(**_come_back(site, "li"), address="192.0.2.7")
        assert session.token is not None
        with pytest.raises(ForbiddenError):
            client.sessions.create_by_oidc(**_come_back(site, "nobody"))
