"""Checks what gateway, sequencer, projector and workers need alike."""

from __future__ import annotations

from clearing.chain.client import ChainClient
from clearing.kit.config import Settings
from clearing.runtime.preflight.database import check_schema
from clearing.runtime.preflight.node import check_contract, check_node


def check_process(settings: Settings) -> None:
    """Refuses to start without a contract, without the schema of this version, or with the node of another chain."""
    check_contract(settings)
    check_schema(settings, wait_for_server=True)
    client = ChainClient(settings.rpc_url, timeout=settings.health_timeout)
    try:
        check_node(client, settings, wait_for_node=True)
    finally:
        client.close()
