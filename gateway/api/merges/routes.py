"""Merges of members: proposed with a warning, confirmed for good, and signed by the merchants of all programs."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import MemberId
from clearing.ordering.merges.models import MergeState
from gateway.api.merges.schemas import MergeCreate, MergeTransferCreate, MergeView
from gateway.api.merges.view import merge_service, merge_view
from gateway.api.movements.routes import PENDING
from gateway.api.movements.schemas import MovementView
from gateway.api.movements.view import MOVEMENTS
from gateway.http.acceptance import order_service
from gateway.http.endpoint import Endpoint, Moving, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page
from tongdui.orders import Kind

router = APIRouter(route_class=Endpoint, tags=["merges"])


@router.post("/v1/merges", status_code=201)
def propose_merge(body: MergeCreate, call: Mutating) -> MergeView:
    """Proposes to merge a member into another one, and shows what would happen. Nothing happens before you confirm it."""
    return merge_view(call, merge_service(call).propose(call.merchant, body.member, body.into, call.actor))


@router.post("/v1/merges/{merge}/confirm", status_code=200)
def confirm_merge(merge: str, call: Mutating) -> MergeView:
    """Merges the members. This cannot be undone."""
    return merge_view(call, merge_service(call).confirm(call.merchant, merge, call.actor))


@router.post("/v1/merges/{merge}/cancel", status_code=200)
def cancel_merge(merge: str, call: Mutating) -> MergeView:
    """Withdraws a proposal that is not confirmed."""
    return merge_view(call, merge_service(call).cancel(call.merchant, merge, call.actor))


@router.post("/v1/merges/{merge}/transfers", status_code=201, responses=PENDING)
def sign_merge_transfer(merge: str, body: MergeTransferCreate, call: Moving) -> Started[MovementView]:
    """Moves a merged member's points of a program of yours, with your signature."""
    order = merge_service(call).sign(
        call.merchant,
        merge,
        program=body.program,
        points=body.points,
        reference=body.reference,
        ref=body.ref,
        orders=order_service(call),
        authorization=body.authorization.wire() if body.authorization else None,
        actor=call.actor,
    )
    call.notes["order"] = order.id
    return MOVEMENTS[Kind.TRANSFER].started(order.movement)


@router.get("/v1/merges")
def list_merges(
    call: Reading,
    state: Annotated[MergeState | None, Query()] = None,
    member: Annotated[MemberId | None, Query(description="the id of either member")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[MergeView]:
    """Merges that you proposed, and those of members with points of your programs, newest first."""
    rows = merge_service(call).list(
        call.viewer, state=state, member=member, after=id_after(cursor, "mrg"), limit=limit + 1
    )
    return page_of(rows, limit, partial(merge_view, call), lambda row: row.id)


@router.get("/v1/merges/{merge}")
def get_merge(merge: str, call: Reading) -> MergeView:
    """One merge, with the transfers that are due."""
    return merge_view(call, merge_service(call).visible(call.viewer, merge))
