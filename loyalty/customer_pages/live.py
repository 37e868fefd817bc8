"""The live connection of a customer's page: it is told that something has changed, and looks for itself."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.customer_pages.visit import Visiting, page_router
from loyalty.customer_pages.watching import TooManyConnections
from pages.live import LiveResponse

router = page_router()


@router.get("/live")
async def live(visit: Visiting) -> Response:
    """Tells of changes since what the page has seen. What happened while a browser was away is told at once."""
    assert visit.signed_in is not None
    try:
        return LiveResponse(visit.parts.watcher.connect(visit.signed_in, visit.request.query_params.get("seen", "")))
    except TooManyConnections:
        return Response(status_code=429, headers={"Retry-After": "20"})
