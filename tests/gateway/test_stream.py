"""The stream of events over a real server: nothing is lost, nothing comes twice, and nobody hears what is not theirs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event as sqlalchemy_event

from clearing.kit.events.recorder import EventRecorder
from gateway.http import feed
from tests.gateway.site import Party, Site, until


class Stream:
    """A client of the stream in a thread of its own."""

    def __init__(self, site: Site, caller: str, query: str = "", last: str | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.comments = 0
        self.last_id = ""
        self.ended = threading.Event()
        self.opened = threading.Event()
        self._close = threading.Event()
        headers = {"Authorization": f"Bearer {site.keys.get(caller, caller)}"}
        if last is not None:
            headers["Last-Event-ID"] = last
        url = f"http://127.0.0.1:{site.settings.gateway_port}/v1/events/stream?{query}"
        self._thread = threading.Thread(target=self._listen, args=(url, headers), daemon=True)
        self._thread.start()

    def _listen(self, url: str, headers: dict[str, str]) -> None:
        try:
            with httpx.stream("GET", url, headers=headers, timeout=30) as response:
                assert response.status_code == 200, response.read()
                assert response.headers["content-type"].startswith("text/event-stream")
                self.opened.set()
                fields: dict[str, str] = {}
                for line in response.iter_lines():
                    if self._close.is_set():
                        return
                    self._take(line, fields)
        except httpx.TransportError:
            pass
        finally:
            self.ended.set()

    def _take(self, line: str, fields: dict[str, str]) -> None:
        if line.startswith(":"):
            self.comments += 1
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
            self.last_id = value if name == "id" else self.last_id
        elif "data" in fields:
            data = json.loads(fields["data"])
            assert (data["id"], data["type"]) == (fields["id"], fields["event"])
            self.events.append(data)
            fields.clear()

    @property
    def subjects(self) -> list[str]:
        """What its events are about, in their order."""
        return [event["subject"] for event in self.events]

    def heard(self, count: int) -> list[str]:
        """Waits for so many events; their subjects."""
        until(lambda: len(self.events) >= count)
        return self.subjects

    def close(self) -> None:
        """Stops listening at the next line."""
        self._close.set()


def record(site: Site, party: Party, subject: str, type: str = "test.happened") -> None:  # noqa: A002
    with site.database.session.begin() as session:
        EventRecorder(session).record(type, subject, actor="test", merchants=[party.number], data={"of": subject})


@contextmanager
def listening(site: Site, caller: str, query: str = "", last: str | None = None) -> Iterator[Stream]:
    stream = Stream(site, caller, query, last)
    assert stream.opened.wait(30)
    until(lambda: site.app.state.gateway.feed._listeners)
    try:
        yield stream
    finally:
        stream.close()


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats come every half second, so that clients notice soon that they are to close."""
    monkeypatch.setattr(feed, "HEARTBEAT", 0.5)


@pytest.fixture
def party(fresh_site: Site) -> Party:
    return fresh_site.merchant("Listener", program="HEAR")


def test_events_are_heard_as_they_happen(fresh_site: Site, party: Party) -> None:
    other = fresh_site.merchant("Other")
    with listening(fresh_site, party.id) as mine, listening(fresh_site, "auditor") as everything:
        until(lambda: len(fresh_site.app.state.gateway.feed._listeners) == 2)
        record(fresh_site, other, "theirs")
        record(fresh_site, party, "mine")
        assert everything.heard(2) == ["theirs", "mine"]
        assert mine.heard(1) == ["mine"], "and not what belongs to another"
        assert mine.events[0]["data"] == {"of": "mine"}
        assert mine.events[0]["merchant"] == party.id


def test_a_client_that_comes_back_hears_what_it_missed_once(fresh_site: Site, party: Party) -> None:
    with listening(fresh_site, party.id) as first:
        record(fresh_site, party, "one")
        first.heard(1)
    for number in range(1_200):
        if number == 600:
            last = first.events[-1]["id"]
        record(fresh_site, party, f"missed-{number}")
    with listening(fresh_site, party.id, last=last) as second:
        record(fresh_site, party, "live")
        assert second.heard(1_201) == [*(f"missed-{number}" for number in range(1_200)), "live"]
    with listening(fresh_site, party.id, query=f"after={second.events[-2]['id']}") as third:
        assert third.heard(1) == ["live"]


