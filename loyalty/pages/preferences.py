"""Language and colours."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.pages.visit import Visiting, page_router
from loyalty.web.preferences import preferred

router = page_router()


@router.post("/preferences")
def prefer(visit: Visiting) -> Response:
    """Keeps what was chosen."""
    return preferred(visit)
