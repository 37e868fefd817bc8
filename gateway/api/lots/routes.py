"""Lots: which points expire when, which will soon, and which are due to be burnt. Burning them is a movement, see `movements`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import Day, LookedUpMember, ProgramName
from clearing.ledger.availability.accounts import AccountService
from clearing.ledger.lots.upcoming import UpcomingService
from clearing.ordering.holds.service import HoldService
from gateway.api.lots.schemas import DueView, LotView, UpcomingView
from gateway.api.lots.view import due_view, lot_view, upcoming_view
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    account_after,
    id_after,
    numbers,
    numbers_cursor,
    page_of,
)
from gateway.http.problems import documented
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint)


@router.get("/v1/members/{member}/accounts/{program}/lots", tags=["members"])
def list_lots(
    member: LookedUpMember, program: str, call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[LotView]:
    """What the member has left of each lot, in the order in which it will be used."""
    accounts = AccountService(call.session, network=call.gateway.network)
    holder = accounts.holder(call.viewer, member)
    lots = accounts.lots(call.viewer, holder, program, after=numbers(cursor, 3), limit=limit + 1)
    return page_of(lots, limit, partial(lot_view, call), lambda lot: numbers_cursor(lot.place))


@router.get("/v1/expirations/due", tags=["expirations"])
def list_due_expirations(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[DueView]:
    """Due points of your programs: their day has come and they are not burnt yet. They cannot be spent any more."""
    holds = HoldService(call.session, network=call.gateway.network)
    rows = holds.due(call.viewer, after=id_after(cursor, "hld"), limit=limit + 1)
    return page_of(rows, limit, partial(due_view, call), lambda hold: hold.id)


@router.get("/v1/expirations/upcoming", tags=["expirations"], responses=documented(404))
def list_upcoming_expirations(
    call: Reading,
    program: Annotated[ProgramName | None, Query(description="only of this program")] = None,
    first_day: Annotated[Day | None, Query(alias="day[gte]", description="only of this day or later")] = None,
    end_day: Annotated[Day | None, Query(alias="day[lt]", description="only of days before this one")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[UpcomingView]:
    """Accounts of your programs whose next points expire from tomorrow on, the first day first; up to 92 days ahead."""
    service = UpcomingService(call.session, network=call.gateway.network)
    places = service.places(
        call.viewer, program=program, first_day=first_day, end_day=end_day, after=account_after(cursor), limit=limit + 1
    )
    return page_of(
        service.with_points(places), limit, partial(upcoming_view, call), lambda found: numbers_cursor(found.place)
    )
