"""Checks the chain node and the contract: does the node answer, for the right chain, with the contract of this version?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from clearing.chain.client import ChainClient
from clearing.chain.contract_code import contract_fault
from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.chain.nodes import MAX_BEHIND
from clearing.kit.config import Settings, variable
from clearing.runtime.preflight.refusal import CannotRun

_TIMEOUT = 120.0
"""Seconds; reconciling and rebuilding ask the node for much at a time."""


@contextmanager
def open_node(settings: Settings, *, with_contract: bool = True) -> Iterator[ChainClient]:
    """The node of the right chain, which has the contract, unless there need not be one yet."""
    client = ChainClient.of(settings, timeout=_TIMEOUT)
    try:
        check_node(client, settings)
        if with_contract:
            check_chain(client, settings)
        yield client
    finally:
        client.close()


def check_chain(client: ChainClient, settings: Settings) -> None:
    """Refuses nodes of another chain, or of different ones, and a contract that is not this version's or has another time zone.
    Each node is asked that answers; one that still lacks blocks need not have the contract.

    Raises ChainUnreachable where no node answers: a process that runs for long waits for one.
    """
    found = []
    for node in client.each():
        with suppress(ChainUnreachable):
            found.append((node, node.standing(), node.block_hash(0)))
    if not found:
        raise ChainUnreachable("no chain node answers")
    newest = max(standing.head for _, standing, _ in found)
    first, _, genesis = found[0]
    for node, standing, first_block in found:
        _check_chain_id(standing.chain_id, node, settings)
        if first_block != genesis:
            raise CannotRun(
                f"{variable('rpc_url')}: the nodes at {first.where} and {node.where} are of different chains: "
                "their first blocks differ"
            )
        if standing.head >= newest - MAX_BEHIND:
            check_contract_code(node, settings)


def check_node(client: ChainClient, settings: Settings) -> None:
    """Refuses a node that does not answer, or is of another chain."""
    try:
        found = client.chain_id()
    except (ChainError, ChainUnreachable, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CannotRun(f"{variable('rpc_url')}: no chain node answers at {client.where}: {error}") from error
    _check_chain_id(found, client, settings)


def _check_chain_id(found: int, client: ChainClient, settings: Settings) -> None:
    if found != settings.chain_id:
        raise CannotRun(
            f"{variable('chain_id')}: the node at {client.where} is on chain {found}, and this is {settings.chain_id}"
        )


def check_contract_code(client: ChainClient, settings: Settings) -> None:
    """Refuses an address at which there is not the contract of this version, and a time zone that is not the contract's."""
    fault = contract_fault(
        client,
        settings.contract,
        chain_id=settings.chain_id,
        utc_offset_seconds=settings.utc_offset_seconds,
    )
    if fault is not None:
        asked = f" (asked: the node at {client.where})" if len(settings.rpc_urls) > 1 else ""
        raise CannotRun(f"{variable(fault.setting)}: {fault.what}{asked}")


def check_contract(settings: Settings) -> None:
    """Refuses to work without a contract."""
    if not settings.contract:
        raise CannotRun(
            f"{variable('contract')}: is not set; `clearing deploy` prints the address. "
            "The network of `clearing up` is found in the directory in which that was started"
        )


def check_quorum(settings: Settings) -> None:
    """Refuses to wait for more nodes than there are."""
    if settings.block_quorum > len(settings.rpc_urls):
        raise CannotRun(
            f"{variable('block_quorum')}: {settings.block_quorum} nodes must have a block, "
            f"but {variable('rpc_url')} names {len(settings.rpc_urls)}"
        )
