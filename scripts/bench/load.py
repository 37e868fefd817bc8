"""A load of single requests over HTTP that costs little itself: it shares the machine with what it measures.

Requests are bytes made beforehand, and connections are bare sockets. Every answer is checked.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import httptools
import uvloop

Check = Callable[[int, bytes], None]
"""Raises if an answer, its status and body, is not the one that was wanted."""


class Answer(NamedTuple):
    """An answered request: Unix times of the request and the answer, and the answer's body."""

    sent_at: float
    answered_at: float
    body: bytes

    @property
    def seconds(self) -> float:
        """From the request to its answer."""
        return self.answered_at - self.sent_at


@dataclass(slots=True)
class Load:
    """The answers to a load, and how long it took to get them all."""

    seconds: float = 0.0
    answers: list[Answer] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds

    @property
    def latencies(self) -> list[float]:
        """Seconds from each request to its answer."""
        return [answer.seconds for answer in self.answers]


def post(path: str, api_key: str, key: str, body: object, *headers: str) -> bytes:
    """Makes the bytes of a request."""
    content = json.dumps(body, separators=(",", ":")).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {api_key}",
        f"Idempotency-Key: {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


def as_fast_as_answered(
    port: int, requests: Iterator[bytes], check: Check, *, connections: int, seconds: float
) -> Load:
    """Sends on each connection the next request when the one before is answered, until the time or the requests end."""

    async def drive() -> Load:
        load = Load()
        opened = [await _Connection.open(port) for _ in range(connections)]
        began = time.time()
        await asyncio.gather(*(_repeat(one, requests, began + seconds, check, load) for one in opened))
        load.seconds = time.time() - began
        _close(opened)
        return load

    return _run(drive)


async def _repeat(connection: _Connection, requests: Iterator[bytes], end: float, check: Check, load: Load) -> None:
    while (sent_at := time.time()) < end and (request := next(requests, None)) is not None:
        load.answers.append(await connection.ask(request, sent_at, check))


def at_a_pace(
    port: int, requests: Iterator[bytes], check: Check, *, rate: float, seconds: float, connections: int
) -> Load:
    """Sends so many requests a second, whether or not the earlier ones are answered.

    Each is measured from the moment when it is due. So what waits for a free connection is not forgotten.
    """

    async def drive() -> Load:
        load = Load()
        opened = [await _Connection.open(port) for _ in range(connections)]
        idle: asyncio.LifoQueue[_Connection] = asyncio.LifoQueue()
        for connection in opened:
            idle.put_nowait(connection)

        async def send(request: bytes, due: float) -> None:
            connection = await idle.get()
            load.answers.append(await connection.ask(request, due, check))
            idle.put_nowait(connection)

        began = time.time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(rate * seconds)):
                due = began + number / rate
                await asyncio.sleep(due - time.time())
                if (request := next(requests, None)) is None:
                    break
                tasks.create_task(send(request, due))
        load.seconds = time.time() - began
        _close(opened)
        return load

    return _run(drive)


def _run(drive: Callable[[], Any]) -> Load:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        load: Load = runner.run(drive())
    return load


def _close(connections: list[_Connection]) -> None:
    for connection in connections:
        connection.transport.close()


class _Connection(asyncio.Protocol):
    """A connection on which one request at a time is under way. httptools calls its methods that begin with `on_`."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._answer: asyncio.Future[bytes] | None = None

    @classmethod
    async def open(cls, port: int) -> _Connection:
        """Connects to the gateway."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def ask(self, request: bytes, sent_at: float, check: Check) -> Answer:
        """Sends a request and returns its answer, if that is the wanted one."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        body = await self._answer
        answered_at = time.time()
        check(self._parser.get_status_code(), body)
        return Answer(sent_at, answered_at, body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the gateway closed the connection"))

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._answer is not None
        self._answer.set_result(self._body)