def test_a_client_that_has_heard_nothing_yet_can_come_back_too(fresh_site: Site, party: Party) -> None:
    for merchant in (party, fresh_site.merchant("Quiet")):
        with listening(fresh_site, merchant.id) as first:
            until(lambda first=first: first.last_id)
        record(fresh_site, merchant, "missed")
        with listening(fresh_site, merchant.id, last=first.last_id) as second:
            assert second.heard(1) == ["missed"]


def test_nothing_is_lost_or_heard_twice_while_clients_come_and_go(fresh_site: Site, party: Party) -> None:
    done = threading.Event()

    def write(thread: int) -> list[str]:
        written = []
        for number in range(40):
            subject = f"{thread}-{number}"
            record(fresh_site, party, subject)
            written.append(subject)
            time.sleep(0.01)
        return written

    with listening(fresh_site, party.id) as steady, ThreadPoolExecutor(4) as pool:
        record(fresh_site, party, "begin")
        last = steady.events[-1]["id"] if steady.heard(1) else ""
        writing = [pool.submit(write, thread) for thread in range(3)]
        broken: list[str] = []
        while not done.is_set():
            if all(future.done() for future in writing):
                done.set()
            with listening(fresh_site, party.id, last=last) as stream:
                until(lambda stream=stream: stream.events or done.is_set())
                time.sleep(0.3 if done.is_set() else 0.05)
                heard = list(stream.events)
            broken += [event["subject"] for event in heard]
            last = heard[-1]["id"] if heard else last
        written = [subject for future in writing for subject in future.result()]
        assert sorted(steady.heard(1 + len(written))[1:]) == sorted(written)
        assert broken == steady.subjects[1 : 1 + len(broken)]
        with listening(fresh_site, party.id, last=last) as rest:
            assert broken + rest.heard(len(written) - len(broken)) == steady.subjects[1:]


def test_an_event_that_commits_late_is_heard_before_those_with_higher_numbers(fresh_site: Site, party: Party) -> None:
    if fresh_site.database.is_sqlite:
        pytest.skip("SQLite has one writer: nothing commits late")
    with listening(fresh_site, party.id) as stream:
        record(fresh_site, party, "before")
        stream.heard(1)
        with fresh_site.database.session() as late:
            EventRecorder(late).record("test.happened", "late", actor="test", merchants=[party.number], data={})
            late.flush()
            record(fresh_site, party, "fast")
            time.sleep(1)
            assert stream.subjects == ["before"]
            late.commit()
        assert stream.heard(3) == ["before", "late", "fast"]
    with listening(fresh_site, party.id, last=stream.events[0]["id"]) as again:
        assert again.heard(2) == ["late", "fast"]


def test_a_client_that_comes_while_one_commits_late_hears_it_too(fresh_site: Site, party: Party) -> None:
    if fresh_site.database.is_sqlite:
        pytest.skip("SQLite has one writer: nothing commits late")
    record(fresh_site, party, "before")
    first = fresh_site.get("/v1/events?subject=before", caller=party.id)["data"][0]["id"]
    with fresh_site.database.session() as late:
        EventRecorder(late).record("test.happened", "late", actor="test", merchants=[party.number], data={})
        late.flush()
        record(fresh_site, party, "fast")
        stream = Stream(fresh_site, party.id, last=first)
        assert stream.opened.wait(30)
        time.sleep(0.5)
        assert stream.subjects == []
        late.commit()
    assert stream.heard(2) == ["late", "fast"]
    stream.close()


def test_an_event_that_never_commits_stops_nobody(fresh_site: Site, party: Party) -> None:
    with listening(fresh_site, party.id) as stream:
        with fresh_site.database.session() as lost:
            EventRecorder(lost).record("test.happened", "lost", actor="test", merchants=[party.number], data={})
            lost.flush()
            if not fresh_site.database.is_sqlite:
                record(fresh_site, party, "first")
            lost.rollback()
        record(fresh_site, party, "next")
        expected = ["next"] if fresh_site.database.is_sqlite else ["first", "next"]
        assert stream.heard(len(expected)) == expected


