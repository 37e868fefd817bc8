"""What a snapshot consists of: typed leaves, their hashes, and the proofs of chunks of them.

The twin of `contracts/interfaces/IClearingHouseSuccession.sol`, which says what each kind's key and word mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from ..encoding import keccak256, word
from ..receipts import merkle_proof, merkle_root

CHUNK = 256
"""Leaves that are imported at once: a power of two, so that the root of a chunk is a node of the tree."""


class LeafKind(IntEnum):
    """What a leaf is about."""

    NETWORK = 1
    MERCHANT = 2
    SIGNER = 3
    NONCES = 4
    PROGRAM = 5
    AGREEMENT = 6
    TERMS = 7
    BALANCES = 8
    BANK_REFERENCE = 9
    ROOT = 10
    REVERSED = 11
    NAME = 12
    DOCUMENT = 13
    LOT = 14


class Leaf(NamedTuple):
    """A fact."""

    kind: int
    key: int
    word: int

    def hash_at(self, index: int) -> bytes:
        """Its hash as leaf `index` of the tree."""
        return keccak256(b"".join(map(word, (index, *self))))


class LotWord(NamedTuple):
    """What the word of a lot says, from its highest bits to its lowest."""

    points: int
    made_on: int
    """Network day of the entry that made it."""
    expiry_day: int
    """0 means never."""
    batch: int
    place: int
    """Index of that entry in its batch."""

    def packed(self) -> int:
        """The word."""
        return self.points << 120 | self.made_on << 88 | self.expiry_day << 56 | self.batch << 16 | self.place

    @classmethod
    def of(cls, packed: int) -> LotWord:
        """What a word says."""
        day = (1 << 32) - 1
        places = packed >> 16 & (1 << 40) - 1, packed & (1 << 16) - 1
        return cls(packed >> 120, packed >> 88 & day, packed >> 56 & day, *places)


class SnapshotTree:
    """The tree over all leaves of a snapshot. It keeps the roots of the chunks only."""

    def __init__(self) -> None:
        self.count = 0
        self._chunks: list[bytes] = []
        self._open: list[bytes] = []

    def add(self, leaf: Leaf) -> None:
        """Adds the next leaf."""
        self._open.append(leaf.hash_at(self.count))
        self.count += 1
        if len(self._open) == CHUNK:
            self._close()

    def _close(self) -> None:
        self._chunks.append(merkle_root(self._open))
        self._open = []

    def _nodes(self) -> Sequence[bytes]:
        if self._open:
            return [*self._chunks, merkle_root(self._open)]
        return self._chunks

    def root(self) -> bytes:
        """The snapshot's root."""
        return merkle_root(self._nodes())

    def proof_of_chunk(self, number: int) -> tuple[bytes, ...]:
        """The proof that the chunk's leaves belong to the root."""
        return merkle_proof(self._nodes(), number)
