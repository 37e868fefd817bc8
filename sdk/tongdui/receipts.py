"""Entries, their leaves and Merkle proofs. With them anyone can prove a movement without trusting the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from .encoding import ZERO_WORD, address_word, keccak256, word

_LOG_WORDS = Struct(">BIHIHIHBIIIQQQQ32s")
"""The data of a log that posts an entry: head (batch, index, merchant, nonce, item, kind, expiry day, program, agreement; the batch
has 40 bits and the nonce 48), amounts, and ref."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The accepted result of one instruction, as the chain recorded it (`Entry` in `contracts/interfaces/IClearingHouse.sol`).

    `points` left `program`, or entered it in an issuance. `out` entered the agreement's target program. `settled` and `fee` are
    micros of the settlement currency.
    """

    batch: int
    index: int
    merchant: int
    nonce: int
    item: int
    kind: int
    expiry_day: int
    program: int
    agreement: int
    member: str
    points: int
    out: int
    settled: int
    fee: int
    ref: bytes
    link: bytes

    def abi_encoding(self) -> bytes:
        """Encode the entry as the five words that are hashed into its leaf."""
        head = (
            self.batch << 216
            | self.index << 200
            | self.merchant << 168
            | self.nonce << 120
            | self.item << 104
            | self.kind << 96
            | self.expiry_day << 64
            | self.program << 32
            | self.agreement
        )
        amounts = self.points << 192 | self.out << 128 | self.settled << 64 | self.fee
        return address_word(self.member) + word(head) + word(amounts) + self.ref + self.link

    def leaf(self) -> bytes:
        """The hash that identifies this entry."""
        return keccak256(self.abi_encoding())

    @classmethod
    def from_log(cls, member: str, data: bytes, link: bytes = ZERO_WORD) -> Entry:
        """Read the entry from an `EntryPosted` or `LinkedEntryPosted` log.

        Args:
            member: The log's indexed member address.
            data: The log's data: three words.
            link: The log's indexed link, if it has one.

        Returns:
            The entry.
        """
        (
            batch_high,
            batch,
            index,
            merchant,
            nonce_high,
            nonce,
            item,
            kind,
            expiry_day,
            program,
            agreement,
            points,
            out,
            settled,
            fee,
            ref,
        ) = _LOG_WORDS.unpack(data)
        return cls(
            batch_high << 32 | batch,
            index,
            merchant,
            nonce_high << 32 | nonce,
            item,
            kind,
            expiry_day,
            program,
            agreement,
            member,
            points,
            out,
            settled,
            fee,
            ref,
            link,
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """An entry with its Merkle proof, as a reversal carries it to the chain."""

    entry: Entry
    proof: tuple[bytes, ...]

    def calldata(self) -> bytes:
        """Encode the contract's `Evidence` tuple."""
        return self.entry.abi_encoding() + word(192) + word(len(self.proof)) + b"".join(self.proof)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Compute the Merkle root of a batch's leaves.

    The two nodes of a pair are sorted before they are hashed; a node without a partner moves up unchanged.

    Args:
        leaves: The batch's leaves, in order.

    Returns:
        The root, or 32 zero bytes when there are no leaves.
    """
    level = list(leaves)
    while len(level) > 1:
        level = _parents(level)
    return level[0] if level else bytes(32)


def merkle_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Collect the siblings on the way from leaf `index` to the root."""
    return merkle_proofs(leaves, [index])[0]


def merkle_proofs(leaves: Sequence[bytes], indexes: Sequence[int]) -> list[tuple[bytes, ...]]:
    """Collect the siblings on the way from each of these leaves to the root; the tree is hashed once for all of them."""
    proofs: list[list[bytes]] = [[] for _ in indexes]
    level, shift = list(leaves), 0
    while len(level) > 1:
        for proof, index in zip(proofs, indexes, strict=True):
            sibling = (index >> shift) ^ 1
            if sibling < len(level):
                proof.append(level[sibling])
        level, shift = _parents(level), shift + 1
    return [tuple(proof) for proof in proofs]


def root_of_proof(leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Compute the root that a leaf and its proof lead to."""
    node = leaf
    for sibling in proof:
        node = _pair(node, sibling)
    return node


def chain_head(previous: bytes, batch: int, entries: int, root: bytes) -> bytes:
    """Compute the journal's head after a batch.

    Args:
        previous: The head before it.
        batch: The batch's number.
        entries: How many entries it has.
        root: Its Merkle root.

    Returns:
        The new head (32 bytes).
    """
    return keccak256(previous + word(batch) + word(entries) + root)


def _parents(level: list[bytes]) -> list[bytes]:
    pairs = [_pair(level[index], level[index + 1]) for index in range(0, len(level) - 1, 2)]
    return pairs + level[len(level) // 2 * 2 :]


def _pair(left: bytes, right: bytes) -> bytes:
    return keccak256(left + right if left < right else right + left)
