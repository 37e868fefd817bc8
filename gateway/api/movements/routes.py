"""Movements: orders of one instruction. Each registered kind has the same three routes, made here."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from clearing.kit.errors import NotFound
from clearing.kit.fields import MemberName, ProgramName, Reference
from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.repository import Movement, MovementFilter, OrderRepository
from clearing.parties.programs.service import ProgramService
from gateway.api.members.routes import member_of
from gateway.api.movements.acceptance import accept
from gateway.api.movements.bodies import CREATE_BODIES, CreateBody
from gateway.api.movements.schemas import MovementView
from gateway.api.views import Views
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of, pair, pair_cursor
from gateway.http.problems import documented
from gateway.http.results import Started
from gateway.http.schemas import Page

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


def _add_routes(kind: InstructionKind[Any]) -> None:
    path = f"/v1/{kind.collection}"

    def create(body: CreateBody, call: Waitable) -> Started:
        order = accept(call, [body.instruction(kind)], body.authorization)
        return Started(order.instructions[0].id)

    def listing(call: Reading, wanted: Wanted) -> Page[MovementView]:
        chosen = MovementFilter(
            kind=kind.kind,
            merchant=call.only_merchant,
            member_id=member_of(call, wanted.member).id if wanted.member else None,
            program=ProgramService(call.session).existing(wanted.program).number if wanted.program else None,
            state=wanted.state,
            reference=wanted.reference,
        )
        rows = OrderRepository(call.session).movements(chosen, pair(wanted.cursor), wanted.limit + 1)
        return page_of(rows, wanted.limit, Views(call.session, call.gateway.network).movement, _cursor)

    def one(movement: str, call: Reading) -> MovementView:
        found = OrderRepository(call.session).movement(movement)
        visible = found is not None and call.only_merchant in (None, found.order.merchant_number)
        if found is None or not visible or found.instruction.kind != kind.kind:
            raise NotFound(f"there is no {kind.noun} {movement}")
        return Views(call.session, call.gateway.network).movement(found)

    create.__annotations__["body"] = CREATE_BODIES[kind.label]
    common: dict[str, Any] = {"tags": [kind.collection]}
    router.add_api_route(
        path,
        create,
        methods=["POST"],
        name=f"create_{kind.noun}",
        description=kind.summary,
        status_code=201,
        response_model=MovementView,
        responses=PENDING,
        **common,
    )
    router.add_api_route(
        path,
        listing,
        methods=["GET"],
        name=f"list_{kind.collection}",
        description=f"Your {kind.collection}, newest first.",
        response_model=Page[MovementView],
        responses=documented(404),
        **common,
    )
    router.add_api_route(
        f"{path}/{{movement}}",
        one,
        methods=["GET"],
        name=f"get_{kind.noun}",
        description=f"One {kind.noun}.",
        response_model=MovementView,
        **common,
    )


def _cursor(movement: Movement) -> str:
    return pair_cursor(movement.instruction.order_seq, movement.instruction.item)


for registered in KINDS:
    _add_routes(registered)
