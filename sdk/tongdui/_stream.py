"""Events as they happen: server-sent events over a connection that is opened again whenever it breaks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import pydantic

from ._delivery import backoff
from ._errors import APIConnectionError, APIError, error_of
from ._flow import AsyncDriver, Driver
from ._gateway import Gateway
from ._models import Event
from ._pause import pause

_PATH = "/v1/events/stream"
_SILENCE = 45.0
"""Seconds. The gateway says every 15 seconds that it is there; when it has said nothing for so long, the connection is dead."""


class _Lines:
    """The lines of server-sent events, as events."""

    def __init__(self) -> None:
        self._data: list[str] = []
        self.last_id: str | None = None

    def take(self, line: str) -> Event | None:
        """Take the next line. Returns the event that an empty line completes."""
        if not line:
            data, self._data = "\n".join(self._data), []
            return Event.model_validate_json(data) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id":
            self.last_id = value
        return None


class _Stream:
    """What both kinds of stream have in common: what to ask for, and when to ask again."""

    def __init__(
        self, gateway: Gateway, types: Sequence[str], last_event_id: str | None, patience: float | None
    ) -> None:
        self._gateway = gateway
        self._types = types
        self._patience = patience
        self._attempt = 0
        self._heard_at = gateway.now()
        self.last_event_id = last_event_id
        """The id of the last event: begin there next time. It is set as soon as the stream is open."""

    def _request(self) -> dict[str, Any]:
        """The arguments of `httpx.Client.stream`."""
        headers = self._gateway.headers("text/event-stream")
        if self.last_event_id is not None:
            headers["Last-Event-ID"] = self.last_event_id
        return {
            "method": "GET",
            "url": _PATH,
            "params": {"types": ",".join(self._types)} if self._types else {},
            "headers": headers,
            "timeout": httpx.Timeout(self._gateway.options.timeout, read=_SILENCE),
        }

    def _take(self, lines: _Lines, line: str) -> Event | None:
        try:
            event = lines.take(line)
        except pydantic.ValidationError as error:
            detail = f"the gateway streamed what is no event: {error.errors(include_url=False)[:3]}"
            raise APIError(status=200, code="unexpected_response", detail=detail) from error
        self._attempt, self._heard_at = 0, self._gateway.now()
        self.last_event_id = lines.last_id or self.last_event_id
        return event

    def _pause(self, failure: APIError | APIConnectionError) -> float:
        """Seconds until the next attempt. Raises the failure where another attempt is useless, or patience is at its end."""
        retry_after = None
        if isinstance(failure, APIError):
            retry_after = failure.retry_after
            if not failure.is_retryable:
                raise failure
        if self._patience is not None and self._gateway.now() - self._heard_at > self._patience:
            raise failure
        self._attempt += 1
        return backoff(self._attempt - 1, retry_after, self._gateway.jitter())


def _broken(error: httpx.TransportError | None) -> APIConnectionError:
    reason = (str(error) or type(error).__name__) if error is not None else "the gateway closed the stream"
    failure = APIConnectionError(f"GET {_PATH}: {reason}")
    failure.__cause__ = error
    return failure


class EventStream(_Stream):
    """Your events as they happen: `for event in stream`. It connects again by itself, and goes on where it was.

    Each event comes once, and all of them in their order. `last_event_id` is where to begin after a restart of your own;
    to be sure, store it together with what you have made of the event.
    """

    def __init__(self, driver: Driver, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._driver = driver

    def __iter__(self) -> Iterator[Event]:
        while True:
            failure: APIError | APIConnectionError
            try:
                with self._driver.http.stream(**self._request()) as response:
                    if response.is_success:
                        lines = _Lines()
                        for line in response.iter_lines():
                            if (event := self._take(lines, line)) is not None:
                                yield event
                        failure = _broken(None)
                    else:
                        response.read()
                        failure = error_of(response)
            except httpx.TransportError as error:
                failure = _broken(error)
            time.sleep(self._pause(failure))


class AsyncEventStream(_Stream):
    """Your events as they happen: `async for event in stream`. Otherwise as `EventStream`."""

    def __init__(self, driver: AsyncDriver, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._driver = driver

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            failure: APIError | APIConnectionError
            try:
                async with self._driver.http.stream(**self._request()) as response:
                    if response.is_success:
                        lines = _Lines()
                        async for line in response.aiter_lines():
                            if (event := self._take(lines, line)) is not None:
                                yield event
                        failure = _broken(None)
                    else:
                        await response.aread()
                        failure = error_of(response)
            except httpx.TransportError as error:
                failure = _broken(error)
            await pause(self._pause(failure))
