"""The other issuer: what happens while it is away, slow or wrong, and how its configuration is checked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from clearing.kit.clock import Clock, MovableClock
from clearing.kit.config import Settings, SettingsError, load_settings
from clearing.kit.errors import ClearingError, Unavailable
from clearing.kit.signing.keyring import Keyring
from clearing.parties.staff.oidc import OidcProvider
from tests.support.ailing_issuer import AilingIssuer, some_keys


def _provider(issuer_url: str, clock: Clock | None = None) -> OidcProvider:
    settings = Settings(oidc_issuer=issuer_url, oidc_client_id="tongdui-console")
    return OidcProvider(settings, Keyring("only for tests"), clock or Clock())


def test_an_issuer_is_called_as_the_settings_say() -> None:
    named = Settings(oidc_issuer="https://issuer.example", oidc_name="Partner's directory")
    provider = OidcProvider(named, Keyring("only for tests"), Clock())
    assert [one.name for one in provider.issuers] == ["Partner's directory"]
    assert list(_provider("").issuers) == []


@pytest.mark.parametrize(("issuer_url", "code"), [("http://127.0.0.1:9", "oidc_unavailable"), ("", "no_oidc")])
def test_an_issuer_that_is_away_or_none_at_all_is_told_apart(issuer_url: str, code: str) -> None:
    with pytest.raises(ClearingError) as refused:
        _provider(issuer_url).authorization()
    assert refused.value.code == code


def test_that_an_issuer_does_not_answer_is_remembered_for_a_while() -> None:
    clock = MovableClock()
    with AilingIssuer((500, {})) as ailing:
        provider = _provider(ailing.url, clock)
        for _ in range(3):
            with pytest.raises(Unavailable) as refused:
                provider.authorization()
            assert refused.value.code == "oidc_unavailable"
        assert len(ailing.asked) == 1
        assert 0 < refused.value.retry_after <= 30
        clock.move(timedelta(seconds=31))
        ailing.answers = [ailing.described(), some_keys()]
        assert provider.authorization().url.startswith(f"{ailing.url}/authorization_endpoint?")
        assert provider.authorization().url
        assert len(ailing.asked) == 3


@pytest.mark.parametrize(
    ("changes", "keys", "named"),
    [
        ({"token_endpoint": None}, None, "token_endpoint"),
        ({"authorization_endpoint": "javascript:alert(1)", "jwks_uri": 5}, None, "authorization_endpoint, jwks_uri"),
        ({"token_endpoint_auth_methods_supported": "x"}, None, "token_endpoint_auth_methods_supported"),
        ({"issuer": "https://evil.example"}, None, "calls itself https://evil.example"),
        ({}, (200, {}), "keys cannot be read"),
        ({}, (200, {"keys": [{"kty": "RSA"}]}), "keys cannot be read"),
        ({}, (200, ["no object"]), "no JSON object"),
        ({"jwks_uri": "http://["}, None, "does not answer as it should"),
    ],
)
def test_what_an_issuer_says_wrongly_about_itself_is_named(changes: dict[str, Any], keys: Any, named: str) -> None:
    with AilingIssuer() as ailing:
        ailing.answers = [ailing.described(**changes), *([keys] if keys else [])]
        with pytest.raises(Unavailable, match=re.escape(named)):
            _provider(ailing.url).authorization()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((401, {"error": "invalid_client"}), "oidc_unavailable"),
        ((400, {"error": "unauthorized_client"}), "oidc_unavailable"),
        ((400, {"error": "invalid_grant"}), "oidc_failed"),
        ((400, None), "oidc_failed"),
        ((200, {}), "oidc_failed"),
        ((302, {}), "oidc_unavailable"),
    ],
)
def test_a_code_that_is_refused_and_a_network_that_is_refused_are_told_apart(answer: Any, code: str) -> None:
    with AilingIssuer() as ailing:
        ailing.answers = [ailing.described(), some_keys(), answer, ailing.described(), some_keys()]
        provider = _provider(ailing.url)
        state = provider.authorization().state
        with pytest.raises(ClearingError) as refused:
            provider.verified_email("a code", state)
    assert refused.value.code == code


def test_a_signature_that_fits_no_key_has_the_keys_looked_up_once_in_a_while() -> None:
    clock = MovableClock()
    with AilingIssuer() as ailing:
        ailing.answers = [ailing.described(), some_keys()] * 3
        provider = _provider(ailing.url, clock)
        flow = provider._flow("state")
        token = jwt.encode({"alg": "RS256"}, {"sub": "eve"}, RSAKey.generate_key(2_048))
        for asked in (4, 4):
            with pytest.raises(ClearingError, match="cannot be believed"):
                provider._claims(token, flow)
            assert len(ailing.asked) == asked
        clock.move(timedelta(minutes=2))
        with pytest.raises(ClearingError, match="cannot be believed"):
            provider._claims(token, flow)
        assert len(ailing.asked) == 6


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"oidc_issuer": "https://id.example"}, ["OIDC_CLIENT_ID: is not set", "OIDC_CLIENT_SECRET: is not set"]),
        ({"oidc_issuer": "https://id.example", "oidc_client_id": "x"}, ["OIDC_CLIENT_SECRET: is not set"]),
        ({"oidc_client_secret": "x"}, ["OIDC_ISSUER: is not set", "OIDC_CLIENT_ID: is not set"]),
        ({"oidc_issuer": "http://id.example"}, ["OIDC_ISSUER: must begin with https://"]),
    ],
)
def test_an_issuer_that_is_configured_by_half_is_refused_at_the_start(given: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(**given)
    for sentence in named:
        assert sentence in str(refused.value)
