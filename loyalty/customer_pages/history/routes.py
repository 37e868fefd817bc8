"""Why a customer has their points."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.customer_pages.history.view import history_of
from loyalty.customer_pages.visit import Visiting, page_router
from loyalty.customer_pages.watching import seen_of
from loyalty.web.story import explorer_of
from pages.paging import address_of, cursor_of, pager_of

router = page_router("/history")


@router.get("")
def history(visit: Visiting) -> Response:
    """All that has brought points or taken them, newest first."""
    rows, following = history_of(visit, cursor_of(visit.request))
    return visit.page(
        "history/history.html",
        seen=seen_of(visit.session, [visit.customer.id])[visit.customer.id],
        rows=rows,
        explorer=explorer_of(visit),
        own=address_of(visit.request),
        pager=pager_of(visit.request, following),
    )
