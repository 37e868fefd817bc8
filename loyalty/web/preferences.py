"""Language and colours: cookies of the browser, for whoever sits before it."""

from __future__ import annotations

from typing import Any

from fastapi.responses import RedirectResponse, Response

from loyalty.web.parts import LANGUAGE_COOKIE, SCHEME_COOKIE, SCHEMES
from loyalty.web.visit import SiteVisit
from pages.translations import LANGUAGES


def preferred(visit: SiteVisit[Any, Any]) -> Response:
    """Keeps what was chosen, and goes back to the page where that was."""
    response = RedirectResponse(own_address(visit, visit.sent.get("here")), 303)
    for cookie, name, known in ((LANGUAGE_COOKIE, "language", LANGUAGES), (SCHEME_COOKIE, "scheme", SCHEMES)):
        chosen = visit.sent.get(name)
        if isinstance(chosen, str) and chosen in known:
            visit.parts.keep_preference(response, cookie, chosen)
    return response


def own_address(visit: SiteVisit[Any, Any], address: object) -> str:
    """An address of the site; its start for any other."""
    root = visit.parts.ROOT
    is_own = (
        isinstance(address, str) and address.startswith(f"{root}/") and "\\" not in address and address.isprintable()
    )
    return str(address) if is_own else f"{root}/"
