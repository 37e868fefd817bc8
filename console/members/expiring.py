"""Whose points expire soon, and whose have: those are to be burnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from console.listing import Found, found_of
from console.merchants import all_programs, program_choices, programs_of
from console.visit import Visit, Visiting
from pages.filters import FIRST_DAY, LAST_DAY, Filters, read_filters
from pages.translations import gettext as _
from tongdui import DuePoints, Program, UpcomingPoints

router = APIRouter()
_ROWS = 50
DAYS_AHEAD = 92
"""So far ahead the gateway looks."""


@router.get("/expiring")
async def expiring(visit: Visiting) -> Response:
    """Members whose next points expire from tomorrow on, the first day first."""
    programs = await _programs(visit)
    choices = {"program": [one.code for one in programs]}
    filters = await _within_sight(visit, read_filters(visit.request.query_params, choices=choices, days=True))
    found = await found_of(
        visit.request,
        filters,
        lambda: visit.client.expirations.upcoming(
            program=filters.asked.get("program"),
            first_day=filters.first_day,
            end_day=filters.end_day,
            expand=["member"],
            page_size=_ROWS,
        ),
        {"day[gte]": FIRST_DAY, "day[lt]": LAST_DAY},
    )
    return _list(visit, found, _("Expiring points"), programs)


@router.get("/expired")
async def expired(visit: Visiting) -> Response:
    """Members with points whose day has come and which are not burnt yet."""
    found = await found_of(
        visit.request, read_filters({}), lambda: visit.client.expirations.due(expand=["member"], page_size=_ROWS)
    )
    return _list(visit, found, _("Expired points"))


async def _programs(visit: Visit) -> Sequence[Program]:
    return await (programs_of(visit, visit.seat.merchant) if visit.seat.merchant else all_programs(visit))


async def _within_sight(visit: Visit, filters: Filters) -> Filters:
    """The filters; a day that is too far ahead is a mistake."""
    furthest = (await visit.network()).today + timedelta(days=DAYS_AHEAD)
    if filters.last_day is None or filters.last_day <= furthest:
        return filters
    told = _("The list looks %(days)s days ahead.") % {"days": DAYS_AHEAD}
    return replace(filters, mistakes={**filters.mistakes, LAST_DAY: told})


def _list(
    visit: Visit, found: Found[UpcomingPoints] | Found[DuePoints], title: str, programs: Sequence[Program] | None = None
) -> Response:
    """A list of one of the two; what has expired has no filters."""
    return visit.page(
        "members/expiring.html",
        status=found.filters.status,
        title=title,
        found=found,
        filters=found.filters,
        programs=None if programs is None else program_choices(programs),
        days_ahead=DAYS_AHEAD,
        crumbs=[(title, None)],
    )
