"""Events: what happened, to what, and who did it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.events.service import EventService
from clearing.kit.fields import Text
from gateway.api.events.schemas import EventView
from gateway.api.events.view import event_view
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.schemas import Page

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
