"""The one live connection of a page: names of what happened to the person's merchant or network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter
from fastapi.responses import Response

from console.visit import Visiting
from pages.live import ENDED, LiveResponse
from tongdui import APIError, AsyncClient

router = APIRouter()


@router.get("/live")
async def live(visit: Visiting) -> Response:
    """Tells what happens from now on. The newest event is known before the browser hears that it is connected, so nothing that
    happens after that is missed."""
    last = None
    with suppress(APIError):  # a session that has ended is told of in the stream
        newest = (await visit.client.events.list(page_size=1).page()).data
        last = newest[0].id if newest else None
    return LiveResponse(_names(visit.client, last))


async def _names(client: AsyncClient, last: str | None) -> AsyncIterator[str]:
    """The types of the gateway's events after that one. It connects again by itself; a session that has ended is the last event."""
    try:
        async for event in client.events.stream(last_event_id=last):
            yield event.type
    except APIError:
        yield ENDED
