"""`client.events.stream()` against a real gateway: connections break, and the stream goes on where it was."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from clearing.kit.events.recorder import EventRecorder
from tests.gateway.site import Party, Site
from tongdui import APIConnectionError, APIError, AsyncClient, AuthenticationError, Client

WRITTEN = 60


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway whose streams end after half a second."""
    directory = tmp_path_factory.mktemp("gateway")
    with Site(f"sqlite:///{directory / 'tongdui.db'}", directory, stream_seconds=0.5) as site:
        yield site


@pytest.fixture
def party(short: Site) -> Party:
    return short.merchant()


def url(site: Site) -> str:
    return f"http://127.0.0.1:{site.settings.gateway_port}"


def record(site: Site, party: Party, subject: str, type: str = "test.happened") -> None:  # noqa: A002
    with site.database.session.begin() as session:
        EventRecorder(session).record(type, subject, actor="test", merchants=[party.number], data={})


def write(site: Site, party: Party) -> list[str]:
    """Records events for a few seconds."""
    for number in range(WRITTEN):
        record(site, party, str(number))
        time.sleep(0.05)
    return [str(number) for number in range(WRITTEN)]


class Torn(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A network that breaks off a response after a few parts of it."""

    def __init__(self) -> None:
        self._blocking, self._async = httpx.HTTPTransport(), httpx.AsyncHTTPTransport()
        self._random = random.Random(7)
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = self._blocking.handle_request(request)
        return httpx.Response(response.status_code, headers=response.headers, stream=self._torn(response))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = await self._async.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, stream=self._torn(response))

    def _torn(self, response: httpx.Response) -> Any:
        return _TornStream(response, self._random.randrange(2, 9))


class _TornStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, parts: int) -> None:
        self._response, self._parts = response, parts

    def __iter__(self) -> Iterator[bytes]:
        for number, part in enumerate(self._response.stream):  # type: ignore[arg-type]
            if number == self._parts:
                raise httpx.ReadError("torn")
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        number = 0
        async for part in self._response.stream:  # type: ignore[union-attr]
            if number == self._parts:
                raise httpx.ReadError("torn")
            number += 1
            yield part

    def close(self) -> None:
        self._response.close()

    async def aclose(self) -> None:
        await self._response.aclose()


def test_a_stream_goes_on_where_it_broke(short: Site, party: Party) -> None:
    network = Torn()
    with Client(url(short), short.keys[party.id], transport=network) as client, ThreadPoolExecutor(1) as pool:
        stream = client.events.stream()
        heard: list[str] = []
        writing = None
        for event in _with_first(stream, lambda: record(short, party, "first")):
            if event.subject == "first":
                writing = pool.submit(write, short, party)
                continue
            heard.append(event.subject or "")
            if len(heard) == WRITTEN:
                break
        assert writing is not None
        assert heard == writing.result()
        assert network.requests > 3
        assert stream.last_event_id == event.id


def _with_first(stream: Any, act: Any) -> Iterator[Any]:
    """Iterates over a stream, and does something as soon as it is open."""

    def wait() -> None:
        while stream.last_event_id is None:
            time.sleep(0.01)
        act()

    threading.Thread(target=wait, daemon=True).start()
    yield from stream


def test_the_asynchronous_stream_does_too(short: Site, party: Party) -> None:
    network = Torn()

    async def listen() -> list[str]:
        async with AsyncClient(url(short), short.keys[party.id], transport=network) as client:
            record(short, party, "first")
            page = await client.events.list(subject="first").page()
            heard: list[str] = []
            async for event in client.events.stream(["test.*"], last_event_id=page.data[0].id):
                heard.append(event.subject or "")
                if len(heard) == WRITTEN:
                    return heard
        raise AssertionError("unreachable")

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: time.sleep(1) or write(short, party))
        assert anyio.run(listen) == writing.result()
    assert network.requests > 3


def test_a_refused_stream_says_why(short: Site, party: Party) -> None:
    with Client(url(short), "tdk_wrong") as client, pytest.raises(AuthenticationError):
        next(iter(client.events.stream()))
    with Client(url(short), short.keys[party.id]) as client, pytest.raises(APIError, match="no event"):
        next(iter(client.events.stream(last_event_id="evt_" + "1" * 26)))


def test_impatient_clients_give_up(tmp_path: Path) -> None:
    with Client("http://127.0.0.1:9", "tdk_any") as client, pytest.raises(APIConnectionError):
        next(iter(client.events.stream(patience=1)))


def test_events_are_listed_by_type_and_subject(short: Site, party: Party) -> None:
    record(short, party, "a", "test.one")
    record(short, party, "b", "test.two")
    with Client(url(short), short.keys[party.id]) as client:
        assert [event.subject for event in client.events.list(type="test.two")] == ["b"]
        assert [event.type for event in client.events.list(subject="a")] == ["test.one"]
