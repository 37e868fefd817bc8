"""Language and colours: cookies of the browser, for whoever sits before it."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from console.visit import LANGUAGE_COOKIE, SCHEME_COOKIE, SCHEMES, Anybody
from pages.translations import LANGUAGES

router = APIRouter()


@router.post("/preferences")
async def prefer(guest: Anybody) -> Response:
    """Keeps what was chosen, and goes back to the page where that was."""
    sent = await guest.request.form()
    here = sent.get("here")
    response = RedirectResponse(local_address(here if isinstance(here, str) else None, guest.request), 303)
    for cookie, name, known in ((LANGUAGE_COOKIE, "language", LANGUAGES), (SCHEME_COOKIE, "scheme", SCHEMES)):
        chosen = sent.get(name)
        if isinstance(chosen, str) and chosen in known:
            guest.parts.keep_preference(response, cookie, chosen)
    return response


def local_address(address: str | None, request: Request) -> str:
    """An address of this console without its host; the start for any other."""
    found = urlsplit(address or "")
    if found.netloc and found.netloc != request.headers.get("host"):
        return "/"
    if not found.path.startswith("/") or found.path.startswith(("//", "/\\")):
        return "/"
    return f"{found.path}?{found.query}" if found.query else found.path
