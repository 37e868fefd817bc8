"""What a partner's own test suite looks like with `tongdui.testing`: nothing here imports anything but the SDK."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tongdui import AsyncClient, ConflictError, InsufficientPointsError, Member, VerificationError, webhooks

if TYPE_CHECKING:  # or it would be imported before pytest can rewrite it
    from tongdui.testing import Network, Participant

pytest_plugins = ["tongdui.testing"]

pytestmark = pytest.mark.timeout(900)
WAIT = 60.0


@pytest.fixture(scope="module")
def station(tongdui_network: Network) -> Participant:
    return tongdui_network.join("FUEL")


@pytest.fixture(scope="module")
def cinema(tongdui_network: Network, station: Participant) -> Participant:
    cinema = tongdui_network.join("CINE")
    assert tongdui_network.agree(station, cinema, rate="9/10").state == "active"
    return cinema


@pytest.fixture
def member(station: Participant, request: pytest.FixtureRequest) -> Member:
    """A customer with 100 points."""
    member = station.client.members.create(external_id=request.node.name)
    station.client.issuances.create(program="FUEL", member=member, points=100, wait=WAIT).settled()
    return member


def available(station: Participant, member: Member) -> int:
    return next(a.available for a in station.client.members.accounts(member) if a.program == "FUEL")


def test_a_hold_is_captured_in_part(station: Participant, member: Member) -> None:
    holds = station.client.holds
    hold = holds.create(program="FUEL", member=member, points=60, expires_in=600, reference="pump-3")
    assert hold.is_pending
    assert available(station, member) == 40
    with pytest.raises(InsufficientPointsError):
        station.client.redemptions.create(program="FUEL", member=member, points=41)

    movement = holds.capture(hold, points=25, reference="sale-9", wait=WAIT)
    assert (movement.object, movement.settled().points) == ("redemption", 25)
    assert available(station, member) == 75
    ended = holds.get(hold.id)
    assert (ended.state, ended.captured, ended.movement) == ("captured", 25, movement.id)
    with pytest.raises(ConflictError) as refused:
        holds.capture(hold, points=1)
    assert refused.value.code == "hold_ended"
    assert [found.id for found in holds.list(member=member, reference="pump-3")] == [hold.id]


def test_a_hold_becomes_an_exchange(station: Participant, cinema: Participant, member: Member) -> None:
    hold = station.client.holds.create(program="FUEL", member=member, points=50)
    movement = station.client.holds.capture(hold.id, target_program="CINE", wait=WAIT)
    assert (movement.object, movement.settled().out) == ("exchange", 45)


def test_a_hold_is_released(station: Participant, member: Member) -> None:
    hold = station.client.holds.create(program="FUEL", member=member, points=100)
    assert available(station, member) == 0
    assert station.client.holds.release(hold).state == "released"
    assert station.client.holds.release(hold).state == "released"
    assert available(station, member) == 100


def test_holds_are_there_for_async_clients(tongdui_network: Network, station: Participant, member: Member) -> None:
    async def run() -> None:
        async with AsyncClient(tongdui_network.url, station.api_key, signer=station.signer) as client:
            hold = await client.holds.create(program="FUEL", member=member, points=10)
            movement = await client.holds.capture(hold, wait=WAIT)
            assert movement.settled().points == 10
            assert [found.state async for found in client.holds.list(member=member)] == ["captured"]

    asyncio.run(run())


class Hook:
    """A partner's own server."""

    def __init__(self) -> None:
        self.secret = ""
        self.events: list[webhooks.WebhookEvent] = []
        self.first: tuple[bytes, dict[str, str]] = (b"", {})
        self.arrived = threading.Event()


@pytest.fixture
def hook() -> Iterator[tuple[Hook, str]]:
    found = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.events.append(webhooks.verify(body, dict(self.headers), found.secret))
            found.first = (body, dict(self.headers))
            self.send_response(204)
            self.end_headers()
            found.arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found, f"http://127.0.0.1:{server.server_port}/tongdui"
    server.shutdown()
    server.server_close()


def test_webhooks_arrive_and_are_verified(station: Participant, member: Member, hook: tuple[Hook, str]) -> None:
    received, url = hook
    endpoints = station.client.webhook_endpoints
    endpoint = endpoints.create(url=url, types=["order.settled"], description="till 1")
    assert endpoint.secret is not None
    received.secret = endpoint.secret
    assert endpoints.get(endpoint.id).secret is None

    movement = station.client.redemptions.create(program="FUEL", member=member, points=1, wait=WAIT)
    assert received.arrived.wait(WAIT)
    (event,) = received.events
    assert (event.type, event.subject) == ("order.settled", movement.order)
    body, headers = received.first
    assert webhooks.verify(body.decode(), headers, ["whsec_b3RoZXI=", endpoint.secret]).id == event.id
    for wrong in (
        (body + b" ", headers, endpoint.secret),
        (body, {}, endpoint.secret),
        (body, headers, "whsec_b3RoZXI="),
    ):
        with pytest.raises(VerificationError):
            webhooks.verify(*wrong)

    assert next(iter(endpoints.deliveries(endpoint))).event == event.id
    received.arrived.clear()
    assert endpoints.replay(endpoint, events=[event.id]).events == 1
    assert received.arrived.wait(WAIT)
    assert [repeated.id for repeated in received.events] == [event.id, event.id]

    assert endpoints.change(endpoint, enabled=False).state == "disabled"
    assert endpoints.renew_secret(endpoint).secret not in (None, endpoint.secret)
    endpoints.remove(endpoint)
    assert endpoint.id not in [left.id for left in endpoints.list()]


def test_webhook_endpoints_are_there_for_async_clients(tongdui_network: Network, station: Participant) -> None:
    async def run() -> None:
        async with AsyncClient(tongdui_network.url, station.api_key) as client:
            endpoint = await client.webhook_endpoints.create(url="http://localhost:9/none", types=["hold.*"])
            assert endpoint.id in [found.id async for found in client.webhook_endpoints.list()]
            assert [d async for d in client.webhook_endpoints.deliveries(endpoint)] == []
            await client.webhook_endpoints.remove(endpoint)

    asyncio.run(run())
