"""Holds: points set aside for a while, then captured, released, or expired."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import MemberName, ProgramName, Reference
from clearing.ledger.availability.models import HoldState
from clearing.ordering.holds.service import HoldService
from clearing.ordering.orders.kinds import kind_labelled
from clearing.parties.agreements.usability import NamedAgreement
from gateway.api.holds.schemas import CaptureBody, HoldCapture, HoldCreate, HoldView
from gateway.api.holds.view import hold_view
from gateway.api.movements.routes import PENDING
from gateway.api.movements.schemas import MovementView
from gateway.api.movements.view import MOVEMENTS
from gateway.http.acceptance import order_service
from gateway.http.auth import missing_scope
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Holding, Moving, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.problems import documented
from gateway.http.results import Started
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["holds"])

if not TYPE_CHECKING:
    CaptureBody = HoldCapture  # what FastAPI reads: the body with the fields of the registered kinds


@router.post("/v1/holds", status_code=201)
def create_hold(body: HoldCreate, call: Holding) -> HoldView:
    """Sets points aside until you capture or release them, or their time is over.

    Points of another merchant's program need an agreement, and the member's one-time code.
    """
    hold = _service(call).create(
        call.merchant,
        NamedAgreement(body.agreement, body.program, body.target_program, program_field="program"),
        member=body.member,
        member_code=body.member_code,
        points=body.points,
        seconds=body.expires_in,
        most_seconds=call.gateway.settings.hold_longest,
        reference=body.reference,
        actor=call.actor,
    )
    return hold_view(call, hold)


@router.post("/v1/holds/{hold}/capture", status_code=201, responses=PENDING)
def capture_hold(hold: str, body: CaptureBody, call: Moving) -> Started[MovementView]:
    """Turns the hold, or part of it, into the redemption, exchange or spend that it returns. The rest is free at once."""
    kind = kind_labelled(body.kind)
    if kind.scope not in call.caller.scopes:
        raise missing_scope(call.caller, kind.scope)
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
    return MOVEMENTS[kind.kind].started(order.movement)


@router.post("/v1/holds/{hold}/release", status_code=200)
def release_hold(hold: str, call: Mutating) -> HoldView:
    """Sets the points free. Releasing twice is harmless."""
    return hold_view(call, _service(call).release(call.merchant, hold, actor=call.actor))


@router.get("/v1/holds", responses=documented(404))
def list_holds(
    call: Reading,
    member: Annotated[MemberName | None, Query()] = None,
    program: Annotated[ProgramName | None, Query()] = None,
    state: Annotated[HoldState | None, Query()] = None,
    reference: Annotated[Reference | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[HoldView]:
    """Your holds, newest first."""
    rows = _service(call).list(
        call.viewer,
        member=member,
        program=program,
        state=state,
        reference=reference,
        after=id_after(cursor, "hld"),
        limit=limit + 1,
    )
    return page_of(rows, limit, partial(hold_view, call), lambda row: row.id)


@router.get("/v1/holds/{hold}")
def get_hold(hold: str, call: Reading) -> HoldView:
    """One hold."""
    return hold_view(call, _service(call).visible(call.viewer, hold))


def _service(call: Call) -> HoldService:
    return HoldService(call.session, network=call.gateway.network)
