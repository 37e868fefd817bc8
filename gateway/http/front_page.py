"""What stands at `/`: where the console and the documentation are, as a page for people and as JSON for programs."""

from __future__ import annotations

from html import escape

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from gateway.http.problem_pages import html_page

_LINKS = {
    "console": "Console: see and do everything in the browser",
    "docs": "Reference of the API",
    "openapi": "Description of the API, for programs",
    "problems": "Every problem of the API, and what to do about it",
    "health": "Whether every part of the network works",
}


def install(app: FastAPI, console_url: str) -> None:
    """Adds the page."""
    addresses = {
        "console": console_url,
        "docs": "/docs",
        "openapi": "/openapi.json",
        "problems": "/problems",
        "health": "/readyz",
    }

    @app.get("/", include_in_schema=False)
    def front(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(html_page("Tongdui gateway", _list(addresses)))
        return JSONResponse({"name": "Tongdui gateway", "version": app.version, **addresses})


def _list(addresses: dict[str, str]) -> str:
    lines = [f'<li><a href="{escape(addresses[name])}">{escape(text)}</a></li>' for name, text in _LINKS.items()]
    return f"<ul>{''.join(lines)}</ul>"
