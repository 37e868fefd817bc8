"""Headers of blocks: what they commit to, and the hash that names them.

The hash is that of the header's RLP. The validators of Besu and GoQuorum (IBFT 2.0, QBFT) leave out of it what each of them adds
after the block is agreed on: the seals, and the round in which it was. They mark such headers with a mix hash of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import rlp
from rlp.exceptions import DecodingError

from ...encoding import bytes_of, hex_of, keccak256
from . import rlp_writing

Json = dict[str, Any]

_FIELDS = (
    *(
        ("parentHash", False),
        ("sha3Uncles", False),
        ("miner", False),
        ("stateRoot", False),
        ("transactionsRoot", False),
    ),
    *(("receiptsRoot", False), ("logsBloom", False), ("difficulty", True), ("number", True), ("gasLimit", True)),
    *(("gasUsed", True), ("timestamp", True), ("extraData", False), ("mixHash", False), ("nonce", False)),
)
"""Names in JSON, in the order of the RLP, and whether they are numbers."""
_LATER_FIELDS = (
    *(("baseFeePerGas", True), ("withdrawalsRoot", False), ("blobGasUsed", True), ("excessBlobGas", True)),
    *(("parentBeaconBlockRoot", False), ("requestsHash", False)),
)
"""What forks have added, each behind those before it."""

_EXTRA_DATA = 12
_BFT = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
_AGREED = 3
"""Items of such a block's extra data that are agreed on: vanity, validators and vote. Behind them: round and seals. Istanbul has
the vanity before the list, which has validators, the proposer's seal, and seals."""
_VANITY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Header:
    """What the audit needs of a header. `hash` is what the node says; `holds` tells whether the content hashes to it."""

    number: int
    hash: str
    parent: str
    time: int
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: int
    computed: str
    """The hash of the content."""

    @property
    def holds(self) -> bool:
        """Whether the header is the one that its hash names."""
        return self.hash == self.computed


def header_of(block: Json) -> Header:
    """Reads a block's header from the JSON of a node.

    Raises:
        KeyError, TypeError, ValueError: It is not such JSON.
    """
    stated = block["hash"].lower()
    return Header(
        int(block["number"], 16),
        stated,
        block["parentHash"].lower(),
        int(block["timestamp"], 16),
        bytes_of(block["stateRoot"]),
        bytes_of(block["transactionsRoot"]),
        bytes_of(block["receiptsRoot"]),
        int(block["logsBloom"], 16),
        _computed(block, stated),
    )


def _computed(block: Json, stated: str) -> str:
    """The hash of the content: the stated one if one of the ways to hash such a header leads to it."""
    items = [number_bytes(block[name]) if is_number else bytes_of(block[name]) for name, is_number in _FIELDS]
    for name, is_number in _LATER_FIELDS:
        if block.get(name) is None:
            break
        items.append(number_bytes(block[name]) if is_number else bytes_of(block[name]))
    hashed = hex_of(keccak256(rlp_writing.encoded(items)))
    if hashed != stated and items[_EXTRA_DATA + 1] == _BFT:
        for extra in _agreed_extra_data(items[_EXTRA_DATA]):
            other = hex_of(keccak256(rlp_writing.encoded([*items[:_EXTRA_DATA], extra, *items[_EXTRA_DATA + 1 :]])))
            if other == stated:
                return other
    return hashed


def _agreed_extra_data(extra: bytes) -> Iterator[bytes]:
    """The extra data as validators hash it: QBFT with round 0 and no seals; IBFT 2.0, and QBFT at first, without both; Istanbul,
    the ancestor of both, with its proposer's seal but no others."""
    items = _list_in(extra)
    if len(items) >= _AGREED:
        yield rlp_writing.encoded([*items[:_AGREED], b"", []])
        yield rlp_writing.encoded(items[:_AGREED])
    items = _list_in(extra[_VANITY_BYTES:])
    if len(items) == _AGREED:
        yield extra[:_VANITY_BYTES] + rlp_writing.encoded([*items[:-1], []])


def _list_in(raw: bytes) -> list[Any]:
    """The list that some RLP is; an empty one if it is none."""
    try:
        items = rlp.decode(raw)
    except DecodingError:
        return []
    return items if isinstance(items, list) else []


def number_bytes(text: str) -> bytes:
    """A number as RLP has it: without leading zeros."""
    number = int(text, 16)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
