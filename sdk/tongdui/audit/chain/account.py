"""An account and slots of its storage, proven under the state root of a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from rlp.exceptions import DecodingError

from ...encoding import bytes_of, hex_of, keccak256, word
from .node import Node
from .trie import TrieError, proven

Json = dict[str, Any]

_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Account:
    """What the chain's state says about a contract."""

    storage_root: bytes
    code_hash: bytes

    def __str__(self) -> str:
        return f"storage root {hex_of(self.storage_root)} and code hash {hex_of(self.code_hash)}"


@dataclass(frozen=True, slots=True)
class AccountProof:
    """The nodes of tries on the way to an account and to slots of its storage. They prove what they say, or nothing."""

    address: str
    account: tuple[bytes, ...]
    slots: dict[int, tuple[bytes, ...]]
    stated: Account | None = None
    """What the node says beside. Nobody believes it, but a node that contradicts its own proof is worth a finding."""

    def account_under(self, state_root: bytes) -> Account | None:
        """The account, or None where the nodes prove that there is none.

        Raises:
            TrieError: They prove neither.
        """
        found = proven(state_root, keccak256(bytes_of(self.address)), self.account)
        if found is None:
            return None
        try:
            fields = rlp.decode(found)
        except DecodingError as error:
            raise TrieError(f"the account is no RLP: {error}") from error
        if not isinstance(fields, list) or len(fields) < _FIELDS:
            raise TrieError("the account has not the fields nonce, balance, storage root and code hash")
        account = Account(fields[2], fields[3])
        if self.stated is not None and self.stated != account:
            raise TrieError(f"the node says {self.stated}, and proves {account}")
        return account

    def word_under(self, storage_root: bytes, slot: int) -> int:
        """What a slot holds; 0 where the nodes prove that it holds nothing.

        Raises:
            TrieError: They prove neither.
        """
        return word_of(proven(storage_root, hashed(slot), self.slots.get(slot, ())))


def ask_proof(node: Node, address: str, block: int, slots: Sequence[int] = ()) -> AccountProof:
    """Asks a node for the proof of an account and of slots, after a block.

    Raises:
        NodeRefused: It does not offer proofs, or has no state of that block.
        TrieError: Its answer is no proof.
    """
    answer = node.ask("eth_getProof", [address, [hex_of(word(slot)) for slot in slots], hex(block)])
    try:
        by_slot = {int(item["key"], 16): _nodes(item["proof"]) for item in answer["storageProof"]}
        stated = Account(bytes_of(answer["storageHash"]), bytes_of(answer["codeHash"]))
        return AccountProof(address, _nodes(answer["accountProof"]), by_slot, stated)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrieError(f"the node's answer to eth_getProof is no proof: {error!r}") from error


def hashed(slot: int) -> bytes:
    """The key under which a slot lies in the trie of the storage."""
    return keccak256(word(slot))


def word_of(value: bytes | None) -> int:
    """The word that stands in the trie.

    Raises:
        TrieError: It is none.
    """
    if value is None:
        return 0
    try:
        raw = rlp.decode(value)
    except DecodingError as error:
        raise TrieError(f"a slot's word is no RLP: {error}") from error
    if not isinstance(raw, bytes):
        raise TrieError("a slot's word is a list")
    return int.from_bytes(raw, "big")


def _nodes(answer: Any) -> tuple[bytes, ...]:
    return tuple(bytes_of(node) for node in answer)
