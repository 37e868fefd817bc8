"""Where everybody begins, and how pages are shown."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.customer_pages.visit import Visiting, page_router
from loyalty.web.preferences import preferred

router = page_router()


@router.get("/")
def start(visit: Visiting) -> Response:
    """Leads to the customer's points."""
    return visit.redirect("/home")


@router.post("/preferences")
def prefer(visit: Visiting) -> Response:
    """Keeps the language and the colours that were chosen."""
    return preferred(visit)
