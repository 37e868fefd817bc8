"""Language and colours: cookies of the browser, for whoever sits before it."""

from __future__ import annotations

from fastapi.responses import RedirectResponse, Response

from loyalty.pages.registry import ROOT
from loyalty.pages.visit import LANGUAGE_COOKIE, SCHEME_COOKIE, SCHEMES, Visiting, page_router
from pages.translations import LANGUAGES

router = page_router()


@router.post("/preferences")
def prefer(visit: Visiting) -> Response:
    """Keeps what was chosen, and goes back to the page where that was."""
    response = RedirectResponse(own_address(visit.sent.get("here")), 303)
    for cookie, name, known in ((LANGUAGE_COOKIE, "language", LANGUAGES), (SCHEME_COOKIE, "scheme", SCHEMES)):
        chosen = visit.sent.get(name)
        if isinstance(chosen, str) and chosen in known:
            visit.parts.keep_preference(response, cookie, chosen)
    return response


def own_address(address: object) -> str:
    """An address of these pages; the start for any other."""
    is_own = (
        isinstance(address, str) and address.startswith(f"{ROOT}/") and "\\" not in address and address.isprintable()
    )
    return str(address) if is_own else f"{ROOT}/"
