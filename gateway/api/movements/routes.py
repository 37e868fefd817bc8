"""Movements, of all kinds and of each. Each registered kind has the same three routes, made here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, Field

from clearing.kit.fields import MemberOrAddress, MerchantId, Moment, MovementId, ProgramName, Reference
from clearing.ordering.orders.kinds import KINDS, kind_labelled
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.models import Direction, OrderState
from clearing.ordering.orders.movements import MovementSearch, MovementService
from gateway.api.movements.bodies import CREATE_BODIES, CreateBody, Lookup, LookupBody
from gateway.api.movements.schemas import MovementView
from gateway.api.movements.view import movement_page, movement_view, movement_views
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Looking, Moving, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, pair
from gateway.http.problems import documented
from gateway.http.results import Submitted
from gateway.http.schemas import Page
from tongdui.orders import Kind

router = APIRouter(route_class=Endpoint)

if not TYPE_CHECKING:
    LookupBody = Lookup  # what FastAPI reads: the body with the labels of the registered kinds


@dataclass(frozen=True, slots=True)
class MovementQuery:
    """Which movements, and which page of them."""

    direction: Annotated[
        Direction | None, Query(description="of your points: `out` of what you give, `in` of what you receive")
    ] = None
    counterparty: Annotated[MerchantId | None, Query(description="id of the merchant on the other side")] = None
    member: Annotated[
        MemberOrAddress | None,
        Query(
            description="`external:...` as you know the member, or the id that a movement shows; for the operator and auditors "
            "also its address"
        ),
    ] = None
    program: Annotated[ProgramName | None, Query(description="code or id of the program on either side")] = None
    state: Annotated[OrderState | None, Query()] = None
    reference: Annotated[Reference | None, Query(description="your own document number")] = None
    original: Annotated[MovementId | None, Query(description="id of the movement that the reversal undoes")] = None
    created_from: Annotated[
        Moment | None, Query(alias="created[gte]", description="RFC 3339: accepted at this moment or later")
    ] = None
    created_before: Annotated[
        Moment | None, Query(alias="created[lt]", description="RFC 3339: accepted before this moment")
    ] = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


Wanted = Annotated[MovementQuery, Depends()]

_LABELS = [kind.label for kind in KINDS]


def _known(label: str) -> str:
    if label not in _LABELS:
        raise ValueError(f"must be one of {', '.join(_LABELS)}")
    return label


Label = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": _LABELS})]

PENDING: dict[int | str, dict[str, Any]] = {
    202: {"model": MovementView, "description": "Accepted; the chain has not decided yet"}
}


def _add_routes(kind: InstructionKind[Any]) -> None:
    path = f"/v1/{kind.collection}"

    def create(body: CreateBody, call: Moving) -> Submitted[MovementView]:  # noqa: ARG001 (it says what the route does)
        return Submitted(
            requests=[body.instruction(kind)],
            authorization=body.authorization.wire() if body.authorization else None,
            resource=lambda accepted: accepted.movement,
        )

    def listing(call: Reading, wanted: Wanted) -> Page[MovementView]:
        return _page(call, wanted, kind.kind)

    def one(movement: str, call: Reading) -> MovementView:
        return movement_view(call, MovementService(call.session).visible(call.viewer, movement, kind.kind))

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
        description=f"Your {kind.collection}, newest first: those that you signed, and those in which you are the other side.",
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


@router.get("/v1/movements", tags=["movements"], responses=documented(404))
def list_movements(
    call: Reading,
    wanted: Wanted,
    kind: Annotated[Label | None, Query(description="what the instruction does", examples=["exchange"])] = None,
) -> Page[MovementView]:
    """Movements of all kinds, newest first: those that you signed, and those in which you are the other side."""
    return _page(call, wanted, kind_labelled(kind).kind if kind is not None else None)


@router.post("/v1/movements/lookup", tags=["movements"], status_code=200)
def look_up_movements(body: LookupBody, call: Looking) -> Page[MovementView]:
    """Your own movements with these document numbers, in their order. What you have not made, or what was refused, is missing.
    Changes nothing, so it needs no Idempotency-Key."""
    found = MovementService(call.session).standing(call.merchant.number, kind_labelled(body.kind).kind, body.references)
    return Page(data=movement_views(call, found))


@router.get("/v1/movements/{movement}", tags=["movements"])
def get_movement(movement: str, call: Reading) -> MovementView:
    """One movement, of whatever kind."""
    return movement_view(call, MovementService(call.session).visible(call.viewer, movement))


def _page(call: Call, wanted: MovementQuery, kind: Kind | None) -> Page[MovementView]:
    search = MovementSearch(
        kind=kind,
        direction=wanted.direction,
        counterparty=wanted.counterparty,
        member=wanted.member,
        program=wanted.program,
        state=wanted.state,
        reference=wanted.reference,
        original=wanted.original,
        created_from=wanted.created_from,
        created_before=wanted.created_before,
    )
    service = MovementService(call.session)
    rows = service.list(call.viewer, search, after=pair(wanted.cursor), limit=wanted.limit + 1)
    return movement_page(call, rows, wanted.limit)


for registered in KINDS:
    _add_routes(registered)
