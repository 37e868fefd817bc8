"""The contract's logs, a page at a time: nodes limit how many blocks they search, and how many logs they answer with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from clearing.chain.client import ChainClient, Log
from clearing.chain.errors import ChainError
from tongdui.encoding import bytes_of

_FIRST_STEP, _BLOCKS_A_PAGE = 32, 2_000
_LOGS_A_PAGE = 5_000
_OWNED = "0x8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0"
"""`OwnershipTransferred(address,address)`, which the constructor emits."""


class PlacedLog(NamedTuple):
    """A log, and the block that it is in."""

    block: int
    log: Log


def log_pages(client: ChainClient, address: str, first: int, last: int) -> Iterator[tuple[int, list[Log]]]:
    """The contract's logs in order: some blocks at a time, up to which block, and their logs. It asks for so many blocks that
    their logs fit well into memory, and for fewer where the node finds the answer too large."""
    step = _FIRST_STEP
    while first <= last:
        until, found = _page(client, address, first, min(first + step - 1, last))
        yield until, [_log(raw) for raw in found]
        step = until - first + 1
        first = until + 1
        step = max(1, min(step * 2, step * _LOGS_A_PAGE // max(len(found), 1), _BLOCKS_A_PAGE))


def rare_logs(client: ChainClient, address: str, *topics: str) -> Iterator[PlacedLog]:
    """The contract's logs with these topics, of which there are few, in order: of all blocks at once, or of as many as the node
    searches."""
    first, last = 0, client.head()
    step = last + 1
    while first <= last:
        until, found = _page(client, address, first, min(first + step - 1, last), *topics)
        for raw in found:
            yield PlacedLog(int(raw["blockNumber"], 16), _log(raw))
        step = min(step, until - first + 1)
        first = until + 1


def first_block_with_logs(client: ChainClient, address: str) -> int | None:
    """The block that created the contract, by the first event that it emitted; None if the node has no such event."""
    return next((found.block for found in rare_logs(client, address, _OWNED)), None)


def _page(client: ChainClient, address: str, first: int, until: int, *topics: str) -> tuple[int, list[dict[str, Any]]]:
    """The logs of these blocks, or of as many of the first ones as the node searches at once; with the last block of them.
    Raises ChainError where it does not search one, either."""
    while True:
        wanted: dict[str, Any] = {"address": address, "fromBlock": hex(first), "toBlock": hex(until)}
        if topics:
            wanted["topics"] = topics
        try:
            return until, client.call("eth_getLogs", wanted)
        except ChainError:
            if first == until:
                raise
            until = first + max(1, (until - first + 1) // 4) - 1


def _log(raw: dict[str, Any]) -> Log:
    return Log(
        topics=tuple(bytes_of(topic) for topic in raw["topics"]),
        data=bytes_of(raw["data"]),
        index=int(raw["logIndex"], 16),
        tx_hash=bytes_of(raw["transactionHash"]),
    )
