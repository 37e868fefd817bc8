"""The audit log."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from console.audit.changes import changes_of
from console.audit.filters import read_filters
from console.merchants import merchant_names
from console.visit import Visiting
from pages.paging import CURSOR, address_with, pager_of

router = APIRouter()
_ROWS = 50


@router.get("")
async def audit_log(visit: Visiting) -> Response:
    """What was done, newest first."""
    filters = read_filters(visit.request.query_params)
    page, names = None, await merchant_names(visit)
    if not filters.mistakes:
        page = await visit.client.audit_log.list(page_size=_ROWS, **filters.asked).page(
            visit.request.query_params.get(CURSOR) or None
        )
    return visit.page(
        "audit/log.html",
        status=422 if filters.mistakes else 200,
        filters=filters,
        rows=[(one, changes_of(one)) for one in page.data] if page else (),
        names=names,
        pager=pager_of(visit.request, page.next_cursor if page else None),
        with_filter=lambda name, value: address_with(visit.request, {name: value, CURSOR: None}),
    )
