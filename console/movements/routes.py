"""The list of movements, as a page and as a file, and each movement by itself."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from console.explorer.sentences import SENTENCES
from console.explorer.view import offer_of, text_of
from console.flow import other_program_of
from console.movements.filters import DIRECTIONS, KINDS, STATES, Filters, read_filters
from console.movements.table import writer_of
from console.movements.view import address_of_page, story_of
from console.problem_texts import sentence_of
from console.visit import Visit, Visiting
from pages.formats import short
from pages.paging import CURSOR, address_with, pager_of
from pages.security import allow_connections
from tongdui import AsyncPages, Movement, NotFoundError

router = APIRouter()

_ROWS = 50
_ROWS_OF_FILE = 200
_MERCHANTS = 200
_SIDES = ("merchant", "giver", "receiver", "counterparty")


@router.get("")
async def movements(visit: Visiting) -> Response:
    """The list, newest first."""
    filters = read_filters(visit.request.query_params)
    cursor = visit.request.query_params.get(CURSOR) or None
    options, page = await asyncio.gather(_options(visit), _page(visit, filters, cursor))
    return visit.page(
        "movements/list.html",
        status=422 if filters.mistakes else 200,
        filters=filters,
        movements=page.data if page else (),
        is_found=page is not None,
        pager=pager_of(visit.request, page.next_cursor if page else None),
        csv=address_with(visit.request, {CURSOR: None}, f"{visit.request.url.path}/file.csv"),
        **options,
    )


@router.get("/file.csv")
async def file(visit: Visiting) -> Response:
    """All that the filters leave, however much that is."""
    filters = read_filters(visit.request.query_params)
    if filters.mistakes:
        return visit.redirect(address_with(visit.request, {}, visit.request.url.path.removesuffix("/file.csv")))
    found = _listing(visit, filters, _ROWS_OF_FILE)
    headers = {"Content-Disposition": 'attachment; filename="movements.csv"'}
    return StreamingResponse(writer_of()(found.pages()), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/{movement}")
async def one(visit: Visiting, movement: str) -> Response:
    """One movement with its story. Its check asks a chain node of the person's choice."""
    allow_connections(visit.request, "https: http:")
    story = await story_of(visit, movement)
    found = story.movement
    reversals = address_of_page(visit, "reversals")
    return visit.page(
        "movements/one.html",
        story=story,
        other_program=other_program_of(found),
        offer=offer_of(story.network),
        sentences=SENTENCES,
        reason=sentence_of(found.reason, found.reason) if found.reason else None,
        reverse_href=f"{reversals}/new?movement={found.id}" if reversals and story.may_reverse else None,
        may_explore=address_of_page(visit, "explorer") is not None,
        told=[event for event in story.events if event.subject == found.id],
        crumbs=[(short(movement), None)],
    )


@router.get("/{movement}/receipt.json")
async def receipt(visit: Visiting, movement: str) -> Response:
    """The receipt, to keep or to send to somebody who then checks it."""
    found = await visit.client.movements.get(movement)
    content = text_of(await visit.client.entries.receipt(found.settled().leaf))
    headers = {"Content-Disposition": f'attachment; filename="receipt-{found.id}.json"'}
    return Response(content, media_type="application/json", headers=headers)


async def _page(visit: Visit, filters: Filters, cursor: str | None) -> Any:
    """A page of the list; None if what was asked for exists for nobody whom this merchant knows."""
    if filters.mistakes:
        return None
    try:
        return await _listing(visit, filters, _ROWS).page(cursor)
    except NotFoundError:
        return None


def _listing(visit: Visit, filters: Filters, rows: int) -> AsyncPages[Movement]:
    return visit.client.movements.list(page_size=rows, expand=_SIDES, **filters.asked)


async def _options(visit: Visit) -> dict[str, Any]:
    """What the filters offer. Choosing from names is for as many merchants and programs as one can look through."""
    merchants, programs = await asyncio.gather(
        visit.client.merchants.list(page_size=_MERCHANTS).page(),
        visit.client.programs.list(page_size=_MERCHANTS).page(),
    )
    others = [(one.id, one.name) for one in merchants.data if one.id != visit.seat.merchant]
    names = [(one.code, f"{one.code} · {one.name}") for one in programs.data]
    return {
        "kinds": list(KINDS.items()),
        "states": list(STATES.items()),
        "directions": list(DIRECTIONS.items()),
        "merchants": None if merchants.next_cursor else sorted(others, key=lambda pair: pair[1]),
        "programs": None if programs.next_cursor else sorted(names),
    }