def test_a_filter_lets_only_some_types_through(fresh_site: Site, party: Party) -> None:
    with listening(fresh_site, party.id, query="types=test.chosen,other.*") as stream:
        for number, type_ in enumerate(("test.happened", "test.chosen", "another.one", "other.one")):
            record(fresh_site, party, str(number), type_)
        assert stream.heard(2) == ["1", "3"]
    first = fresh_site.get("/v1/events?subject=0", caller=party.id)["data"][0]["id"]
    with listening(fresh_site, party.id, query="types=other.*", last=first) as stream:
        assert stream.heard(1) == ["3"]


def test_heartbeats_say_that_it_is_still_there(fresh_site: Site, party: Party) -> None:
    with listening(fresh_site, party.id) as stream:
        until(lambda: stream.comments >= 2)


def test_a_revoked_key_hears_nothing_more(fresh_site: Site, party: Party) -> None:
    token = party.key("read")
    with listening(fresh_site, token) as stream:
        record(fresh_site, party, "before")
        stream.heard(1)
        assert fresh_site.call("DELETE", f"/v1/api_keys/key_{token.split('_')[1]}").status_code == 200
        record(fresh_site, party, "after")
        assert stream.ended.wait(30)
        assert "after" not in stream.subjects


def test_a_stream_ends_after_a_while(database_url: str, tmp_path: Path) -> None:
    with Site(database_url, tmp_path, stream_seconds=1) as site:
        stream = Stream(site, "auditor")
        assert stream.opened.wait(30)
        assert stream.ended.wait(10)


def test_a_stream_ends_when_the_server_stops(database_url: str, tmp_path: Path) -> None:
    with Site(database_url, tmp_path) as site:
        stream = Stream(site, "auditor")
        assert stream.opened.wait(30)
    assert stream.ended.wait(10)


@pytest.mark.parametrize(
    ("query", "last", "parameter"),
    [
        ("after=evt_" + "1" * 26, None, "after"),
        ("after=nonsense", None, "after"),
        ("", "evt_" + "1" * 26, "Last-Event-ID"),
        ("types=Nonsense", None, "types"),
        ("kinds=test.a", None, "kinds"),
    ],
)
def test_what_cannot_be_streamed_is_refused_by_name(site: Site, query: str, last: str | None, parameter: str) -> None:
    headers = {"Last-Event-ID": last} if last else {}
    response = site.call("GET", f"/v1/events/stream?{query}", headers=headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == parameter


def test_another_merchants_event_is_no_place_to_begin(fresh_site: Site, party: Party) -> None:
    other = fresh_site.merchant("Other")
    record(fresh_site, other, "theirs")
    theirs = fresh_site.get("/v1/events?subject=theirs")["data"][0]["id"]
    response = fresh_site.call("GET", f"/v1/events/stream?after={theirs}", caller=party.id)
    assert response.status_code == 422


def test_too_many_streams_of_one_merchant_are_refused(
    fresh_site: Site, party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_LISTENERS", 1)
    with listening(fresh_site, party.id):
        response = fresh_site.call("GET", "/v1/events/stream", caller=party.id)
        assert (response.status_code, response.json()["code"]) == (429, "too_many_streams")
        assert "Retry-After" in response.headers


def test_while_nobody_listens_the_database_is_left_alone(fresh_site: Site, party: Party) -> None:
    with listening(fresh_site, party.id) as stream:
        record(fresh_site, party, "one")
        stream.heard(1)
        record(fresh_site, party, "end")
    until(lambda: not fresh_site.app.state.gateway.feed._present.total())
    time.sleep(0.3)
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    sqlalchemy_event.listen(fresh_site.database.engine, "before_cursor_execute", note)
    time.sleep(0.5)
    assert not [statement for statement in statements if "events" in statement]
