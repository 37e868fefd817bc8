"""The resources that `expand[]` can show, each looked up for many ids at once, as far as the caller may see them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from clearing.ordering.orders.movements import MovementService
from clearing.parties.members.service import MemberService
from clearing.parties.merchants.service import merchants_by_id
from clearing.parties.programs.service import programs_by_code
from gateway.api.agreements.view import agreement_service, agreement_view
from gateway.api.members.view import described_view
from gateway.api.merchants.view import merchant_views
from gateway.api.movements.view import movement_views
from gateway.api.orders.view import order_summary
from gateway.api.programs.view import program_view
from gateway.http.context import Call, Expander
from gateway.http.schemas import View


def _merchants(call: Call, ids: Collection[str]) -> Mapping[str, View]:
    return {view.id: view for view in merchant_views(call, merchants_by_id(call.session, ids))}


def _programs(call: Call, codes: Collection[str]) -> Mapping[str, View]:
    return {program.code: program_view(call, program) for program in programs_by_code(call.session, codes)}


def _members(call: Call, ids: Collection[str]) -> Mapping[str, View]:
    known = MemberService(call.session).visible_of(call.viewer, ids)
    return {found.member.id: described_view(call, found) for found in known}


def _agreements(call: Call, ids: Collection[str]) -> Mapping[str, View]:
    agreements = agreement_service(call).visible_of(call.viewer, ids)
    return {agreement.id: agreement_view(call, agreement) for agreement in agreements}


def _orders(call: Call, ids: Collection[str]) -> Mapping[str, View]:
    """Orders without their movements, as `Prefer: return=minimal` shows them."""
    orders = MovementService(call.session).orders(call.viewer, ids)
    return {order.id: order_summary(call, order, settled, batch) for order, settled, batch in orders}


def _movements(call: Call, ids: Collection[str]) -> Mapping[str, View]:
    found = MovementService(call.session).visible_of(call.viewer, ids)
    return {view.id: view for view in movement_views(call, found)}


EXPANDERS: Mapping[str, Expander] = {
    "merchant": _merchants,
    "program": _programs,
    "member": _members,
    "agreement": _agreements,
    "order": _orders,
    "movement": _movements,
}
