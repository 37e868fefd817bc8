"""Webhooks: signed, at least once, in order per subject, retried, replayable, and never into our own network."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import threading
import time
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from clearing.kit.clock import SYSTEM_CLOCK
from clearing.kit.errors import InvalidRequest, NotFound
from clearing.kit.events import gaps
from clearing.kit.events.models import EventCursor
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.viewer import Viewer
from clearing.notifications.webhooks import fanout
from clearing.notifications.webhooks.delivery import Deliverer, pause_after
from clearing.notifications.webhooks.models import (
    DeliveryState,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
)
from clearing.notifications.webhooks.sending import (
    ANSWER_BYTES,
    ForbiddenAddress,
    Message,
    Sender,
    Undelivered,
    is_public,
)
from clearing.notifications.webhooks.service import WebhookService, check_url
from clearing.notifications.webhooks.slots import OF_ENDPOINT
from tests.support.hooked import Hooked
from tests.support.webhook_receiver import WebhookReceiver


def test_an_event_arrives_signed_with_its_id_and_what_happened(hooked: Hooked, receiver: WebhookReceiver) -> None:
    _, secret = hooked.endpoint(receiver.url)
    event = hooked.record("ord_1", 7)
    hooked.deliver()
    (request,) = receiver.requests
    body = Webhook(secret).verify(request.raw, request.headers)
    assert request.headers["webhook-id"] == event == body["id"]
    assert (body["type"], body["subject"], body["data"]) == ("test.happened", "ord_1", {"number": 7})
    assert abs(datetime.fromisoformat(body["timestamp"]) - SYSTEM_CLOCK.now()) < timedelta(seconds=20)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(request.raw.replace(b"7", b"8"), request.headers)
    (delivery,) = hooked.deliveries()
    assert (delivery.state, delivery.status, delivery.answer) == (DeliveryState.DELIVERED, 200, "thank you")


def test_an_endpoint_hears_of_its_merchants_events_of_its_types_from_its_creation_on(
    hooked: Hooked, receiver: WebhookReceiver
) -> None:
    hooked.record("before")
    hooked.endpoint(receiver.url, ["test.happened", "other.*"])
    hooked.record("mine")
    hooked.record("mine too", kind="other.thing")
    hooked.record("not wanted", kind="test.else")
    hooked.record("another merchant's", merchant=2)
    hooked.deliver()
    assert {request.body["subject"] for request in receiver.seen} == {"mine", "mine too"}


def test_an_event_waits_for_the_one_before_it_of_the_same_subject_and_for_no_other(
    hooked: Hooked, receiver: WebhookReceiver
) -> None:
    hooked.endpoint(receiver.url)
    broken = True
    receiver.reply = lambda request: 500 if broken and request.body["subject"] == "a" else 200
    for number in range(3):
        hooked.record("a", number)
        hooked.record("b", number)
    for _ in range(4):
        hooked.deliverer.step()
    assert [request.body["data"]["number"] for request in receiver.seen] == [0, 1, 2]
    assert {request.body["data"]["number"] for request in receiver.requests if request.body["subject"] == "a"} == {0}
    broken = False
    hooked.change(WebhookEndpoint, rests_until=None)
    hooked.deliver()
    assert [r.body["data"]["number"] for r in receiver.seen if r.body["subject"] == "a"] == [0, 1, 2]


def test_a_failed_attempt_is_repeated_with_the_same_id_and_a_fresh_signature(
    hooked: Hooked, receiver: WebhookReceiver
) -> None:
    _, secret = hooked.endpoint(receiver.url)
    receiver.reply = lambda _: 503 if len(receiver.requests) < 3 else 200
    event = hooked.record("a")
    hooked.deliver()
    assert [request.headers["webhook-id"] for request in receiver.requests] == [event] * 3
    for request in receiver.requests:
        Webhook(secret).verify(request.raw, request.headers)
    (delivery,) = hooked.deliveries()
    assert (delivery.attempts, delivery.state) == (3, DeliveryState.DELIVERED)


def test_a_crash_after_sending_sends_again_once_the_claim_runs_out(
    hooked: Hooked, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked.endpoint(receiver.url)
    hooked.record("a", 1)
    hooked.record("a", 2)
    with monkeypatch.context() as patch:
        patch.setattr(hooked.deliverer, "_save", lambda *_: (_ for _ in ()).throw(ConnectionError("killed")))
        with pytest.raises(ConnectionError):
            hooked.deliverer.step()
    assert hooked.deliverer.step() == 0  # the claim of the dead process still holds
    hooked.change(WebhookDelivery, next_attempt_at=SYSTEM_CLOCK.now(), claimed_until=SYSTEM_CLOCK.now())
    hooked.deliver()
    assert [request.body["data"]["number"] for request in receiver.requests] == [1, 1, 2]


def test_what_one_server_answered_is_noted_though_another_one_makes_the_job_run_out_of_time(
    hooked: Hooked, receiver: WebhookReceiver
) -> None:
    hooked.endpoint(receiver.url)
    hooked.record("slow")
    for number in range(3):
        hooked.record(f"fast {number}")
    answer = threading.Event()
    receiver.reply = lambda request: 200 if request.body["subject"] != "slow" or answer.wait(60) else 500
    step = threading.Thread(target=hooked.deliver, args=(1_000,))
    step.start()
    try:
        while sum(delivery.state is DeliveryState.DELIVERED for delivery in hooked.deliveries()) < 3:
            assert step.is_alive()
            time.sleep(0.02)
        assert step.is_alive()
    finally:
        answer.set()
        step.join()
    assert len(receiver.requests) == 4
    assert {delivery.state for delivery in hooked.deliveries()} == {DeliveryState.DELIVERED}


def test_a_step_that_must_end_begins_nothing_more(
    hooked: Hooked, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked.endpoint(receiver.url)
    for number in range(40):
        hooked.record(str(number))
    answer = threading.Event()
    receiver.reply = lambda _: 200 if answer.wait(60) else 500

    def told_to_end(*_: object, **__: object) -> None:
        while len(receiver.requests) < OF_ENDPOINT:
            time.sleep(0.02)
        raise TimeoutError("the soft time limit")

    with monkeypatch.context() as patch:
        patch.setattr("clearing.notifications.webhooks.delivery.wait", told_to_end)
        with pytest.raises(TimeoutError):
            hooked.deliverer.step()
    answer.set()
    hooked.deliverer.close()
    assert len(receiver.requests) == OF_ENDPOINT


def test_a_subject_that_cannot_be_delivered_for_days_is_given_up_and_the_next_event_goes_on(
    hooked: Hooked, receiver: WebhookReceiver
) -> None:
    hooked.endpoint(receiver.url)
    receiver.reply = lambda request: 500 if request.body["data"]["number"] == 1 else 200
    hooked.record("a", 1)
    hooked.record("a", 2)
    hooked.deliverer.step()
    hooked.change(WebhookDelivery, created_at=SYSTEM_CLOCK.now() - timedelta(days=4))
    hooked.deliver()
    assert [delivery.state for delivery in hooked.deliveries()] == [DeliveryState.FAILED, DeliveryState.DELIVERED]


def test_an_endpoint_that_fails_for_days_is_disabled_with_an_event_and_resumes_where_it_was(
    hooked: Hooked, receiver: WebhookReceiver
) -> None:
    endpoint, _ = hooked.endpoint(receiver.url)
    receiver.reply = lambda _: 500
    hooked.record("a", 1)
    hooked.deliverer.step()
    assert hooked.stored(endpoint).state is EndpointState.ENABLED
    hooked.change(WebhookEndpoint, failing_since=SYSTEM_CLOCK.now() - timedelta(days=6), rests_until=None)
    hooked.deliverer.step()
    hooked.record("a", 2)
    assert hooked.deliverer.step() == 0
    disabled = hooked.stored(endpoint)
    assert disabled.state is EndpointState.DISABLED
    assert disabled.reason is not None
    assert disabled.reason.startswith("nothing was delivered since")
    (event,) = hooked.events("webhook_endpoint.disabled")
    assert (event.subject, event.merchant_number) == (endpoint, 1)

    receiver.reply = lambda _: 200
    with hooked.chainless.database.session.begin() as session:
        service = WebhookService(session, keyring=hooked.chainless.keyrings.webhook_secrets, settings=hooked.settings)
        found = service.visible(Viewer(1), endpoint)
        service.change(found, url=None, types=None, description=None, enabled=True, actor="test")
    hooked.change(WebhookEndpoint, rests_until=None)
    hooked.deliver()
    assert [request.body["data"]["number"] for request in receiver.seen] == [1, 2]


def test_a_server_that_is_gone_is_not_asked_again(hooked: Hooked, receiver: WebhookReceiver) -> None:
    endpoint, _ = hooked.endpoint(receiver.url)
    receiver.reply = lambda _: 410
    hooked.record("a")
    hooked.deliver()
    assert len(receiver.requests) == 1
    assert hooked.stored(endpoint).state is EndpointState.DISABLED


def test_a_server_that_fails_time_after_time_is_left_alone_for_a_while(
    hooked: Hooked, receiver: WebhookReceiver
) -> None:
    endpoint, _ = hooked.endpoint(receiver.url)
    receiver.reply = lambda _: 500
    for subject in range(40):
        hooked.record(str(subject))
    hooked.deliver()
    first = len(receiver.requests)
    assert hooked.deliverer.step() == 0
    rests_until = hooked.stored(endpoint).rests_until
    assert rests_until is not None
    assert rests_until > SYSTEM_CLOCK.now()
    hooked.change(WebhookEndpoint, rests_until=SYSTEM_CLOCK.now())
    receiver.reply = lambda _: 200
    hooked.deliver()
    assert len(receiver.requests) == first + 40
    assert hooked.stored(endpoint).failures == 0


def test_pauses_double_with_a_random_part_up_to_a_limit() -> None:
    for attempts, whole in ((1, 5.0), (2, 10.0), (5, 80.0), (50, 100.0)):
        pauses = {pause_after(attempts, 5.0, 100.0) for _ in range(100)}
        assert all(whole / 2 <= pause <= whole for pause in pauses)
        assert len(pauses) > 10


def test_two_processes_deliver_every_event_once_and_in_order(hooked: Hooked, receiver: WebhookReceiver) -> None:
    hooked.endpoint(receiver.url)
    with hooked.chainless.database.session.begin() as session:
        for number in range(120):
            _happened(session, f"s{number % 8}", number=number)
    other = Deliverer(hooked.chainless.database, hooked.settings, hooked.chainless.keyrings.webhook_secrets)

    def run(deliverer: Deliverer) -> None:
        deadline = time.monotonic() + 120
        while len(receiver.seen) < 120 and time.monotonic() < deadline:
            deliverer.step()

    threads = [threading.Thread(target=run, args=(deliverer,)) for deliverer in (hooked.deliverer, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    by_subject: dict[str, list[int]] = defaultdict(list)
    for request in receiver.requests:
        by_subject[request.body["subject"]].append(request.body["data"]["number"])
    assert by_subject == {f"s{subject}": list(range(subject, 120, 8)) for subject in range(8)}


# -------------------------------------------------------------------- events that commit late


def test_an_event_that_commits_behind_a_later_one_is_not_missed(hooked: Hooked, receiver: WebhookReceiver) -> None:
    if hooked.chainless.database.is_sqlite:
        pytest.skip("with one writer at a time nothing commits late")
    hooked.endpoint(receiver.url)
    slow = hooked.chainless.database.session()
    _happened(slow, "slow")
    slow.flush()
    hooked.record("fast")
    hooked.deliver()
    assert [request.body["subject"] for request in receiver.seen] == ["fast"]
    slow.commit()
    slow.close()
    hooked.deliver()
    assert [request.body["subject"] for request in receiver.seen] == ["fast", "slow"]


def test_a_number_whose_transaction_failed_is_forgotten_but_not_while_any_other_runs(
    hooked: Hooked, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hooked.chainless.database.is_sqlite:
        pytest.skip("SQLite gives a lost number to the next event")
    monkeypatch.setattr(gaps, "PATIENCE", -1)
    hooked.endpoint(receiver.url)
    hooked.deliver()
    running = hooked.chainless.database.session()
    _happened(running, "slow")
    running.flush()
    failed = hooked.chainless.database.session()
    _happened(failed, "never")
    failed.flush()
    failed.rollback()
    hooked.record("fast")
    for _ in range(3):
        hooked.deliver()
        ((first, last, *_),) = _gaps(hooked)
        assert last - first == 1  # both numbers, as long as one of them may come
    running.commit()
    deadline = time.monotonic() + 60  # an autovacuum is a transaction that runs, too
    while _gaps(hooked):
        assert time.monotonic() < deadline
        hooked.deliver()
    assert [request.body["subject"] for request in receiver.seen] == ["fast", "slow"]


def _gaps(hooked: Hooked) -> list[list[int]]:
    with hooked.chainless.database.session.begin() as session:
        return session.get_one(EventCursor, fanout.CURSOR).gaps


# -------------------------------------------------------------------- again


def test_events_are_sent_again_by_name_or_since_a_moment(hooked: Hooked, receiver: WebhookReceiver) -> None:
    endpoint, _ = hooked.endpoint(receiver.url)
    early = [hooked.record("a", number) for number in range(2)]
    since = SYSTEM_CLOCK.now()
    late = [hooked.record("a", number) for number in (2, 3)]
    hooked.deliver()
    receiver.requests.clear()

    def replay(**wanted: Any) -> int:
        with hooked.chainless.database.session.begin() as session:
            service = WebhookService(
                session, keyring=hooked.chainless.keyrings.webhook_secrets, settings=hooked.settings
            )
            return service.replay(service.visible(Viewer(1), endpoint), actor="test", **wanted)

    assert replay(since=None, event_ids=[early[1]]) == 1
    hooked.deliver()
    hooked.change(WebhookEndpoint, replays=0)
    assert replay(since=since, event_ids=[]) == 2
    hooked.deliver()
    assert [request.headers["webhook-id"] for request in receiver.requests] == [early[1], *late]
    hooked.change(WebhookEndpoint, replays=0)
    with pytest.raises(NotFound):
        replay(since=None, event_ids=[hooked.record("b", merchant=2)])


def test_an_event_that_is_asked_for_again_while_it_is_on_its_way_is_sent_again(
    hooked: Hooked, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, _ = hooked.endpoint(receiver.url)
    event = hooked.record("a")
    send = Sender.send

    def send_and_be_asked(sender: Sender, *arguments: Any) -> Any:
        answer = send(sender, *arguments)
        if len(receiver.requests) == 1:
            with hooked.chainless.database.session.begin() as session:
                service = WebhookService(
                    session, keyring=hooked.chainless.keyrings.webhook_secrets, settings=hooked.settings
                )
                service.replay(service.visible(Viewer(1), endpoint), actor="test", since=None, event_ids=[event])
        return answer

    monkeypatch.setattr(Sender, "send", send_and_be_asked)
    hooked.deliver()
    assert [request.headers["webhook-id"] for request in receiver.requests] == [event, event]
    assert [delivery.state for delivery in hooked.deliveries()] == [DeliveryState.DELIVERED]


def test_after_a_new_secret_both_verify_for_a_day(hooked: Hooked, receiver: WebhookReceiver) -> None:
    endpoint, old = hooked.endpoint(receiver.url)
    with hooked.chainless.database.session.begin() as session:
        service = WebhookService(session, keyring=hooked.chainless.keyrings.webhook_secrets, settings=hooked.settings)
        new = service.renew_secret(service.visible(Viewer(1), endpoint), "test")
    hooked.record("a", 1)
    hooked.deliver()
    hooked.change(WebhookEndpoint, old_secret_until=SYSTEM_CLOCK.now())
    hooked.record("a", 2)
    hooked.deliver()
    first, second = receiver.requests
    for secret in (old, new):
        Webhook(secret).verify(first.raw, first.headers)
    Webhook(new).verify(second.raw, second.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(second.raw, second.headers)


def test_secrets_are_not_in_the_database(hooked: Hooked, receiver: WebhookReceiver) -> None:
    _, secret = hooked.endpoint(receiver.url)
    encoded = secret.removeprefix("whsec_")
    raw = base64.b64decode(encoded)
    with hooked.chainless.database.session.begin() as session:
        for table in ("webhook_endpoints", "events"):
            row = repr(session.execute(text(f"SELECT * FROM {table}")).all())
            assert encoded not in row
            assert raw.hex() not in row


# -------------------------------------------------------------------- where requests may go


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1"),
    ],
)
def test_no_address_of_a_network_of_our_own_is_public(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are_public() -> None:
    assert all(map(is_public, ("8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8")))


MESSAGE = Message("evt_1", SYSTEM_CLOCK.now(), "{}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
def test_a_request_into_our_own_network_is_not_made(receiver: WebhookReceiver, host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        Sender(seconds=20).send(f"http://{host}:{receiver.port}/", MESSAGE, [b"secret"])
    assert receiver.requests == []


def test_a_name_that_leads_to_a_public_and_a_private_address_is_refused(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, ["8.8.8.8", "127.0.0.1"])
    with pytest.raises(ForbiddenAddress, match=r"hook.example is 127.0.0.1"):
        Sender(seconds=20).send(f"http://hook.example:{receiver.port}/", MESSAGE, [b"secret"])
    assert receiver.requests == []


def test_the_connection_goes_to_the_address_that_was_checked(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that gives another answer the second time is not asked a second time."""
    lookups = _resolve(monkeypatch, ["127.0.0.1"])
    url = f"http://hook.example:{receiver.port}/"
    answer = Sender(seconds=20, allow_local=True).send(url, MESSAGE, [b"secret"])
    assert (answer.status, answer.is_success) == (200, True)
    assert lookups == ["hook.example"]
    assert receiver.requests[0].headers["host"] == f"hook.example:{receiver.port}"


