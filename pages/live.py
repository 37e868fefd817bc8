"""What changes while a page is open: server-sent events that carry names only.

Parts of the page that hear one fetch themselves anew, so whoever may not see something is not told of it here either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.responses import StreamingResponse

_PAUSE_SECONDS = 2.0
"""What happens within this time is told at once: a page does not fetch itself anew for each of a hundred events."""
_SILENCE_SECONDS = 15.0
ENDED = "session-ended"
"""The browser's session has ended: nothing more will be told."""
ANYTHING = "anything"
"""Nobody knows what has happened: every part looks."""


class LiveResponse(StreamingResponse):
    """Tells the browser the names of events, each with its source: `exchange.settled` is `exchange`, too. A message has all names
    of what happened since the last one, so that a page which shows ten of them fetches itself once."""

    def __init__(self, names: AsyncIterator[str]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_told(names), media_type="text/event-stream", headers=headers)


async def _told(names: AsyncIterator[str]) -> AsyncIterator[bytes]:
    waiting: dict[str, None] = {}
    heard = asyncio.Event()
    reader = asyncio.create_task(_listen(names, waiting, heard))
    try:
        yield b": here\n\n"
        while not (reader.done() and not waiting):
            with suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), _SILENCE_SECONDS)
            heard.clear()
            told = " ".join(waiting)
            waiting.clear()
            yield f"data: {told}\n\n".encode() if told else b": here\n\n"
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        reader.cancel()


async def _listen(names: AsyncIterator[str], waiting: dict[str, None], heard: asyncio.Event) -> None:
    try:
        async for name in names:
            waiting[name] = None
            waiting[name.partition(".")[0]] = None
            heard.set()
    finally:
        heard.set()
