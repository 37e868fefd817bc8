"""Holds: points set aside for a while, then captured, released, or expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query

from clearing.kit.clock import clock_of
from clearing.kit.errors import InvalidRequest
from clearing.kit.fields import MemberName, ProgramName, Reference
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.availability.repository import HoldFilter, HoldRepository
from clearing.ordering.holds.service import HoldService
from clearing.ordering.orders.kinds import kind_labelled
from clearing.parties.programs.service import ProgramService
from gateway.api.holds.schemas import CaptureBody, HoldCapture, HoldCreate, HoldView
from gateway.api.members.routes import member_of
from gateway.api.movements.acceptance import order_service
from gateway.api.movements.routes import PENDING
from gateway.api.movements.schemas import MovementView
from gateway.api.names import Names
from gateway.http.auth import missing_scope
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of
from gateway.http.problems import documented
from gateway.http.results import Started
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint, tags=["holds"])

if not TYPE_CHECKING:
    CaptureBody = HoldCapture  # what FastAPI reads: the body with the fields of the registered kinds


@router.post("/v1/holds", status_code=201, response_model=HoldView)
def create_hold(body: HoldCreate, call: Mutating) -> Any:
    """Sets points of a program of yours aside until you capture or release them, or their time is over."""
    longest = call.gateway.settings.hold_longest
    if body.expires_in > longest:
        raise InvalidRequest.at("/expires_in", f"a hold lasts at most {longest} seconds")
    hold = _service(call).create(
        call.merchant,
        program=body.program,
        member=body.member,
        points=body.points,
        seconds=body.expires_in,
        reference=body.reference,
        actor=call.actor,
    )
    return _view(call, hold)


@router.post("/v1/holds/{hold}/capture", status_code=201, response_model=MovementView, responses=PENDING)
def capture_hold(hold: str, body: CaptureBody, call: Waitable) -> Any:
    """Turns the hold, or a part of it, into a redemption or an exchange, which is the answer. The rest is free at once."""
    kind = kind_labelled(body.kind)
    if kind.scope not in call.caller.scopes:
        raise missing_scope(kind.scope)
    order = _service(call).capture(
        call.merchant,
        hold,
        kind.kind,
        points=body.points,
        fields=body.captured(),
        orders=order_service(call),
        authorization=body.authorization.wire() if body.authorization else None,
        actor=call.actor,
    )
    call.notes["order"] = order.id
    return Started(order.instructions[0].id)


@router.post("/v1/holds/{hold}/release", status_code=200, response_model=HoldView)
def release_hold(hold: str, call: Mutating) -> Any:
    """Sets the points free. Releasing twice is harmless."""
    return _view(call, _service(call).release(call.merchant, hold, actor=call.actor))


@router.get("/v1/holds", response_model=Page[HoldView], responses=documented(404))
def list_holds(
    call: Reading,
    member: Annotated[MemberName | None, Query()] = None,
    program: Annotated[ProgramName | None, Query()] = None,
    state: Annotated[HoldState | None, Query()] = None,
    reference: Annotated[Reference | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> View:
    """Your holds, newest first."""
    wanted = HoldFilter(
        merchant=call.only_merchant,
        member_id=member_of(call, member).id if member else None,
        program=ProgramService(call.session).existing(program).number if program else None,
        state=state,
        reference=reference,
    )
    rows = HoldRepository(call.session).list(wanted, at=clock_of(call.session).now(), after=cursor, limit=limit + 1)
    return page_of(rows, limit, lambda row: _view(call, row), lambda row: row.id)


@router.get("/v1/holds/{hold}", response_model=HoldView)
def get_hold(hold: str, call: Reading) -> View:
    """One hold."""
    return _view(call, _service(call).existing(call.only_merchant, hold))


def _service(call: Call) -> HoldService:
    return HoldService(call.session, network=call.gateway.network)


def _view(call: Call, hold: Hold) -> HoldView:
    names = Names(call.session)
    return HoldView(
        id=hold.id,
        state=hold.state_at(clock_of(call.session).now()),
        merchant=names.merchant(hold.merchant_number),
        member=hold.member_id,
        program=names.program(hold.program),
        points=hold.points,
        captured=hold.captured,
        order=hold.order_id,
        movement=hold.movement_id,
        reference=hold.reference,
        expires_at=hold.expires_at,
        ended_at=hold.ended_at,
        created_at=hold.created_at,
    )