def test_redirects_are_not_followed(hooked: Hooked, receiver: WebhookReceiver) -> None:
    with WebhookReceiver() as elsewhere:
        location = f"HTTP/1.1 307 Go\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()
        receiver.reply = lambda _: location
        hooked.endpoint(receiver.url)
        hooked.record("a")
        hooked.deliverer.step()
        assert elsewhere.requests == []
    (delivery,) = hooked.deliveries()
    assert (delivery.state, delivery.status) == (DeliveryState.PENDING, 307)


def test_a_server_that_drips_bytes_gains_no_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1_000:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.02)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(Undelivered):
            Sender(seconds=0.5, allow_local=True).send(
                f"http://127.0.0.1:{server.getsockname()[1]}/", MESSAGE, [b"secret"]
            )
        assert time.monotonic() - began < 15  # the whole answer takes twenty


def test_of_a_long_answer_only_the_beginning_is_read(receiver: WebhookReceiver) -> None:
    receiver.reply = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"y" * 50_000
    answer = Sender(seconds=20, allow_local=True).send(receiver.url, MESSAGE, [b"secret"])
    assert answer.beginning == "y" * ANSWER_BYTES


def test_over_tls_the_certificate_must_be_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=hook.example", "-addext", "subjectAltName=DNS:hook.example"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with WebhookReceiver(tls=context) as receiver:
        _resolve(monkeypatch, ["127.0.0.1"])
        sender = Sender(seconds=20, allow_local=True)
        assert sender.send(f"https://hook.example:{receiver.port}/", MESSAGE, [b"secret"]).is_success
        with pytest.raises(Undelivered, match="certificate"):
            sender.send(f"https://other.example:{receiver.port}/", MESSAGE, [b"secret"])
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://example.com/",
            "ftp://example.com/",
            "https://",
            "https://user@example.com/",
            "/path",
            "https://[::1",
        ),
        *("https://example.com/#part", "https://exa mple.com/", "http://localhost:8080/", "https://例え.jp/"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_url(url, allow_local=False)
    assert refusal.value.errors[0].pointer == "/url"


def test_for_development_a_setting_allows_this_machine_only() -> None:
    check_url("http://localhost:8080/hook", allow_local=True)
    check_url("https://example.com/hook", allow_local=False)
    with pytest.raises(InvalidRequest):
        check_url("http://example.com/hook", allow_local=True)


def _happened(session: Session, subject: str, **data: int) -> None:
    EventRecorder(session).record("test.happened", subject, actor="test", merchants=[1], data=data)


def _resolve(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> list[str]:
    """Makes every `.example` name lead to these addresses; the names that were looked up."""
    lookups: list[str] = []
    genuine = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if not str(host).endswith(".example"):
            return genuine(host, port, *rest, **more)
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return lookups
