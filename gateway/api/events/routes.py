"""Events: what happened, to what, and who did it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query

from clearing.kit.errors import InvalidRequest
from clearing.kit.events.service import EventService
from clearing.kit.fields import EventId, Text
from clearing.kit.viewer import Viewer
from gateway.api.events.schemas import EventView
from gateway.api.events.view import event_view
from gateway.http.context import Gateway
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.feed import Wanted
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.schemas import Page
from gateway.http.streaming import EventStream

router = APIRouter(route_class=Endpoint, tags=["events"])


@router.get("/v1/events")
def list_events(
    call: Reading,
    type: Annotated[Text | None, Query(max_length=64)] = None,  # noqa: A002
    subject: Annotated[Text | None, Query(max_length=66)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[EventView]:
    """What happened, newest first: to you, or (operator, treasury, auditors) to anyone."""
    rows = EventService(call.session).list(
        call.viewer, type=type, subject=subject, after=id_after(cursor, "evt"), limit=limit + 1
    )
    return page_of(rows, limit, partial(event_view, call), lambda event: event.id)


@router.get("/v1/events/stream", status_code=200)
async def stream_events(
    call: Reading,
    types: Annotated[
        str | None,
        Query(
            max_length=2_000,
            pattern=r"^[a-z_]+\.([a-z_]+|\*)(,[a-z_]+\.([a-z_]+|\*))*$",
            description="`order.settled` or `exchange.*`, with commas between them; all, if it is missing",
            examples=["exchange.received,order.*"],
        ),
    ] = None,
    after: Annotated[
        EventId | None, Query(description="id of the last event that you know; from now on, if it is missing")
    ] = None,
    last_event_id: Annotated[
        EventId | None, Header(alias="Last-Event-ID", description="the same, as browsers send it; wins over `after`")
    ] = None,
) -> EventStream:
    """Your events as they happen (server-sent events), each once and in order. Connect again when it ends."""
    gateway = call.gateway
    name = "Last-Event-ID" if last_event_id else "after"
    last = last_event_id or after
    number = await to_thread.run_sync(_number_of, gateway, call.viewer, name, last) if last else None
    wanted = Wanted(patterns=types.split(",") if types else (), after=number, seconds=gateway.settings.stream_seconds)
    return EventStream(gateway.feed.listen(call.caller, wanted))


def _number_of(gateway: Gateway, viewer: Viewer, parameter: str, event_id: str) -> int:
    with gateway.database.reading() as session:
        number = EventService(session).number_of(viewer, event_id)
    if number is None:
        detail = f"there is no event {event_id}; leave it out to begin now, and read GET /v1/events for what was before"
        raise InvalidRequest.of_parameter(parameter, detail)
    return number
