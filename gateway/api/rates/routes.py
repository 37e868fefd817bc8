"""The network's rates: what points of one program become in another, under the agreements that are live now."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.parties.agreements.rates import rate_graph
from gateway.api.rates.schemas import RatesView
from gateway.api.rates.view import rates_view
from gateway.http.endpoint import Endpoint, Reading

router = APIRouter(route_class=Endpoint, tags=["agreements"])


@router.get("/v1/rates")
def get_rates(call: Reading) -> RatesView:
    """Your programs and live agreements as a graph; for the operator and auditors, the network's."""
    return rates_view(call, rate_graph(call.session, call.viewer))
