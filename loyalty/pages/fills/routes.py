"""Fills: by station, device, state and customer, and one with what it is made of."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi.responses import Response

from loyalty.devices.service import DeviceService
from loyalty.fills.models import DeviceEvent, FillState
from loyalty.fills.service import FillService
from loyalty.pages.names import FILL_STATES
from loyalty.pages.visit import Visiting, page_router
from pages.filters import read_filters
from pages.paging import cursor_of, pager_of
from pages.translations import lazy

router = page_router("/fills")
_ROWS, _EVENTS = 50, 100
_STATES = {state.value: name for state, (name, _tone) in FILL_STATES.items()}
_PROBLEMS = {"yes": lazy("Cannot be booked"), "no": lazy("Without a problem")}


@router.get("")
def fills(visit: Visiting) -> Response:
    """Fills, newest first."""
    filters = read_filters(
        visit.request.query_params,
        choices={"state": _STATES, "problem": _PROBLEMS},
        texts={"station": 20, "device": 40, "customer": 40},
    )
    asked = filters.asked
    rows, following = FillService(visit.session).page(
        station=asked.get("station"),
        device=asked.get("device"),
        state=FillState(asked["state"]) if "state" in asked else None,
        customer=asked.get("customer"),
        has_problem=asked["problem"] == "yes" if "problem" in asked else None,
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    return visit.page(
        "fills/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        filters=filters,
        states=_STATES.items(),
        problems=_PROBLEMS.items(),
        pager=pager_of(visit.request, following),
    )


@router.get("/{fill}")
def one(visit: Visiting, fill: str) -> Response:
    """One fill, and its events for whoever may see what devices post."""
    service = FillService(visit.session)
    found = service.get(fill)
    events: Sequence[DeviceEvent] = ()
    following = None
    if visit.may("GET", "/devices/events"):
        events, following = service.events(
            device=None, fill=found.id, kind=None, cursor=cursor_of(visit.request), limit=_EVENTS
        )
    return visit.page(
        "fills/one.html",
        fill=found,
        device=DeviceService(visit.session).get(found.device_id),
        events=events,
        pager=pager_of(visit.request, following),
        crumbs=[(found.number, None)],
    )
