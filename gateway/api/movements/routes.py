"""Movements: orders of one instruction. Each registered kind has the same three routes, made here."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from clearing.kit.fields import MemberName, ProgramName, Reference
from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.movements import MovementService
from gateway.api.movements.acceptance import accept
from gateway.api.movements.bodies import CREATE_BODIES, CreateBody
from gateway.api.movements.schemas import MovementView
from gateway.api.movements.view import MOVEMENTS, movement_cursor, movement_view
from gateway.http.endpoint import Endpoint, Moving, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of, pair
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

    def create(body: CreateBody, call: Moving) -> Started[MovementView]:
        order = accept(call, [body.instruction(kind)], body.authorization)
        return MOVEMENTS[kind.kind].started(order.instructions[0].id)

    def listing(call: Reading, wanted: Wanted) -> Page[MovementView]:
        rows = MovementService(call.session).list(
            call.viewer,
            kind.kind,
            member=wanted.member,
            program=wanted.program,
            state=wanted.state,
            reference=wanted.reference,
            after=pair(wanted.cursor),
            limit=wanted.limit + 1,
        )
        return page_of(rows, wanted.limit, partial(movement_view, call), movement_cursor)

    def one(movement: str, call: Reading) -> MovementView:
        return movement_view(call, MovementService(call.session).visible(call.viewer, kind.kind, movement))

    create.__annotations__["body"] = CREATE_BODIES[kind.label]
    common: dict[str, Any] = {"tags": [kind.collection]}
    router.add_api_route(
        path,
        create,
        methods=["POST"],
        name=f"create_{kind.noun}",
        description=kind.summary,
        status_code=201,
        responses=PENDING,
        **common,
    )
    router.add_api_route(
        path,
        listing,
        methods=["GET"],
        name=f"list_{kind.collection}",
        description=f"Your {kind.collection}, newest first.",
        responses=documented(404),
        **common,
    )
    router.add_api_route(
        f"{path}/{{movement}}",
        one,
        methods=["GET"],
        name=f"get_{kind.noun}",
        description=f"One {kind.noun}.",
        **common,
    )


for registered in KINDS:
    _add_routes(registered)
