"""Rates as the API shows them."""

from __future__ import annotations

from clearing.kit.identity import instant
from clearing.parties.agreements.models import Agreement
from clearing.parties.agreements.rates import RateGraph
from clearing.parties.programs.models import Program
from gateway.api.agreements.schemas import kind_name
from gateway.api.rates.schemas import RateEdgeView, RateNodeView, RatesView
from gateway.http.context import Call


def rates_view(call: Call, graph: RateGraph) -> RatesView:
    """The graph with names in place of numbers."""
    return RatesView(
        nodes=[_node_view(call, program) for program in graph.programs],
        edges=[_edge_view(call, agreement) for agreement in graph.agreements],
    )


def _node_view(call: Call, program: Program) -> RateNodeView:
    return RateNodeView(
        program=program.code,
        name=program.name,
        merchant=call.names.merchant(program.merchant_number),
        merchant_name=call.names.merchant_name(program.merchant_number),
    )


def _edge_view(call: Call, agreement: Agreement) -> RateEdgeView:
    names = call.names
    return RateEdgeView(
        agreement=agreement.id,
        kind=kind_name(agreement.kind),
        source_program=names.program(agreement.source_program),
        target_program=names.program(agreement.target_program) if agreement.target_program else None,
        source_merchant=names.merchant(agreement.source_merchant),
        target_merchant=names.merchant(agreement.target_merchant),
        rate_num=agreement.rate_num,
        rate_den=agreement.rate_den,
        unit_price_micros=agreement.unit_price_micros,
        fee_bps=agreement.fee_bps,
        ends_at=instant(agreement.usable_until),
    )
