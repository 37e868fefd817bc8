"""Receipts of transactions: their encoding, from which the block's root follows, and the filter that says where an event can be."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ...encoding import bytes_of, keccak256
from . import rlp_writing
from .headers import number_bytes
from .transactions import KNOWN_TYPES, UnsupportedType, type_of

Json = dict[str, Any]

_BLOOM_BITS = 2_048


def encoded(receipt: Json) -> bytes:
    """The receipt as it stands in the block.

    Raises:
        UnsupportedType: It is of a type of transaction that is not known here, and may have more in it.
    """
    kind = type_of(receipt)
    if kind not in KNOWN_TYPES:
        raise UnsupportedType(f"receipts of type {kind}")
    # Before Byzantium, a receipt has the state after its transaction instead of its status.
    status = bytes_of(receipt["root"]) if "status" not in receipt else number_bytes(receipt["status"])
    logs = [
        [bytes_of(log["address"]), [bytes_of(topic) for topic in log["topics"]], bytes_of(log["data"])]
        for log in receipt["logs"]
    ]
    raw = rlp_writing.encoded(
        [status, number_bytes(receipt["cumulativeGasUsed"]), bytes_of(receipt["logsBloom"]), logs]
    )
    return bytes((kind,)) + raw if kind else raw


@lru_cache(maxsize=32_768)
def bloom_of(text: str) -> int:
    """The bits that an address or a topic, in hex, sets in a block's filter (`logsBloom`)."""
    hashed = keccak256(bytes_of(text))
    bits = 0
    for place in (0, 2, 4):
        bits |= 1 << (int.from_bytes(hashed[place : place + 2], "big") % _BLOOM_BITS)
    return bits


def bloom_of_logs(receipts: Iterable[Json]) -> int:
    """The filter of a block with these receipts, computed from their events."""
    bloom = 0
    for receipt in receipts:
        for log in receipt["logs"]:
            bloom |= bloom_of(log["address"])
            for topic in log["topics"]:
                bloom |= bloom_of(topic)
    return bloom
