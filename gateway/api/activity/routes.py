"""Activity: daily totals that cost the same to read however much was traded."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import Day, MerchantId, ProgramName
from clearing.ledger.activity.models import PLACE, Place
from clearing.ledger.activity.service import LONGEST_DAYS, ActivityService
from gateway.api.activity.schemas import ActivityView, CirculationView, PartnerView, PositionHistoryView
from gateway.api.activity.view import activity_view, circulation_view, partner_view, position_history_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, number, numbers, numbers_cursor, page_of
from gateway.http.problems import documented
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["activity"])

_DEFAULT_DAYS = 30
_Whose = Annotated[MerchantId | None, Query(description="whose; your own, if it is missing, or the operator's")]


def _service(call: Call) -> ActivityService:
    return ActivityService(call.session, network=call.gateway.network)


def _place(cursor: str | None) -> Place | None:
    found = numbers(cursor, len(PLACE))
    return None if found is None else (found[0], found[1], found[2], found[3], found[4])


@router.get("/v1/activity", responses=documented(404))
def list_activity(
    call: Reading,
    first: Annotated[
        Day | None, Query(alias="from", description="the first day; 29 days ago, if it is missing")
    ] = None,
    last: Annotated[Day | None, Query(alias="to", description="the last day; today, if it is missing")] = None,
    program: Annotated[ProgramName | None, Query(description="only in this program: its code or id")] = None,
    counterparty: Annotated[MerchantId | None, Query(description="only with this partner")] = None,
    merchant: _Whose = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[ActivityView]:
    """Daily totals of what a merchant issued, redeemed, spent, exchanged, reversed and let expire, the last day first.

    A movement under an agreement counts for both merchants; each sees its own side. Without `counterparty`, all are added up.
    """
    service, network = _service(call), call.gateway.network
    rows = service.list(
        call.viewer,
        merchant=merchant,
        counterparty=counterparty,
        program=program,
        first_day=network.day_of(first) if first else service.today - _DEFAULT_DAYS + 1,
        last_day=network.day_of(last) if last else service.today + 1,  # the chain's day may have begun before ours
        after=_place(cursor),
        limit=limit + 1,
    )
    return page_of(
        rows, limit, partial(activity_view, call), lambda row: numbers_cursor(getattr(row, name) for name in PLACE)
    )


@router.get("/v1/partners", responses=documented(404))
def list_partners(
    call: Reading,
    since: Annotated[
        Day | None,
        Query(description=f"since this day, at most {LONGEST_DAYS} days; 30 days, if it is missing"),
    ] = None,
    merchant: _Whose = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[PartnerView]:
    """With whom a merchant has or had an agreement, and what they paid each other since a day, and today."""
    service = _service(call)
    first = call.gateway.network.day_of(since) if since else service.today - _DEFAULT_DAYS + 1
    rows = service.partners(call.viewer, merchant=merchant, since=first, after=number(cursor), limit=limit + 1)
    return page_of(rows, limit, partner_view, lambda partner: str(partner.merchant.number))


@router.get("/v1/positions/{merchant}/history")
def get_position_history(
    merchant: str,
    call: Reading,
    days: Annotated[int, Query(ge=1, le=LONGEST_DAYS, description="how many days, with today")] = _DEFAULT_DAYS,
) -> PositionHistoryView:
    """A merchant's position at the end of each of the last days; of today, as it is now."""
    return position_history_view(call, merchant, _service(call).positions(call.viewer, merchant, days))


@router.get("/v1/programs/{program}/circulation")
def get_circulation(program: str, call: Reading) -> CirculationView:
    """How many points of a program are in circulation now, and what became of the others. The chain shows them to anyone."""
    return circulation_view(*_service(call).circulation(program))
