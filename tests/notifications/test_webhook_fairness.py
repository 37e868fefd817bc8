"""No merchant's servers hold up another merchant's webhooks, and nobody's own requests are a way around the limits."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from clearing.kit.clock import SYSTEM_CLOCK
from clearing.kit.errors import RateLimited
from clearing.kit.viewer import Viewer
from clearing.notifications.webhooks import sending
from clearing.notifications.webhooks.delivery import Deliverer
from clearing.notifications.webhooks.models import DeliveryState, EndpointState, WebhookEndpoint
from clearing.notifications.webhooks.sending import Message, Sender, Undelivered
from clearing.notifications.webhooks.service import (
    MAX_ENDPOINTS,
    REPLAYS_OF_ENDPOINT,
    REPLAYS_OF_MERCHANT,
    WebhookService,
)
from clearing.notifications.webhooks.slots import OF_ENDPOINT, OF_MERCHANT, SLOTS, SLOTS_FOR_FAILING, Candidate, fill
from tests.support.hooked import Hooked
from tests.support.webhook_receiver import Request, WebhookReceiver

SILENT_URLS = MAX_ENDPOINTS


class Silent(WebhookReceiver):
    """A server that takes every request and answers none until it is told to."""

    def __init__(self) -> None:
        self.speak = threading.Event()
        self.waiting: Counter[str] = Counter()
        self.most = 0
        super().__init__(self._wait)

    def _wait(self, request: Request) -> int:
        self.waiting[request.body["subject"]] += 1
        self.most = max(self.most, self.waiting.total())
        self.speak.wait(120)
        self.waiting[request.body["subject"]] -= 1
        return 500


@pytest.fixture
def silent() -> Iterator[Silent]:
    with Silent() as server:
        try:
            yield server
        finally:
            server.speak.set()


@contextmanager
def delivering(*deliverers: Deliverer) -> Iterator[None]:
    """Deliverers at work, as in jobs, until the block ends."""
    over = threading.Event()

    def work(deliverer: Deliverer) -> None:
        while not over.is_set():
            deliverer.step()
            over.wait(0.02)

    threads = [threading.Thread(target=work, args=(deliverer,)) for deliverer in deliverers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -------------------------------------------------------------------- servers that do not answer


def test_twenty_silent_endpoints_hold_nobody_up(hooked: Hooked, receiver: WebhookReceiver, silent: Silent) -> None:
    """They delayed another merchant's webhooks from one second to 105."""
    for number in range(SILENT_URLS):
        hooked.endpoint(f"{silent.url}/{number}")
    for number in range(10):
        hooked.record(f"hostile {number}")
    hooked.endpoint(receiver.url, merchant=2)
    for number in range(30):
        hooked.record(f"honest {number}", merchant=2)
    other = Deliverer(hooked.chainless.database, hooked.settings, hooked.chainless.keyrings.webhook_secrets)
    with delivering(hooked.deliverer, other):
        eventually(lambda: silent.waiting.total() == OF_MERCHANT)
        eventually(lambda: len(receiver.seen) == 30)
        late = hooked.record("late", merchant=2)
        eventually(lambda: receiver.seen[-1].headers["webhook-id"] == late)
        assert silent.waiting.total() == OF_MERCHANT, "nothing was answered meanwhile, and nothing more was sent"
        assert silent.most == OF_MERCHANT, "two processes count together"
        silent.speak.set()
    other.close()


def test_of_a_failing_endpoint_one_delivery_shows_whether_the_next_would_fail(
    hooked: Hooked, receiver: WebhookReceiver, silent: Silent
) -> None:
    endpoint, _ = hooked.endpoint(silent.url)
    hooked.change(WebhookEndpoint, failures=1)
    for number in range(10):
        hooked.record(f"s{number}")
    with delivering(hooked.deliverer):
        eventually(lambda: silent.waiting.total() == 1)
        hooked.endpoint(receiver.url)  # the merchant's other one goes on
        hooked.record("more")
        eventually(lambda: len(receiver.seen) == 1)
        assert silent.most == 1
        silent.speak.set()
        silent.reply = lambda _: 200
        eventually(lambda: hooked.stored(endpoint).failures == 0)


