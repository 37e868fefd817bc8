"""From a request's body to an accepted order."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.ordering.orders.events import Accepted
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.orders.service import OrderService
from gateway.api.movements.bodies import AuthorizationBody
from gateway.http.context import Call


def order_service(call: Call) -> OrderService:
    """The service in this call's transaction."""
    gateway = call.gateway
    return OrderService(call.session, network=gateway.network, keyring=gateway.keyring, settings=gateway.settings)


def accept(
    call: Call,
    requests: Sequence[InstructionRequest],
    authorization: AuthorizationBody | None,
    *,
    atomic: bool = False,
    places: Sequence[str] | None = None,
) -> Accepted:
    """Accepts an order of the calling merchant. `places` are JSON pointers to where the requests stand in the body."""
    order = order_service(call).accept(
        call.merchant,
        requests,
        atomic=atomic,
        places=places,
        authorization=authorization.wire() if authorization else None,
        actor=call.actor,
    )
    call.notes["order"] = order.id
    return order
