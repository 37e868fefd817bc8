"""The list of movements, as a page and as a file, and each movement by itself."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from console.explorer.sentences import SENTENCES
from console.explorer.view import offer_of, text_of
from console.flow import other_program_of
from console.kinds import DIRECTIONS, KINDS, STATES
from console.listing import found_of
from console.merchants import all_merchants, all_programs, program_choices
from console.movements.export import export_file, export_page
from console.movements.filters import asked_of, filters_of
from console.movements.table import file_of
from console.movements.view import story_of
from console.problem_texts import sentence_of
from console.visit import Visit, Visiting
from pages.filters import Filters
from pages.formats import short
from pages.paging import CURSOR, address_with
from pages.security import allow_connections
from tongdui import AsyncPages, BadRequestError, Movement, NotFoundError, UnprocessableError

router = APIRouter()

_ROWS = 50
_ROWS_OF_FILE = 200
_MERCHANTS = 200
_SIDES = ("merchant", "giver", "receiver", "counterparty")


@router.get("")
async def movements(visit: Visiting) -> Response:
    """The list, newest first."""
    filters = filters_of(visit.request.query_params, is_one_sides=visit.seat.merchant is not None)
    options, found = await asyncio.gather(
        _options(visit), found_of(visit.request, filters, lambda: _listing(visit, filters, _ROWS))
    )
    return visit.page(
        "movements/list.html",
        status=found.filters.status,
        found=found,
        filters=found.filters,
        csv=address_with(visit.request, {CURSOR: None}, f"{visit.request.url.path}/file.csv"),
        **options,
    )


@router.get("/file.csv")
async def file(visit: Visiting) -> Response:
    """All that the filters leave, however much that is."""
    filters = filters_of(visit.request.query_params, is_one_sides=visit.seat.merchant is not None)
    shown = address_with(visit.request, {}, visit.request.url.path.removesuffix("/file.csv"))
    if filters.mistakes:
        return visit.redirect(shown)
    try:
        return await file_of(_listing(visit, filters, _ROWS_OF_FILE))
    except (NotFoundError, BadRequestError, UnprocessableError):
        return visit.redirect(shown)  # which says what is wrong


@router.get("/export")
async def ask_export(visit: Visiting) -> Response:
    """Asks which entries to export with their receipts, and whose."""
    return await export_page(visit)


@router.get("/export/entries.csv")
async def export(visit: Visiting) -> Response:
    """A merchant's entries of some days with their receipts, however many they are."""
    return await export_file(visit)


@router.get("/{movement}")
async def one(visit: Visiting, movement: str) -> Response:
    """One movement with its story. Its check asks a chain node of the person's choice."""
    allow_connections(visit.request, "https: http:")
    story = await story_of(visit, movement)
    found = story.movement
    return visit.page(
        "movements/one.html",
        story=story,
        other_program=other_program_of(found),
        offer=offer_of(story.network),
        sentences=SENTENCES,
        reason=sentence_of(found.reason, found.reason) if found.reason else None,
        reverse_href=f"/reversals/new?movement={found.id}" if story.may_give_back else None,
        may_explore=visit.path_of("explorer") is not None,
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


def _listing(visit: Visit, filters: Filters, rows: int) -> AsyncPages[Movement]:
    return visit.client.movements.list(page_size=rows, expand=_SIDES, **asked_of(filters))


async def _options(visit: Visit) -> dict[str, Any]:
    """What the filters offer. Choosing from names is for as many merchants and programs as one can look through."""
    merchants, programs = await asyncio.gather(all_merchants(visit), all_programs(visit))
    others = [(one.id, one.name) for one in merchants if one.id != visit.seat.merchant]
    return {
        "kinds": list(KINDS.items()),
        "states": list(STATES.items()),
        "directions": list(DIRECTIONS.items()),
        "merchants": None if len(merchants) > _MERCHANTS else sorted(others, key=lambda pair: pair[1]),
        "programs": None if len(programs) > _MERCHANTS else sorted(program_choices(programs)),
    }
