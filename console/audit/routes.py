"""The audit log."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from console.audit.changes import changes_of
from console.audit.filters import filters_of
from console.audit.values import Values, actor_name, subject_name
from console.audit.words import EVENTS, event_name
from console.listing import found_of
from console.merchants import merchant_names
from console.visit import Visiting
from pages.paging import CURSOR, address_with

router = APIRouter()
_ROWS = 50


@router.get("")
async def audit_log(visit: Visiting) -> Response:
    """What was done, newest first."""
    filters = filters_of(visit.request.query_params)
    names = await merchant_names(visit)
    found = await found_of(
        visit.request,
        filters,
        lambda: visit.client.audit_log.list(page_size=_ROWS, **filters.asked, **filters.moments),
    )

    def with_filter(name: str, value: str) -> str:
        return address_with(visit.request, {name: value, CURSOR: None})

    values = Values(names, visit.path_of, lambda subject: with_filter("subject", subject))
    asked = found.filters["type"]
    return visit.page(
        "audit/log.html",
        status=found.filters.status,
        filters=found.filters,
        types=sorted(((one, event_name(one)) for one in {*EVENTS, asked} - {""}), key=lambda pair: pair[1]),
        rows=[(one, changes_of(one, values)) for one in found.rows],
        names=names,
        actor_name=actor_name,
        subject_name=subject_name,
        event_name=event_name,
        pager=found.pager,
        with_filter=with_filter,
    )
