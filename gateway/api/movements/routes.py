"""Issuances, redemptions and exchanges: orders with one instruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from clearing.kit.errors import NotFound
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.repository import Movement, MovementFilter, OrderRepository
from clearing.ordering.orders.requests import InstructionRequest
from clearing.parties.programs.service import ProgramService
from gateway.api.members.routes import member_of
from gateway.api.movements.schemas import (
    AuthorizationBody,
    ExchangeCreate,
    IssuanceCreate,
    MovementView,
    RedemptionCreate,
)
from gateway.api.orders.acceptance import accept
from gateway.api.views import Views
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of, pair, pair_cursor
from gateway.http.problems import documented
from gateway.http.results import Started
from gateway.http.schemas import MemberName, Page, ProgramName, Reference, View
from tongdui.orders import Kind

router = APIRouter(route_class=Endpoint)


@dataclass(frozen=True, slots=True)
class MovementQuery:
    """Which movements, and which page of them."""

    member: Annotated[MemberName | None, Query()] = None
    program: Annotated[ProgramName | None, Query()] = None
    state: Annotated[OrderState | None, Query()] = None
    reference: Annotated[Reference | None, Query()] = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


Wanted = Annotated[MovementQuery, Depends()]

PENDING: dict[int | str, dict[str, Any]] = {
    202: {"model": MovementView, "description": "Accepted; the chain has not decided yet"}
}


@router.post("/v1/issuances", status_code=201, response_model=MovementView, responses=PENDING, tags=["issuances"])
def create_issuance(body: IssuanceCreate, call: Waitable) -> Any:
    """Gives a member new points. A movement that the chain rejects is answered with state `rejected` and its reason."""
    return created(call, body.request(), body.authorization)


@router.post("/v1/redemptions", status_code=201, response_model=MovementView, responses=PENDING, tags=["redemptions"])
def create_redemption(body: RedemptionCreate, call: Waitable) -> Any:
    """Takes points in at your own till. A movement that the chain rejects has state `rejected` and its reason."""
    return created(call, body.request(), body.authorization)


@router.post("/v1/exchanges", status_code=201, response_model=MovementView, responses=PENDING, tags=["exchanges"])
def create_exchange(body: ExchangeCreate, call: Waitable) -> Any:
    """Changes points into another program's; the merchants are settled in the same transaction on chain."""
    return created(call, body.request(), body.authorization)


@router.get("/v1/issuances", response_model=Page[MovementView], responses=documented(404), tags=["issuances"])
def list_issuances(call: Reading, wanted: Wanted) -> View:
    """Your issuances, newest first."""
    return listed(call, Kind.ISSUE, wanted)


@router.get("/v1/redemptions", response_model=Page[MovementView], responses=documented(404), tags=["redemptions"])
def list_redemptions(call: Reading, wanted: Wanted) -> View:
    """Your redemptions, newest first."""
    return listed(call, Kind.REDEEM, wanted)


@router.get("/v1/exchanges", response_model=Page[MovementView], responses=documented(404), tags=["exchanges"])
def list_exchanges(call: Reading, wanted: Wanted) -> View:
    """The exchanges that you started, newest first. Those that others started under your agreements are in `/v1/entries`."""
    return listed(call, Kind.EXCHANGE, wanted)


@router.get("/v1/issuances/{movement}", response_model=MovementView, tags=["issuances"])
def get_issuance(movement: str, call: Reading) -> View:
    """One issuance."""
    return one(call, movement, Kind.ISSUE)


@router.get("/v1/redemptions/{movement}", response_model=MovementView, tags=["redemptions"])
def get_redemption(movement: str, call: Reading) -> View:
    """One redemption."""
    return one(call, movement, Kind.REDEEM)


@router.get("/v1/exchanges/{movement}", response_model=MovementView, tags=["exchanges"])
def get_exchange(movement: str, call: Reading) -> View:
    """One exchange."""
    return one(call, movement, Kind.EXCHANGE)


def created(call: Call, request: InstructionRequest, authorization: AuthorizationBody | None) -> Started:
    """Accepts an order of one instruction."""
    order = accept(call, [request], authorization)
    return Started(order.instructions[0].id)


def listed(call: Call, kind: Kind, wanted: MovementQuery) -> View:
    """A page of the movements of a kind that the caller asks for, among those that it may see."""
    chosen = MovementFilter(
        kind=kind,
        merchant=call.only_merchant,
        member_id=member_of(call, wanted.member).id if wanted.member else None,
        program=ProgramService(call.session).existing(wanted.program).number if wanted.program else None,
        state=wanted.state,
        reference=wanted.reference,
    )
    rows = OrderRepository(call.session).movements(chosen, pair(wanted.cursor), wanted.limit + 1)
    return page_of(rows, wanted.limit, Views(call.session, call.gateway.network).movement, _cursor)


def _cursor(movement: Movement) -> str:
    return pair_cursor(movement.instruction.order_seq, movement.instruction.item)


def one(call: Call, movement_id: str, kind: Kind) -> View:
    """A movement that the caller may see."""
    movement = OrderRepository(call.session).movement(movement_id)
    visible = movement is not None and call.only_merchant in (None, movement.order.merchant_number)
    if movement is None or not visible or movement.instruction.kind != kind:
        raise NotFound(f"there is no {kind.label} {movement_id}")
    return Views(call.session, call.gateway.network).movement(movement)
