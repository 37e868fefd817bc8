"""From a request's body to an accepted order."""

from __future__ import annotations

from clearing.kit.errors import ClearingError, FieldError
from clearing.ordering.orders.models import Order
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.orders.service import OrderService
from gateway.api.movements.schemas import AuthorizationBody
from gateway.http.context import Call
from tongdui.orders import Kind


def order_service(call: Call) -> OrderService:
    """The service in this call's transaction."""
    gateway = call.gateway
    return OrderService(call.session, network=gateway.network, keyring=gateway.keyring, settings=gateway.settings)


def accept(
    call: Call,
    requests: list[InstructionRequest],
    authorization: AuthorizationBody | None,
    *,
    atomic: bool = False,
) -> Order:
    """Accepts an order of the calling merchant."""
    try:
        order = order_service(call).accept(
            call.merchant,
            requests,
            atomic=atomic,
            authorization=authorization.wire() if authorization else None,
            actor=call.actor,
        )
    except ClearingError as error:
        error.errors = tuple(_as_in_body(field, requests) for field in error.errors)
        raise
    call.notes["order"] = order.id
    return order


def _as_in_body(field: FieldError, requests: list[InstructionRequest]) -> FieldError:
    """In the body an exchange's program is called `source_program`."""
    for request in requests:
        if request.kind is Kind.EXCHANGE and field.pointer == request.at("program"):
            return FieldError(request.at("source_program"), field.detail)
    return field
