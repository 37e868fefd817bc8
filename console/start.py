"""Where everybody begins, and what a supervisor asks."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from console.visit import Visiting

router = APIRouter()


@router.get("/")
async def start(visit: Visiting) -> Response:
    """Leads to the first page that the person sees."""
    shelves = visit.parts.navigation(visit.seat)
    if not shelves:
        return visit.page("console/nothing.html")
    return RedirectResponse(shelves[0].pages[0].path, 303)


@router.get("/healthz")
async def health() -> Response:
    """Says that the console runs, whatever the gateway does."""
    return PlainTextResponse("ok")
