"""Trying a call of the contract out, without a transaction."""

from __future__ import annotations

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError
from clearing.chain.node_errors import is_contract_failure
from tongdui.encoding import hex_of


def simulate(client: ChainClient, *, sender: str, contract: str, data: bytes, gas: int) -> ChainError | None:
    """Why the contract would refuse this call now; None if it would not. Raises ChainError where the node itself is in trouble."""
    request = {"from": sender, "to": contract, "data": hex_of(data), "gas": hex(gas)}
    try:
        client.call("eth_call", request, "latest")
    except ChainError as error:
        if not is_contract_failure(error):
            raise
        return error
    return None
