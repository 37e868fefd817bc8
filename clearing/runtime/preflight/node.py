"""Checks the chain node: does it answer, and for the right chain?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from clearing.chain.client import ChainClient, ChainError, ChainUnreachable
from clearing.kit.config import Settings, variable
from clearing.runtime.preflight.refusal import CannotRun

_TIMEOUT = 120.0
"""Seconds; reconciling and rebuilding ask the node for much at a time."""


@contextmanager
def open_node(settings: Settings) -> Iterator[ChainClient]:
    """The node of the right chain."""
    client = ChainClient(settings.rpc_url, timeout=_TIMEOUT)
    try:
        check_node(client, settings)
        yield client
    finally:
        client.close()


def check_node(client: ChainClient, settings: Settings, *, wait_for_node: bool = False) -> None:
    """Refuses a node of another chain."""
    try:
        found = client.chain_id()
    except (ChainError, ChainUnreachable, AttributeError, KeyError, TypeError, ValueError) as error:
        if wait_for_node and isinstance(error, ChainUnreachable):
            return
        raise CannotRun(
            f"{variable('rpc_url')}: no chain node answers at {_host(settings.rpc_url)}: {error}"
        ) from error
    if found != settings.chain_id:
        raise CannotRun(
            f"{variable('chain_id')}: the node at {_host(settings.rpc_url)} is on chain {found}, "
            f"and this is {settings.chain_id}"
        )


def check_contract(settings: Settings) -> None:
    """Refuses to work without a contract."""
    if not settings.contract:
        raise CannotRun(
            f"{variable('contract')}: is not set; `clearing deploy` prints the address. "
            "The network of `clearing up` is found in the directory in which that was started"
        )


def _host(url: str) -> str:
    """Where the node is; the rest of the URL may hold a secret."""
    return urlsplit(url).netloc.rpartition("@")[2]
