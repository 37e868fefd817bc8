"""Fills: what pumps and wash bays gave out, for whom, and as which sale."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from loyalty.api.fills.schemas import FillView
from loyalty.fills.models import FillState
from loyalty.fills.service import FillService
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown

router = api("fills")


@router.get("/v1/fills")
def list_fills(
    call: Calling,
    station: str | None = None,
    device: str | None = None,
    state: FillState | None = None,
    customer: str | None = None,
    has_problem: Annotated[bool | None, Query(alias="problem")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[FillView]:
    """Fills, newest first. `problem=true` lists those that cannot be booked as they are."""
    found = FillService(call.session).page(
        station=station,
        device=device,
        state=state,
        customer=customer,
        has_problem=has_problem,
        cursor=cursor,
        limit=limit,
    )
    return shown(found, FillView.of)


@router.get("/v1/fills/{fill}")
def get_fill(call: Calling, fill: str) -> FillView:
    """One fill. `GET /v1/devices/events?fill=` has what it is made of."""
    return FillView.of(FillService(call.session).get(fill))
