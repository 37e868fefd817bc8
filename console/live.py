"""The one live connection of a page: names of what happened to the person's merchant or network."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import Response

from console.visit import Visiting
from pages.live import ENDED, LiveResponse
from tongdui import APIError, AsyncClient

router = APIRouter()


@router.get("/live")
async def live(visit: Visiting) -> Response:
    """Tells what happens from now on."""
    return LiveResponse(_names(visit.client))


async def _names(client: AsyncClient) -> AsyncIterator[str]:
    """The types of the gateway's events. It connects again by itself; a session that has ended is the last event."""
    try:
        async for event in client.events.stream():
            yield event.type
    except APIError:
        yield ENDED
