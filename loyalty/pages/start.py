"""Where everybody begins."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.pages.visit import Visiting, page_router

router = page_router()


@router.get("/")
def start(visit: Visiting) -> Response:
    """Leads to the overview."""
    return visit.redirect("/home")
