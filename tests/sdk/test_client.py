"""Requests, retries, waiting, pages and errors of both clients."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

import tongdui
from tests.sdk.stand_in import Call, ProblemError, StandIn
from tongdui import AsyncClient, Client, Issue, LocalSigner
from tongdui._delivery import backoff


def problem(status: int, code: str, **members: Any) -> httpx.Response:
    return httpx.Response(status, json={"status": status, "code": code, "title": code, **members})


def answering(*answers: httpx.Response | Exception) -> tuple[Client, list[httpx.Request]]:
    """A client whose transport gives these answers in turn."""
    seen: list[httpx.Request] = []
    queue = list(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = queue.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client("http://gateway", "tdk_1_x", transport=httpx.MockTransport(handle)), seen


pytestmark = pytest.mark.usefixtures("slept")
MERCHANT = {"id": "mer_1", "number": 1, "name": "A", "status": "active"}


# --- retries


@pytest.mark.parametrize(
    "first",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("closed"),
        problem(409, "idempotency_in_flight"),
        problem(429, "rate_limited"),
        problem(502, "bad_gateway"),
        problem(503, "queue_full"),
        problem(504, "timeout"),
    ],
    ids=str,
)
def test_a_passing_failure_is_retried_with_the_same_key(first: httpx.Response | Exception) -> None:
    client, seen = answering(first, httpx.Response(201, json=MERCHANT))
    assert client.merchants.create(name="A", managed_key=True).id == "mer_1"
    keys = {request.headers["Idempotency-Key"] for request in seen}
    assert len(seen) == 2
    assert len(keys) == 1
    assert seen[0].content == seen[1].content


@pytest.mark.parametrize(
    ("status", "code"), [(400, "x"), (409, "duplicate_reference"), (422, "insufficient_points"), (500, "x")]
)
def test_a_refusal_is_not_retried(status: int, code: str) -> None:
    client, seen = answering(problem(status, code))
    with pytest.raises(tongdui.APIError):
        client.merchants.get("mer_1")
    assert len(seen) == 1


def test_retries_end(slept: list[float]) -> None:
    client, seen = answering(*[httpx.ConnectError("refused")] * 5)
    with pytest.raises(tongdui.APIConnectionError, match="GET /v1/merchants/mer_1: refused"):
        client.merchants.get("mer_1")
    assert len(seen) == 5
    assert len(slept) == 4


def test_retry_after_is_honoured(slept: list[float]) -> None:
    limited = problem(429, "rate_limited")
    limited.headers["Retry-After"] = "7"
    client, _ = answering(limited, httpx.Response(200, json=MERCHANT))
    client.merchants.get("mer_1")
    assert 7 <= slept[0] < 8


def test_a_very_long_retry_after_is_raised_and_not_slept_through(slept: list[float]) -> None:
    limited = problem(429, "rate_limited")
    limited.headers["Retry-After"] = "3600"
    client, _ = answering(limited)
    with pytest.raises(tongdui.RateLimitedError) as caught:
        client.merchants.get("mer_1")
    assert caught.value.retry_after == 3600
    assert slept == []


def test_backoff_grows_and_is_jittered() -> None:
    assert [backoff(n, None, 0) for n in range(7)] == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert [backoff(n, None, 1) for n in range(3)] == [0.125, 0.25, 0.5]


def test_each_call_has_its_own_key() -> None:
    client, seen = answering(*[httpx.Response(201, json=MERCHANT)] * 3)
    client.merchants.create(name="A", managed_key=True)
    client.merchants.create(name="A", managed_key=True)
    client.merchants.create(name="A", managed_key=True, idempotency_key="mine")
    keys = [request.headers["Idempotency-Key"] for request in seen]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize("key", ["", "with space", "ключ", "x" * 256])
def test_a_key_that_no_header_can_carry_is_refused_at_once(key: str) -> None:
    client, seen = answering()
    with pytest.raises(ValueError, match="idempotency key"):
        client.merchants.create(name="A", managed_key=True, idempotency_key=key)
    assert seen == []


# --- errors


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "unauthenticated", tongdui.AuthenticationError),
        (403, "insufficient_scope", tongdui.ForbiddenError),
        (404, "unknown_member", tongdui.NotFoundError),
        (409, "duplicate_reference", tongdui.DuplicateReferenceError),
        (409, "nonce_used", tongdui.NonceUsedError),
        (409, "something_new", tongdui.ConflictError),
        (422, "validation_failed", tongdui.ValidationError),
        (422, "insufficient_points", tongdui.InsufficientPointsError),
        (422, "insufficient_liquidity", tongdui.InsufficientLiquidityError),
        (422, "over_issuance_cap", tongdui.IssuanceCapError),
        (422, "over_daily_cap", tongdui.AgreementError),
        (422, "quote_expired", tongdui.QuoteExpiredError),
        (422, "wrong_signer", tongdui.AuthorizationError),
        (422, "something_new", tongdui.UnprocessableError),
        (403, "not_initiator", tongdui.ForbiddenError),
        (500, "internal", tongdui.ServerError),
        (418, "teapot", tongdui.APIError),
    ],
)
def test_problems_become_their_exceptions(status: int, code: str, kind: type[tongdui.APIError]) -> None:
    errors = [{"pointer": "/points", "detail": "too few"}]
    client, _ = answering(problem(status, code, detail="no", errors=errors, request_id="req_1"))
    with pytest.raises(tongdui.APIError) as caught:
        client.merchants.get("mer_1")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.detail, error.request_id) == (status, code, "no", "req_1")
    assert error.errors == (tongdui.FieldError("/points", "too few"),)
    assert "/points: too few" in str(error)


def test_an_error_that_is_no_problem_document_is_still_an_error() -> None:
    client, _ = answering(httpx.Response(500, text="<html>oops</html>", headers={"Request-Id": "req_9"}))
    with pytest.raises(tongdui.ServerError, match="oops") as caught:
        client.merchants.get("mer_1")
    assert (caught.value.code, caught.value.request_id) == ("http_500", "req_9")


def test_an_answer_of_another_shape_is_named() -> None:
    client, _ = answering(httpx.Response(200, json={"id": 3}))
    with pytest.raises(tongdui.APIError, match="the answer is not a valid Merchant"):
        client.merchants.get("mer_1")


def test_unknown_members_are_ignored() -> None:
    client, _ = answering(httpx.Response(200, json={**MERCHANT, "colour": "blue"}))
    assert client.merchants.get("mer_1").name == "A"


def test_models_cannot_be_changed() -> None:
    client, _ = answering(httpx.Response(200, json=MERCHANT))
    with pytest.raises(ValueError, match="frozen"):
        client.merchants.get("mer_1").name = "B"  # type: ignore[misc]


def test_secrets_do_not_show() -> None:
    key = {"id": "key_1", "role": "merchant", "secret": "tdk_very_secret"}
    client, _ = answering(httpx.Response(201, json=key))
    found = client.api_keys.create()
    assert found.secret == "tdk_very_secret"
    assert "very_secret" not in repr(found)
    code = tongdui.MemberCode(
        id="mcd_1",
        member="mem_1",
        state="live",
        code="K7Q2M-9XD4R",
        qr="tongdui:code:K7Q2M9XD4R",
        points=1,
        expires_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert "Q2M" not in repr(code)
    assert "tdk_1_x" not in repr(client)
    assert "11" * 32 not in repr(LocalSigner("11" * 32))


# --- over real HTTP


def test_health_reports_a_degraded_network(client: Client) -> None:
    health = client.health.get()
    assert health.status == "degraded"
    assert not health.checks["chain"].ok


def test_pages_are_walked_without_noticing(client: Client, gateway: StandIn) -> None:
    for n in range(7):
        gateway.merchant(f"m{n}", "0x" + f"{n:040x}")
    listed = client.merchants.list(page_size=4)
    assert [m.number for m in listed] == list(range(1, 10))
    assert [len(page.data) for page in listed.pages()] == [4, 4, 1]
    assert len(listed.page().data) == 4
    assert listed.page().next_cursor == "4"


def test_awkward_ids_reach_the_gateway_whole(client: Client, gateway: StandIn) -> None:
    client.members.create(external_id="a/b c?d#é")
    assert client.members.get("external:a/b c?d#é").external_id == "a/b c?d#é"


def test_a_key_is_revoked(client: Client) -> None:
    assert client.api_keys.revoke("key_1").revoked_at is not None


def test_a_key_is_limited() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(
            201, json={"id": "key_2", "role": "merchant", "parent": "key_1", "networks": ["10.0.0.0/8"]}
        )

    client = Client("http://gateway.test", "tdk_1_x", transport=httpx.MockTransport(answer))
    ends = datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    key = client.api_keys.create(scopes=["read"], expires_at=ends, networks=["10.0.0.0/8"])
    assert (key.parent, key.networks) == ("key_1", ("10.0.0.0/8",))
    body = json.loads(sent[0].content)
    assert (body["expires_at"], body["networks"]) == ("2026-01-01T00:00:00+00:00", ["10.0.0.0/8"])
    with pytest.raises(ValueError, match="expires_at has no time zone"):
        client.api_keys.create(scopes=["read"], expires_at=ends.replace(tzinfo=None))


def test_wait_prefers_and_then_polls(client: Client, gateway: StandIn) -> None:
    gateway.settle_at_once = False
    movement = client.issuances.create(program="FUEL", member="external:FC-1001", points=5, wait=50)
    assert movement.settled().points == 5
    first, *_ = [c for c in gateway.calls if c.path == "/v1/issuances"]
    assert first.headers["prefer"] == "wait=30"


def test_a_bulk_order_without_detail_has_movements_only_if_one_was_rejected(client: Client, gateway: StandIn) -> None:
    some = [Issue(program="FUEL", member="external:FC-1001", points=5, reference=f"a{n}") for n in range(3)]
    order = client.orders.create(some, detail=False, wait=5)
    assert (order.size, order.rejected_count, order.movements) == (3, 0, ())
    assert order.raise_for_rejection() is order
    assert gateway.calls[-1].headers["prefer"] == "wait=5, return=minimal"
    refused = Issue(program="FUEL", member="external:FC-1001", points=5, reference="b-refuse")
    order = client.orders.create([replace(some[0], reference="b"), refused], detail=False, wait=5)
    assert (order.rejected_count, len(order.movements)) == (1, 2)
    with pytest.raises(tongdui.RejectedError, match="program_paused"):
        order.raise_for_rejection()


def test_without_wait_the_movement_is_pending(client: Client, gateway: StandIn) -> None:
    gateway.settle_at_once = False
    movement = client.issuances.create(program="FUEL", member="external:FC-1001", points=5)
    assert not movement.is_final
    with pytest.raises(tongdui.PendingError, match="accepted"):
        movement.settled()
    assert client.issuances.wait(movement).is_settled


def test_a_rejection_by_the_chain_is_a_resource_until_it_is_asked(client: Client) -> None:
    movement = client.issuances.create(program="FUEL", member="external:FC-1001", points=5, reference="x-refuse")
    assert movement.state == "rejected"
    with pytest.raises(tongdui.RejectedError, match="program_paused") as caught:
        movement.settled()
    assert caught.value.reason == "program_paused"
    with pytest.raises(tongdui.RejectedError):
        movement.raise_for_rejection()


def test_the_async_client_does_the_same(gateway: StandIn, station: LocalSigner) -> None:
    async def story() -> tuple[int, list[int]]:
        async with AsyncClient(gateway.url, "tdk_1_x", signer=station) as client:
            movements = await asyncio.gather(
                *(
                    client.issuances.create(program="FUEL", member="external:FC-1001", points=n, wait=5)
                    for n in range(1, 31)
                )
            )
            assert all(m.is_settled for m in movements)
            numbers = [m.number async for m in client.merchants.list(page_size=1)]
            with pytest.raises(tongdui.NotFoundError):
                await client.programs.get("NOPE")
            return len(movements), numbers

    assert asyncio.run(story()) == (30, [1, 2])
    assert len({order.nonce for order in gateway.wires}) == 30


def test_the_api_key_is_for_the_gateway_alone(gateway: StandIn, station: LocalSigner) -> None:
    with Client(gateway.url, "tdk_1_x", signer=station, rpc_url=f"{gateway.url}/rpc") as client:
        client.network.get()
    sent = {call.path: call.headers.get("authorization") for call in gateway.calls}
    assert sent["/v1/network"] == "Bearer tdk_1_x"
    assert sent["/rpc"] is None


def test_a_lost_answer_does_not_issue_twice(client: Client, gateway: StandIn) -> None:
    """The gateway accepts the order, and the connection breaks before it can say so."""
    lost = []

    def lose_first_answer(call: Call) -> None:
        if call.path == "/v1/issuances" and not lost:
            lost.append(gateway.handle(call))
            raise ConnectionAbortedError

    gateway.faults.append(lose_first_answer)
    movement = client.issuances.create(program="FUEL", member="external:FC-1001", points=5)
    assert movement.id == lost[0][1]["id"]
    assert len(gateway.movements) == 1


def test_from_env(gateway: StandIn, station: LocalSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_URL", gateway.url)
    monkeypatch.setenv("TONGDUI_API_KEY", "tdk_1_env")
    with Client.from_env(signer=station) as client:
        client.network.get()
    assert gateway.calls[-1].headers["authorization"] == "Bearer tdk_1_env"


@pytest.mark.parametrize("url", ["gateway.example", "ftp://gateway.example"])
def test_a_base_url_without_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        Client(url)


def test_a_problem_during_signing_names_the_request(client: Client, gateway: StandIn) -> None:
    def refuse(call: Call) -> None:
        if call.path == "/v1/nonces":
            raise ProblemError(403, "insufficient_scope", "needs issue")

    gateway.faults.append(refuse)
    with pytest.raises(tongdui.ForbiddenError, match="req_42"):
        client.issuances.create(program="FUEL", member="external:FC-1001", points=5)
