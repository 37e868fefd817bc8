"""Lots: which points expire when, and which are due to be burnt. Burning them is a movement, see `movements`."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from clearing.kit.fields import LookedUpMember
from clearing.ledger.availability.accounts import AccountService
from clearing.ordering.holds.service import HoldService
from clearing.parties.members.service import MemberService
from gateway.api.lots.schemas import DueView, LotView
from gateway.api.lots.view import due_view, lot_view
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, numbers, numbers_cursor, page_of
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint)


@router.get("/v1/members/{member}/accounts/{program}/lots", tags=["members"])
def list_lots(
    member: LookedUpMember, program: str, call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[LotView]:
    """What the member has left of each lot, in the order in which it will be used."""
    found = MemberService(call.session).visible(call.viewer, member)
    accounts = AccountService(call.session, network=call.gateway.network)
    lots = accounts.lots(call.viewer, found, program, after=numbers(cursor, 3), limit=limit + 1)
    return page_of(lots, limit, partial(lot_view, call), lambda lot: numbers_cursor(lot.place))


@router.get("/v1/expirations/due", tags=["expirations"])
def list_due_expirations(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[DueView]:
    """Due points of your programs: their day has come and they are not burnt yet. They cannot be spent any more."""
    holds = HoldService(call.session, network=call.gateway.network)
    rows = holds.due(call.viewer, after=id_after(cursor, "hld"), limit=limit + 1)
    return page_of(rows, limit, partial(due_view, call), lambda hold: hold.id)
