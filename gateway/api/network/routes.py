"""The network itself."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.api.network.schemas import NetworkView
from gateway.api.network.view import network_view
from gateway.http.endpoint import Endpoint, Reading

router = APIRouter(route_class=Endpoint, tags=["network"])


@router.get("/v1/network")
def get_network(call: Reading) -> NetworkView:
    """What signatures are bound to, and the network's day."""
    return network_view(call)
