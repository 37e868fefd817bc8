"""The network as the API shows it."""

from __future__ import annotations

from gateway.api.network.schemas import NetworkView
from gateway.http.context import Call


def network_view(call: Call) -> NetworkView:
    """The network with its current day."""
    network = call.gateway.network
    return NetworkView(
        chain_id=network.chain_id,
        contract=network.contract,
        currency=call.gateway.settings.currency,
        utc_offset_seconds=network.utc_offset_seconds,
        today=network.date_of(network.day_at(call.clock.unix())),
        minimum_fee_bps=call.gateway.settings.minimum_fee_bps,
        rpc_hint=call.gateway.settings.public_rpc_url or None,
    )