def test_an_answer_that_drips_holds_its_slot_no_longer_than_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_BODY_SECONDS", 0.05)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nslow")
                while not over.wait(0.01):
                    connection.sendall(b".")

        thread = threading.Thread(target=drip)
        thread.start()
        message = Message("evt_1", SYSTEM_CLOCK.now(), "{}")
        try:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/"
            answer = Sender(seconds=600, allow_local=True).send(url, message, [bytes(32)])
        finally:
            over.set()
            thread.join()
    assert answer.status == 200
    assert answer.beginning.startswith("slow")


def test_a_name_server_that_hangs_gains_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(120) and [])
    message = Message("evt_1", SYSTEM_CLOCK.now(), "{}")
    try:
        with pytest.raises(Undelivered):
            Sender(seconds=0.05, allow_local=True).send("https://shop.example/", message, [bytes(32)])
        assert not over.is_set()
    finally:
        over.set()


# -------------------------------------------------------------------- who gets the free slots


def _candidates(*of_merchants: int, failing: bool = False, in_flight: int = 0) -> list[Candidate]:
    since = datetime(2026, 1, 1).astimezone()
    return [
        Candidate(f"{merchant}/{place}", merchant, failing, in_flight, since + timedelta(seconds=place))
        for place, merchant in enumerate(of_merchants)
    ]


def _filled(
    candidates: list[Candidate], free: int = SLOTS, failing: int = SLOTS_FOR_FAILING, due: int = 99
) -> Counter[str]:
    return Counter(
        fill(candidates, lambda endpoint, limit: [endpoint] * min(due, limit), free=free, for_failing=failing)
    )


