"""The audit log: every act that is not everyday trade, with whoever did it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.events.audit import AuditFilter
from clearing.kit.events.models import Event
from clearing.kit.events.service import EventService
from clearing.kit.fields import Moment, Text
from gateway.api.audit_log.schemas import AuditView
from gateway.api.operations.view import actor_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["operations"])


@router.get("/v1/audit_log")
def list_audit_log(
    call: Reading,
    actor: Annotated[
        Text | None, Query(max_length=40, description="only what this person, API key or command did")
    ] = None,
    type: Annotated[Text | None, Query(max_length=64, description="only acts of this type")] = None,  # noqa: A002
    subject: Annotated[Text | None, Query(max_length=66, description="only what was done to this")] = None,
    created_from: Annotated[Moment | None, Query(alias="created[gte]", description="only from this moment on")] = None,
    created_before: Annotated[Moment | None, Query(alias="created[lt]", description="only before this moment")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[AuditView]:
    """Who did what to the network, newest first: keys and people, merchants and limits, money, agreements, pauses, secrets."""
    wanted = AuditFilter(
        actor=actor, type=type, subject=subject, created_from=created_from, created_before=created_before
    )
    rows = EventService(call.session).audit_log(wanted, after=id_after(cursor, "evt"), limit=limit + 1)
    return page_of(rows, limit, partial(_view, call), lambda event: event.id)


def _view(call: Call, event: Event) -> AuditView:
    return AuditView(
        id=event.id,
        at=event.created_at,
        actor=actor_view(call, event.actor),
        type=event.type,
        subject=event.subject,
        merchant=call.names.optional_merchant(event.merchant_number),
        data=event.data,
    )
