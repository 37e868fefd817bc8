"""What changes while a page is open: server-sent events that carry names only.

Parts of the page that hear one fetch themselves anew, so whoever may not see something is not told of it here either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.responses import StreamingResponse

_PAUSE_SECONDS = 2.0
"""Many events of a kind within this time are one: a page does not fetch itself anew for each of a hundred."""
_SILENCE_SECONDS = 15.0
ENDED = "session-ended"


class LiveResponse(StreamingResponse):
    """Tells the browser the names of events, and the source of each name: `exchange.settled` is `exchange`, too."""

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
            told = list(waiting)
            waiting.clear()
            yield "".join(f"event: {name}\ndata: 1\n\n" for name in told).encode() or b": here\n\n"
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
