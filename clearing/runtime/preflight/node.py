"""Checks the chain node and the contract: does the node answer, for the right chain, with the contract of this version?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from clearing.chain.client import ChainClient
from clearing.chain.contract_code import contract_fault
from clearing.chain.errors import ChainError, ChainUnreachable
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
            check_contract_code(client, settings)
        yield client
    finally:
        client.close()


def check_chain(client: ChainClient, settings: Settings) -> None:
    """Refuses a node of another chain, and a contract that is not this version's or has another time zone.

    Raises ChainUnreachable where the node does not answer: a process that runs for long waits for it.
    """
    _check_chain_id(client.chain_id(), settings)
    check_contract_code(client, settings)


def check_node(client: ChainClient, settings: Settings) -> None:
    """Refuses a node that does not answer, or is of another chain."""
    try:
        found = client.chain_id()
    except (ChainError, ChainUnreachable, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CannotRun(f"{variable('rpc_url')}: no chain node answers at {_host(settings)}: {error}") from error
    _check_chain_id(found, settings)


def _check_chain_id(found: int, settings: Settings) -> None:
    if found != settings.chain_id:
        raise CannotRun(
            f"{variable('chain_id')}: the node at {_host(settings)} is on chain {found}, "
            f"and this is {settings.chain_id}"
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
        raise CannotRun(f"{variable(fault.setting)}: {fault.what}")


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


def _host(settings: Settings) -> str:
    """Where the nodes are; the rest of a URL may hold a secret."""
    return " or ".join(urlsplit(url).netloc.rpartition("@")[2] for url in settings.rpc_urls)
