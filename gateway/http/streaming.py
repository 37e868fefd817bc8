"""Responses that do not end soon: server-sent events (text/event-stream)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, get_type_hints

from starlette.responses import StreamingResponse

from gateway.http.feed import Message

_RETRY = "retry: 1000\n\n"
"""Milliseconds after which a browser connects again."""
_HEARTBEAT = ": still here\n\n"


class EventStream(StreamingResponse):
    """Events as they happen. What a route returns that opens a stream."""

    media_type = "text/event-stream"

    def __init__(self, messages: AsyncIterator[Message | None]) -> None:
        # Proxies such as nginx would otherwise collect the events.
        super().__init__(_written(messages), headers={"X-Accel-Buffering": "no"})


async def _written(messages: AsyncIterator[Message | None]) -> AsyncIterator[str]:
    yield _RETRY
    async for message in messages:
        yield message.text if message is not None else _HEARTBEAT


def is_stream(route: Any) -> bool:
    """Whether a route's function promises a stream."""
    return get_type_hints(route, include_extras=True)["return"] is EventStream


DOCUMENTED: dict[str, Any] = {
    "description": "One event after the other: `id:` is the event's id, `event:` its type, `data:` the event",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