def _by_merchant(filled: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for endpoint, count in filled.items():
        found[endpoint.partition("/")[0]] += count
    return found


def test_the_next_slot_is_for_whoever_has_the_fewest() -> None:
    many = _candidates(1, 1, 1, 2, 3)
    assert _by_merchant(_filled(many, free=3)) == {"1": 1, "2": 1, "3": 1}
    assert _by_merchant(_filled(many)) == {"1": OF_MERCHANT, "2": OF_MERCHANT, "3": OF_MERCHANT}
    assert sorted(_filled(_candidates(1, 1), free=6).values()) == [3, 3]
    assert _filled(_candidates(1)) == {"1/0": OF_ENDPOINT}


def test_what_other_processes_have_on_their_way_counts() -> None:
    assert _filled(_candidates(1, in_flight=OF_ENDPOINT)) == {}
    busy = [*_candidates(1, in_flight=OF_MERCHANT - 1), Candidate("1/idle", 1, False, 0, SYSTEM_CLOCK.now())]
    assert _filled(busy) == {"1/idle": 1}


def test_failing_endpoints_have_one_request_each_and_half_of_the_slots_together() -> None:
    assert _filled(_candidates(1, failing=True)) == {"1/0": 1}
    failing = _candidates(*range(SLOTS), failing=True)
    honest = [Candidate("99/0", 99, False, 0, SYSTEM_CLOCK.now())]
    filled = _filled([*failing, *honest])
    assert filled.total() == SLOTS_FOR_FAILING + OF_ENDPOINT
    assert filled["99/0"] == OF_ENDPOINT


def test_an_endpoint_whose_events_all_wait_takes_no_slot() -> None:
    """What is due may wait for an older event of its subject."""
    filled = fill(_candidates(1, 2), lambda endpoint, _: ["2"] if endpoint == "2/1" else [], free=1, for_failing=1)
    assert filled == ["2"]


# -------------------------------------------------------------------- no way around a rest


def _in_service(hooked: Hooked, action: Callable[[WebhookService], Any]) -> Any:
    with hooked.chainless.database.session.begin() as session:
        return action(
            WebhookService(session, keyring=hooked.chainless.keyrings.webhook_secrets, settings=hooked.settings)
        )


def _change(hooked: Hooked, endpoint: str, **changes: Any) -> None:
    wanted = dict.fromkeys(("url", "types", "description", "enabled")) | changes
    _in_service(hooked, lambda service: service.change(service.visible(Viewer(1), endpoint), actor="test", **wanted))


def _replay(hooked: Hooked, endpoint: str, *events: str, since: datetime | None = None) -> int:
    found: int = _in_service(
        hooked,
        lambda service: service.replay(
            service.visible(Viewer(1), endpoint), since=since, event_ids=events, actor="test"
        ),
    )
    return found


def _resting(hooked: Hooked, receiver: WebhookReceiver) -> tuple[str, str]:
    """An endpoint that rests, and an event that it has not received."""
    receiver.reply = lambda _: 500
    endpoint, _ = hooked.endpoint(receiver.url)
    event = hooked.record("a")
    hooked.deliverer.step()
    hooked.change(WebhookEndpoint, failures=9, rests_until=SYSTEM_CLOCK.now() + timedelta(hours=1))
    receiver.reply = lambda _: 200
    receiver.requests.clear()
    return endpoint, event


@pytest.mark.parametrize(
    "changes", [{"enabled": True}, {"description": "new"}, {"types": ["test.*"]}, {"url": "/other"}], ids=str
)
def test_a_change_does_not_end_a_rest(hooked: Hooked, receiver: WebhookReceiver, changes: dict[str, Any]) -> None:
    endpoint, _ = _resting(hooked, receiver)
    if "url" in changes:
        changes = {"url": receiver.url + changes["url"]}
    _change(hooked, endpoint, enabled=False)
    _change(hooked, endpoint, **{"enabled": True} | changes)
    hooked.record("b")
    hooked.deliver()
    assert receiver.requests == []
    stored = hooked.stored(endpoint)
    assert (stored.state, stored.failures) == (EndpointState.ENABLED, 9)


def test_one_event_that_is_asked_for_again_ends_a_rest_if_it_arrives(hooked: Hooked, receiver: WebhookReceiver) -> None:
    endpoint, event = _resting(hooked, receiver)
    hooked.record("b")
    _replay(hooked, endpoint, event)
    hooked.deliver()
    assert len(receiver.seen) == 2
    assert {delivery.state for delivery in hooked.deliveries()} == {DeliveryState.DELIVERED}
    assert hooked.stored(endpoint).failures == 0


def test_one_event_that_is_asked_for_again_in_vain_lets_the_endpoint_rest(
    hooked: Hooked, receiver: WebhookReceiver
) -> None:
    endpoint, event = _resting(hooked, receiver)
    for number in range(5):
        hooked.record(f"b{number}")
    receiver.reply = lambda _: 500
    _replay(hooked, endpoint, event)
    hooked.deliver()
    assert len(receiver.requests) == 1, "one shows it"
    rests_until = hooked.stored(endpoint).rests_until
    assert rests_until is not None
    assert rests_until > SYSTEM_CLOCK.now()


def test_events_are_sent_again_only_so_often(hooked: Hooked, receiver: WebhookReceiver) -> None:
    endpoints = [hooked.endpoint(f"{receiver.url}/{number}")[0] for number in range(4)]
    event = hooked.record("a")
    for _ in range(REPLAYS_OF_ENDPOINT):
        _replay(hooked, endpoints[0], event)
    with pytest.raises(RateLimited) as refusal:
        _replay(hooked, endpoints[0], event)
    assert refusal.value.code == "replay_too_soon"
    assert 0 < refusal.value.retry_after <= 60
    for _ in range(REPLAYS_OF_MERCHANT - REPLAYS_OF_ENDPOINT):
        _replay(hooked, endpoints[1], event)
    with pytest.raises(RateLimited):
        _replay(hooked, endpoints[2], event)
    hooked.change(WebhookEndpoint, replays_since=SYSTEM_CLOCK.now() - timedelta(seconds=61))
    since = SYSTEM_CLOCK.now() - timedelta(hours=1)
    assert _replay(hooked, endpoints[0], since=since) == 1
    with pytest.raises(RateLimited):
        _replay(hooked, endpoints[0], event)
    assert _replay(hooked, endpoints[1], event) == 1


def test_asking_again_does_not_send_twice_at_the_same_time(hooked: Hooked, silent: Silent) -> None:
    """Otherwise a merchant could have as many requests on their way as it likes."""
    endpoint, _ = hooked.endpoint(silent.url)
    event = hooked.record("a")
    with delivering(hooked.deliverer):
        eventually(lambda: silent.waiting.total() == 1)
        _replay(hooked, endpoint, event)
        hooked.record("b")  # once it is on its way, the deliverer has looked again
        eventually(lambda: silent.waiting["b"] == 1)
        assert silent.waiting == {"a": 1, "b": 1}
        silent.reply = lambda _: 200
        silent.speak.set()
        eventually(lambda: [request.body["subject"] for request in silent.requests].count("a") == 2)
