"""Lots: which points expire when, and which are due to be burnt. Burning them is a movement, see `movements`."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.kit.errors import NotFound
from clearing.ledger.availability.models import Hold
from clearing.ledger.availability.repository import HoldRepository
from clearing.ledger.lots.service import Lot, LotService
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import ProgramService
from gateway.api.lots.schemas import DueView, LotView
from gateway.api.members.routes import member_of
from gateway.api.names import Names
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint)


@router.get("/v1/members/{member:path}/accounts/{program}/lots", response_model=Page[LotView], tags=["members"])
def list_lots(member: str, program: str, call: Reading) -> View:
    """What the member has of each lot, in the order in which it will be used."""
    found = member_of(call, member)
    named = ProgramService(call.session).existing(program)
    if call.only_merchant is not None and named.number not in _seen(call):
        raise NotFound(f"there is no program {program} that you deal with")
    lots = LotService(call.session, network=call.gateway.network).of((found.address, named.number))
    return Page(data=[_lot(call, lot) for lot in lots])


@router.get("/v1/expirations/due", response_model=Page[DueView], tags=["expirations"])
def list_due_expirations(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """Points of your programs whose day has come and that are not burnt yet. They cannot be spent any more."""
    rows = HoldRepository(call.session).expiry_list(merchant=call.only_merchant, after=cursor, limit=limit + 1)
    return page_of(rows, limit, lambda row: _due(call, row), lambda row: row.id)


def _seen(call: Call) -> set[int]:
    number = call.only_merchant or 0
    own = {program.number for program in ProgramRepository(call.session).of_merchant(number)}
    return own | AgreementRepository(call.session).programs_seen_by(number)


def _lot(call: Call, lot: Lot) -> LotView:
    day = call.gateway.network.date_of(lot.expiry_day) if lot.expiry_day else None
    return LotView(entry=lot.leaf, points=lot.points, expires_on=day)


def _due(call: Call, hold: Hold) -> DueView:
    program = Names(call.session).program(hold.program)
    return DueView(member=hold.member_id, address=hold.address, program=program, points=hold.points)
