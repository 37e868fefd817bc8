"""Checks what gateway, sequencer, projector and workers need alike."""

from __future__ import annotations

from contextlib import suppress

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainUnreachable
from clearing.kit.config import Settings
from clearing.runtime.preflight.database import check_schema
from clearing.runtime.preflight.node import check_chain, check_contract, check_quorum


def check_process(settings: Settings) -> None:
    """Refuses to start without a contract, without the schema of this version, or with a node that has another chain or another
    contract. A node that does not answer yet is no reason not to start."""
    check_contract(settings)
    check_quorum(settings)
    check_schema(settings, wait_for_server=True)
    client = ChainClient.of(settings, timeout=settings.health_timeout)
    try:
        with suppress(ChainUnreachable):
            check_chain(client, settings)
    finally:
        client.close()
