"""The network itself."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.kit.clock import clock_of
from gateway.api.network.schemas import NetworkView
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.schemas import View

router = APIRouter(route_class=Endpoint, tags=["network"])


@router.get("/v1/network", response_model=NetworkView)
def get_network(call: Reading) -> View:
    """What signatures are bound to, and the network's day."""
    network = call.gateway.network
    return NetworkView(
        chain_id=network.chain_id,
        contract=network.contract,
        currency=call.gateway.settings.currency,
        utc_offset_seconds=network.utc_offset_seconds,
        today=network.date_of(network.day_at(clock_of(call.session).unix())),
    )
