"""Resources that change by themselves until the chain has confirmed them, by the prefix of their id."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Response

from clearing.ledger.settlement.repository import BankMovementRepository
from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.repository import OrderRepository
from clearing.oversight.progress.repository import ProgressRepository
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.programs.repository import ProgramRepository
from gateway.api.views import Views
from gateway.http.context import Call
from gateway.http.schemas import View

ACCEPTED_STATUS = 202

Shown = tuple[View, bool]
"""A view, and whether it will change by itself."""


def _merchant(call: Call, views: Views, id: str) -> Shown:  # noqa: A002
    merchant = MerchantRepository(call.session).by_id(id)
    assert merchant is not None
    return views.merchant(merchant), _has_open_call(call, id)


def _program(call: Call, views: Views, id: str) -> Shown:  # noqa: A002
    program = ProgramRepository(call.session).by_code_or_id(id)
    assert program is not None
    return views.program(program), _has_open_call(call, id)


def _agreement(call: Call, views: Views, id: str) -> Shown:  # noqa: A002
    agreement = AgreementRepository(call.session).by_id(id)
    assert agreement is not None
    return views.agreement(agreement), _has_open_call(call, id)


def _bank_movement(call: Call, views: Views, id: str) -> Shown:  # noqa: A002
    movement = BankMovementRepository(call.session).by_id(id)
    assert movement is not None
    return views.bank_movement(movement), _has_open_call(call, id)


def _order(call: Call, views: Views, id: str) -> Shown:  # noqa: A002
    orders = OrderRepository(call.session)
    order = orders.by_id(id)
    assert order is not None
    if call.minimal:
        return views.order_summary(order, *orders.summary_of(order)), not order.state.is_final
    return views.order(order, orders.movements_of(order)), not order.state.is_final


def _movement(call: Call, views: Views, id: str) -> Shown:  # noqa: A002
    movement = OrderRepository(call.session).movement(id)
    assert movement is not None
    call.notes["order"] = movement.order.id
    return views.movement(movement), not movement.order.state.is_final


_RENDERERS: dict[str, tuple[str, Callable[[Call, Views, str], Shown]]] = {
    "mer": ("merchants", _merchant),
    "prg": ("programs", _program),
    "agr": ("agreements", _agreement),
    "dep": ("deposits", _bank_movement),
    "wdr": ("withdrawals", _bank_movement),
    "ord": ("orders", _order),
    **{kind.id_prefix: (kind.collection, _movement) for kind in KINDS},
}
_MOVEMENTS = frozenset({"ord", *(kind.id_prefix for kind in KINDS)})


def resource_response(call: Call, resource_id: str) -> Response:
    """The resource as it is now. An order or movement that is not final yet is answered with 202."""
    prefix = resource_id.partition("_")[0]
    collection, render = _RENDERERS[prefix]
    view, is_open = render(call, Views(call.session, call.gateway.network), resource_id)
    call.started = resource_id if is_open else None
    call.notes["resource"] = resource_id
    status = ACCEPTED_STATUS if is_open and prefix in _MOVEMENTS else call.status
    headers = {"Location": f"/v1/{collection}/{resource_id}"}
    return Response(view.model_dump_json(), status, headers, "application/json")


def _has_open_call(call: Call, resource_id: str) -> bool:
    return resource_id in ProgressRepository(call.session).unfinished([resource_id])
