"""events tail, listen and trigger: real events, a real server that gets them, signatures that a receiver's library accepts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from clearing.kit.events.models import Event
from clearing.kit.events.recorder import EventRecorder
from clearing.notifications.webhooks.payload import message_of
from tests.gateway.site import Party, Site
from tests.sdk.cli.conftest import COMMAND, Terminal
from tests.support.webhook_receiver import WebhookReceiver
from tongdui import webhooks


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway whose streams end after half a second: the command has to connect again and again."""
    directory = tmp_path_factory.mktemp("short")
    with Site(f"sqlite:///{directory / 'tongdui.db'}", directory, stream_seconds=0.5) as running:
        yield running


@pytest.fixture
def party(short: Site) -> Party:
    return short.merchant()


@pytest.fixture
def own(party: Party, tongdui: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TONGDUI_URL", str(party.site.http.base_url))
    monkeypatch.setenv("TONGDUI_API_KEY", party.site.keys[party.id])
    return tongdui


def record(party: Party, subject: str, type: str = "hold.created", **data: object) -> str:  # noqa: A002
    """Records an event; its id."""
    with party.site.database.session.begin() as session:
        EventRecorder(session).record(type, subject, actor="test", merchants=[party.number], data=data)
    return str(party.get("/v1/events?limit=1")["data"][0]["id"])


def test_tail_goes_on_where_it_was(own: Terminal, party: Party) -> None:
    first = record(party, "one")
    for subject in ("two", "three", "four"):
        record(party, subject)
    seen = own.good("events", "tail", "--after", first, "--limit", "2", "--json").out.splitlines()
    assert [json.loads(line)["subject"] for line in seen] == ["two", "three"]
    rest = own.good("events", "tail", "--after", json.loads(seen[-1])["id"], "--limit", "1").out
    assert "hold.created" in rest
    assert " four " in rest


def test_tail_sees_what_happens_and_nothing_else(party: Party) -> None:
    record(party, "before", "member.registered")
    command = [*COMMAND, "events", "tail", "--type", "member.*", "--json"]
    settings = {"TONGDUI_URL": str(party.site.http.base_url), "TONGDUI_API_KEY": party.site.keys[party.id]}
    ended = threading.Event()

    def happen() -> None:
        for number in range(200):
            record(party, "other")
            party.member(f"FC-{number}")
            if ended.wait(0.5):
                return

    with subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        happening = threading.Thread(target=happen)
        happening.start()
        events = [json.loads(running.stdout.readline()) for _ in range(2)]
        ended.set()
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
        happening.join()
    assert [event["type"] for event in events] == ["member.registered"] * 2
    assert [event["subject"][:4] for event in events] == ["mem_"] * 2


def test_a_mistyped_type_is_suggested(own: Terminal, party: Party) -> None:
    first = record(party, "one")
    record(party, "two", "order.setled")
    tailed = own.good("events", "tail", "--type", "order.setled", "--after", first, "--limit", "1")
    assert "the gateway's catalogue has no event order.setled: did you mean order.settled" in tailed.err
    assert own("events", "tail", "--after", "evt_none", "--limit", "1").code == 2


def test_listen_forwards_signed_events(own: Terminal, party: Party) -> None:
    first = record(party, "zero")
    second = record(party, "one", name="通兑")
    with WebhookReceiver() as receiver:
        printed = own.good("listen", "--forward-to", receiver.url, "--after", first, "--limit", "1", "--json").out
    opened, delivered = map(json.loads, printed.splitlines())
    assert (delivered["event"], delivered["status"], delivered["delivered"]) == (second, 200, True)
    (request,) = receiver.requests
    assert request.headers["webhook-id"] == second
    assert request.body["data"] == {"name": "通兑"}
    verified = Webhook(opened["secret"]).verify(request.raw, request.headers)
    assert verified["subject"] == "one"
    assert webhooks.verify(request.raw, request.headers, opened["secret"]).type == "hold.created"


def test_listen_sends_what_the_gateways_own_webhooks_send(own: Terminal, party: Party) -> None:
    """A receiver that works with `listen` works in production: the body has the same members in the same form."""
    first = record(party, "zero")
    second = record(party, "one", points=7, name="通兑")
    with WebhookReceiver() as receiver:
        own.good("listen", "--forward-to", receiver.url, "--after", first, "--limit", "1")
    with party.site.database.reading() as session:
        event = session.query(Event).filter(Event.id == second).one()
        message = message_of(event, event.created_at)
    assert receiver.requests[0].raw.decode() == message.body


def test_listen_tries_again_and_tells(own: Terminal, party: Party) -> None:
    first = record(party, "zero")
    record(party, "one")
    answers = iter([500, 503, 200])
    with WebhookReceiver(lambda _: next(answers)) as receiver:
        printed = own.good("listen", "--forward-to", receiver.url, "--after", first, "--limit", "1").out
    assert printed.splitlines()[-1].endswith("-> 200 (3 attempts)")
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    with WebhookReceiver(lambda _: 500) as receiver:
        given_up = own("listen", "--forward-to", receiver.url, "--after", first, "--limit", "1", "--retries", "1")
    assert given_up.code == 1
    assert "1 events were not accepted" in given_up.err
    nobody = own("listen", "--forward-to", "http://127.0.0.1:1/", "--after", first, "--limit", "1", "--retries", "0")
    assert (nobody.code, "refused" in nobody.out) == (1, True)


def test_the_secret_stays_the_same(own: Terminal, party: Party, empty_home: Path) -> None:
    first = record(party, "zero")
    record(party, "one", "order.settled")
    with WebhookReceiver() as receiver:
        listen = ["listen", "--forward-to", receiver.url, "--after", first, "--limit", "1", "--json"]
        secrets = [json.loads(own.good(*listen).out.splitlines()[0])["secret"] for _ in range(2)]
        own.good("trigger", "order.settled", "--forward-to", receiver.url)
        given = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        own.good("trigger", "order.settled", "--forward-to", receiver.url, "--secret", given)
    assert secrets[0] == secrets[1]
    Webhook(secrets[0]).verify(receiver.requests[2].raw, receiver.requests[2].headers)
    Webhook(given).verify(receiver.requests[3].raw, receiver.requests[3].headers)
    file = empty_home / "config" / "tongdui" / "webhook-secret"
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("")
    assert (
        f"{file} holds no secret: remove it"
        in own("trigger", "order.settled", "--forward-to", "http://127.0.0.1:1").err
    )
    assert own("trigger", "order.settled", "--forward-to", receiver.url, "--secret", "whsec_!").code == 2


def test_trigger_takes_the_newest_real_event(own: Terminal, party: Party) -> None:
    event = record(party, "ord_1", "order.settled", id="ord_1", state="settled")
    with WebhookReceiver() as receiver:
        printed = own.good("trigger", "order.settled", "--forward-to", receiver.url).out
    assert f"data: those of your event {event}" in printed
    body = receiver.requests[0].body
    assert (body["data"], body["subject"]) == ({"id": "ord_1", "state": "settled"}, "ord_1")
    assert body["id"] != event, "a receiver that remembers ids must not take it for a repetition"


def test_trigger_makes_a_sample_of_every_type(own: Terminal, party: Party) -> None:
    types = own.good("get", "/openapi.json", "--json").json["webhooks"]
    with WebhookReceiver() as receiver:
        for name in ("exchange.received", "hold.captured", "agreement.active", "liquidity.low", "statement.ready"):
            document = own.good("trigger", name, "--sample", "--forward-to", receiver.url, "--json").json
            assert "a sample after the gateway's catalogue" in document["origin"]
    received = {request.body["type"]: request.body["data"] for request in receiver.requests}
    assert set(received) <= set(types)
    assert (received["exchange.received"]["object"], received["exchange.received"]["state"]) == ("exchange", "settled")
    assert received["hold.captured"]["state"] == "captured"
    assert isinstance(received["liquidity.low"]["liquidity_micros"], int)


def test_trigger_suggests_a_type(own: Terminal) -> None:
    wrong = own("trigger", "order.setled", "--forward-to", "http://127.0.0.1:1")
    assert (wrong.code, "did you mean order.settled" in wrong.err) == (2, True)
    failed = own("trigger", "order.settled", "--forward-to", "http://127.0.0.1:1")
    assert (failed.code, "refused" in failed.out) == (1, True)
    assert own("trigger", "order.settled", "--forward-to", "localhost:3000").code == 2
