"""The error catalogue as pages: where the `type` of every problem document leads. They need no key and no internet."""

from __future__ import annotations

import re
from html import escape

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from clearing.kit.catalogue import CATALOGUE, GROUPS, ProblemKind, page_of

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}code{background:#8882}"
)


def install(app: FastAPI) -> None:
    """Adds /problems and a page for each code below it."""

    @app.get("/problems", include_in_schema=False)
    def index() -> HTMLResponse:
        return HTMLResponse(html_page("Problems of this gateway", _index()))

    @app.get("/problems/{name}", include_in_schema=False)
    def page(name: str) -> HTMLResponse:
        kind = CATALOGUE.get(name.replace("-", "_"))
        if kind is None:
            raise HTTPException(404)
        return HTMLResponse(html_page(kind.title, _explanation(kind)))


def _index() -> str:
    parts = []
    for group, kinds in GROUPS.items():
        lines = [f'<li><a href="{page_of(kind.code)}">{kind.code}</a>: {escape(kind.title)}</li>' for kind in kinds]
        parts.append(f"<h2>{escape(group)}</h2><ul>{''.join(lines)}</ul>")
    return "".join(parts)


def _explanation(kind: ProblemKind) -> str:
    statuses = ", ".join(map(str, kind.statuses))
    return (
        f"<p><code>{kind.code}</code>, HTTP status {statuses}</p>"
        f"<h2>When it comes</h2><p>{_with_code(kind.when)}</p>"
        f"<h2>What to do</h2><p>{_with_code(kind.remedy)}</p>"
        '<p><a href="/problems">All problems</a></p>'
    )


def html_page(title: str, content: str) -> str:
    """A page of the gateway's own: it needs no file and no script."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{content}</html>"
    )


def _with_code(text: str) -> str:
    """Text with what stands between backquotes as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))
