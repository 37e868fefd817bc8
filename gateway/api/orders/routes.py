"""Orders with many instructions, and the nonces to sign them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from clearing.ordering.orders.kinds import kind_labelled
from clearing.ordering.orders.movements import MovementService
from gateway.api.orders.schemas import NonceRequest, NoncesView, OrderBody, OrderCreate, OrderView
from gateway.api.orders.view import order_view
from gateway.http.acceptance import order_service
from gateway.http.auth import missing_scope
from gateway.http.endpoint import Endpoint, Moving, Mutating, Reading
from gateway.http.results import Submitted

router = APIRouter(route_class=Endpoint, tags=["orders"])

if not TYPE_CHECKING:
    OrderBody = OrderCreate  # what FastAPI reads: the body with the registered kinds' items


@router.post(
    "/v1/orders",
    status_code=201,
    responses={202: {"model": OrderView, "description": "Accepted; the chain has not decided yet"}},
)
def create_order(body: OrderBody, call: Moving) -> Submitted[OrderView]:
    """Hands in up to 500 instructions under one signature; your key needs the scope of each."""
    kinds = [kind_labelled(item.kind) for item in body.instructions]
    lacking = {kind.scope for kind in kinds} - call.caller.scopes
    if lacking:
        raise missing_scope(call.caller, *lacking)
    requests = [item.instruction(kind) for item, kind in zip(body.instructions, kinds, strict=True)]
    places = [f"/instructions/{position}" for position in range(len(requests))]
    return Submitted(
        requests=requests,
        authorization=body.authorization.wire() if body.authorization else None,
        resource=lambda accepted: accepted.id,
        atomic=body.atomic,
        places=places,
    )


@router.get("/v1/orders/{order}")
def get_order(order: str, call: Reading) -> OrderView:
    """One order with its movements."""
    movements = MovementService(call.session)
    found = movements.order(call.viewer, order)
    return order_view(call, found, movements.movements_of(found))


@router.post("/v1/nonces", status_code=201)
def reserve_nonces(body: NonceRequest, call: Mutating) -> NoncesView:
    """Reserves nonces for orders that you sign yourself."""
    return NoncesView(first=order_service(call).reserve_nonces(call.merchant, body.count), count=body.count)
