"""Requests without an Idempotency-Key: the gateway receives them once at most, whatever becomes of the answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import tongdui
from tests.sdk.stand_in import Call, StandIn
from tests.sdk.test_client import answering, problem
from tongdui import AsyncClient, Client, OutcomeUnknownError
from tongdui._unkeyed import ONCE, REPEATABLE, advice_of, takes_key

_OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.json"
_SESSION = {
    "id": "ses_1",
    "token": "tds_1",
    "person": {"id": "stf_1", "name": "Li", "email": "li@partner.example", "language": "zh", "second_factor": False},
    "seat": {"id": "sea_1", "role": "merchant", "title": "viewer", "merchant": "mer_1", "merchant_name": "Gas"},
    "seats": [],
    "restriction": None,
    "created_at": "2026-01-01T00:00:00Z",
    "expires_at": "2026-01-02T00:00:00Z",
}
LOST: list[httpx.Response | Exception] = [
    httpx.ReadTimeout("late"),
    httpx.RemoteProtocolError("closed"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.Response(502, text="Bad Gateway"),
    httpx.Response(503, text="no upstream"),
    httpx.Response(504, text="Gateway Timeout"),
    problem(503, "database_unavailable"),
]
CALLS: list[Callable[[Any], Any]] = [
    lambda client: client.sessions.create(email="li@partner.example", password="x"),
    lambda client: client.sessions.create_by_oidc(code="c", state="s"),
    lambda client: client.sessions.end(),
    lambda client: client.invitations.accept("tdi_1", password="x"),
    lambda client: client.profile.change_password(password="x", new_password="y"),
    lambda client: client.profile.begin_totp(password="x"),
    lambda client: client.profile.confirm_totp(one_time_code="123456"),
    lambda client: client.profile.remove_totp(password="x"),
    lambda client: client.profile.renew_recovery_codes(password="x"),
    lambda client: client.password_resets.request("li@partner.example"),
    lambda client: client.password_resets.perform("tdr_1", password="y"),
]


def _once(call: Callable[[Any], Any], answer: httpx.Response | Exception) -> tuple[OutcomeUnknownError, list[Any]]:
    client, seen = answering(answer)
    with pytest.raises(OutcomeUnknownError) as caught:
        call(client)
    return caught.value, seen


@pytest.mark.parametrize("call", CALLS)
def test_a_lost_answer_is_not_asked_for_again(call: Callable[[Any], Any]) -> None:
    error, seen = _once(call, httpx.ReadTimeout("late"))
    (request,) = seen
    assert "Idempotency-Key" not in request.headers
    assert error.advice == ONCE[request.method, request.url.path]
    assert f"{request.method} {request.url.path}: late" in str(error)
    assert "Whether it was carried out is unknown" in str(error)
    assert error.advice in str(error)
    assert isinstance(error, tongdui.APIConnectionError)


@pytest.mark.parametrize("answer", LOST, ids=repr)
def test_whatever_loses_the_answer_leaves_the_outcome_unknown(answer: httpx.Response | Exception) -> None:
    assert len(_once(CALLS[0], answer)[1]) == 1


@pytest.mark.parametrize(
    "never", [httpx.ConnectError("refused"), httpx.ConnectTimeout("late"), httpx.PoolTimeout("busy")], ids=repr
)
def test_a_connection_that_was_never_made_is_tried_again(never: Exception, slept: list[float]) -> None:
    client, seen = answering(never, httpx.Response(201, json=_SESSION))
    assert client.sessions.create(email="li@partner.example", password="x").id == "ses_1"
    assert (len(seen), len(slept)) == (2, 1)
    client, _ = answering(*[never] * 5)
    with pytest.raises(tongdui.APIConnectionError) as caught:
        client.sessions.create(email="li@partner.example", password="x")
    assert not isinstance(caught.value, OutcomeUnknownError)  # nothing was sent, so nothing has happened


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (503, "oidc_unavailable")])
def test_what_the_gateway_itself_refuses_is_raised_as_it_is(status: int, code: str) -> None:
    client, seen = answering(problem(status, code))
    with pytest.raises(tongdui.APIError) as caught:
        client.sessions.create(email="li@partner.example", password="x")
    assert (caught.value.code, len(seen)) == (code, 1)


@pytest.mark.parametrize(
    "call",
    [lambda client: client.sessions.take_seat("sea_1"), lambda client: client.sessions.current()],
)
def test_what_does_no_harm_twice_is_sent_until_it_is_answered(call: Callable[[Any], Any]) -> None:
    client, seen = answering(httpx.ReadTimeout("late"), httpx.Response(200, json=_SESSION))
    assert call(client).id == "ses_1"
    assert len(seen) == 2
    assert all("Idempotency-Key" not in request.headers for request in seen)


def test_the_async_client_does_the_same() -> None:
    seen = []

    def lose(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        raise httpx.ReadTimeout("late")

    async def run() -> None:
        async with AsyncClient("http://gateway", transport=httpx.MockTransport(lose)) as client:
            for number, call in enumerate(CALLS, 1):
                with pytest.raises(OutcomeUnknownError):
                    await call(client)
                assert len(seen) == number

    asyncio.run(run())


def test_a_connection_that_breaks_after_the_request_sends_no_second_mail(gateway: StandIn, slept: list[float]) -> None:
    def lose(_: Call) -> None:
        raise ConnectionAbortedError

    gateway.faults.append(lose)
    with Client(gateway.url) as client, pytest.raises(OutcomeUnknownError, match="whether the mail comes"):
        client.password_resets.request("li@partner.example")
    assert [call.path for call in gateway.calls] == ["/v1/password_resets"]
    assert slept == []


def test_the_routes_without_a_key_are_those_that_the_gateway_documents() -> None:
    documented = {
        (method.upper(), re.sub(r"{[^}]*}", "{}", path))
        for path, operations in json.loads(_OPENAPI.read_text())["paths"].items()
        for method, operation in operations.items()
        if method != "get" and "Idempotency-Key" not in {one["name"] for one in operation.get("parameters", [])}
    }
    assert REPEATABLE | ONCE.keys() == documented
    assert not REPEATABLE & ONCE.keys()


def test_a_key_that_would_do_nothing_is_refused() -> None:
    client, seen = answering()
    with pytest.raises(ValueError, match="POST /v1/sessions takes no Idempotency-Key"):
        client._driver.run(client._submitter.gateway.send("POST", "/v1/sessions", key="mine"))
    assert seen == []


def test_other_routes_have_keys() -> None:
    assert takes_key("POST", "/v1/invitations")
    assert takes_key("DELETE", "/v1/api_keys/key_1")
    assert not takes_key("DELETE", "/v1/sessions/ses_1")
    assert advice_of("DELETE", "/v1/sessions/ses_1") is None
