"""The one live connection of a page: names of what happened to the person's merchant or network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter
from fastapi.responses import Response

from console.visit import Visit, Visiting
from pages.live import ANYTHING, ENDED, LiveResponse
from tongdui import APIConnectionError, APIError, AuthenticationError, ForbiddenError

router = APIRouter()
_PATIENCE_SECONDS = 2.0
_AGAIN_SECONDS = 3.0
"""After the gateway could not be reached for this long, the page looks for itself, and says so if it is still away."""


@router.get("/live")
async def live(visit: Visiting) -> Response:
    """Tells what happens from now on. The newest event is known before the browser hears that it is connected, so nothing that
    happens after that is missed."""
    last = None
    with suppress(APIError):  # a session that has ended is told of in the stream
        newest = (await visit.client.events.list(page_size=1).page()).data
        last = newest[0].id if newest else None
    return LiveResponse(_names(visit, last))


async def _names(visit: Visit, last: str | None) -> AsyncIterator[str]:
    """The types of the gateway's events after that one, as long as the session lasts. Whenever the gateway is away, the page is
    told to look: what it then gets says more than this connection knows."""
    while True:
        stream = visit.client.events.stream(last_event_id=last, patience=_PATIENCE_SECONDS)
        try:
            async for event in stream:
                yield event.type
        except (AuthenticationError, ForbiddenError):
            visit.parts.sessions.forget(visit.signed_in.token)  # the page that reloads itself now must not be believed
            yield ENDED
            return
        except (APIConnectionError, APIError):
            yield ANYTHING
        last = stream.last_event_id
        await asyncio.sleep(_AGAIN_SECONDS)
