"""Merkle Patricia tries, in which the chain keeps transactions, receipts, accounts and storage.

Roots are computed in one pass over sorted keys, in memory that depends on the depth of the trie only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import rlp
from rlp.exceptions import DecodingError

from ...encoding import keccak256
from .rlp_writing import list_of, string

EMPTY_ROOT = keccak256(b"\x80")
"""The root of a trie with nothing in it."""

_NOTHING = b"\x80"
_HASH = b"\xa0"
_CHILDREN = 16


class TrieError(ValueError):
    """A proof that proves nothing."""


def root_of(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The root of the trie with these keys and values.

    Args:
        pairs: Sorted by key, each key once; no key is the beginning of another. Values are what stands in the leaves, not empty.

    Raises:
        ValueError: The keys are not sorted, or one begins with another.
    """
    return root_of_paths((key.hex(), value) for key, value in pairs)


def root_of_paths(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """The same for keys as hex digits, of which there may be an odd number: what stands below a branch is a trie, too."""
    open_branches: list[
        tuple[int, list[bytes]]
    ] = []  # depth and children, the deepest last: all lie on the way to `path`
    for path, value, shared in _with_shared(pairs):
        above = open_branches[-1][0] if open_branches else -1
        if shared > above:
            open_branches.append((shared, [_NOTHING] * _CHILDREN))
            above = shared
        node = _leaf(path[above + 1 :], value)
        while above > shared:
            # All of this branch is known: it becomes a node below the one above it, or below one that the next key begins.
            depth, children = open_branches.pop()
            children[int(path[depth], 16)] = _reference(node)
            above = max(shared, open_branches[-1][0] if open_branches else -1)
            node = _extension(path[above + 1 : depth], list_of(b"".join(children) + _NOTHING))
            if above >= 0 and (not open_branches or above > open_branches[-1][0]):
                open_branches.append((above, [_NOTHING] * _CHILDREN))
        if above < 0:
            return keccak256(node)
        open_branches[-1][1][int(path[above], 16)] = _reference(node)
    return EMPTY_ROOT


def ordered_root(items: Sequence[bytes]) -> bytes:
    """The root of a list, such as a block's transactions or receipts: each item lies under the RLP of its number."""
    return root_of(sorted((rlp.encode(index), item) for index, item in enumerate(items)))


def proven(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """What lies under `key` in the trie with this root, as `nodes` prove.

    Args:
        root: The root.
        key: As it stands in the trie: for accounts and slots, the hash of the address or of the slot.
        nodes: The nodes on the way to the key, in RLP, in any order.

    Returns:
        The value, or None if the nodes prove that there is none.

    Raises:
        TrieError: The nodes prove neither.
    """
    known = by_hash(nodes)
    path = key.hex()
    node = node_at(known, root)
    while node is not None:
        if not path.startswith(node.path):
            return None
        path = path[len(node.path) :]
        if node.below:
            node = node_at(known, node.below)
            continue
        if not path:
            return node.value or None
        if not node.children:
            return None
        node, path = node_at(known, node.children[int(path[0], 16)]), path[1:]
    return None


class TrieNode(NamedTuple):
    """A leaf, a branch, or an extension that leads to a branch. References are for `node_at`."""

    path: str = ""
    """Hex digits of a leaf or an extension."""
    children: Sequence[Any] = ()
    """References to the 16 nodes below a branch."""
    value: bytes = b""
    below: Any = b""
    """Reference to the branch below an extension."""


def by_hash(nodes: Iterable[bytes]) -> dict[bytes, bytes]:
    """Nodes of proofs, to be found by their hashes. That is all the check that they need."""
    return {EMPTY_ROOT: _NOTHING, **{keccak256(node): node for node in nodes}}


def node_at(known: dict[bytes, bytes], reference: Any) -> TrieNode | None:
    """The node that a root or a branch refers to: by its hash, or a short one as it is. None where there is nothing.

    Raises:
        TrieError: It is not among the known ones, or makes no sense.
    """
    node = _decoded(known, reference)
    if node == b"":
        return None
    if len(node) == _CHILDREN + 1:
        return TrieNode(children=node[:_CHILDREN], value=_value(node[_CHILDREN]))
    path, is_leaf = _part(node)
    return TrieNode(path, value=_value(node[1])) if is_leaf else TrieNode(path, below=node[1])


# ---------------------------------------------------------------- nodes


def _leaf(path: str, value: bytes) -> bytes:
    return list_of(string(_packed(path, "2", "3")) + string(value))


def _extension(path: str, branch: bytes) -> bytes:
    """The branch below a path; the branch itself if there is none."""
    return list_of(string(_packed(path, "0", "1")) + _reference(branch)) if path else branch


def _reference(node: bytes) -> bytes:
    """How a node stands in the node above it: short ones as they are, others by their hash."""
    return node if len(node) < 32 else _HASH + keccak256(node)


def _packed(path: str, even: str, odd: str) -> bytes:
    """Hex digits as bytes, behind a digit that says what the node is and whether their number is odd."""
    return bytes.fromhex(odd + path if len(path) % 2 else even + "0" + path)


# ---------------------------------------------------------------- keys


def _with_shared(pairs: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes, int]]:
    """Each path with its value and the number of digits that the next path begins with, too; -1 after the last."""
    path, value = None, b""
    for next_path, next_value in pairs:
        if path is not None:
            yield path, value, _shared(path, next_path)
        path, value = next_path, next_value
    if path is not None:
        yield path, value, -1


def _shared(path: str, following: str) -> int:
    for place, (digit, other) in enumerate(zip(path, following, strict=False)):
        if digit < other:
            return place
        if digit > other:
            break
    raise ValueError(f"the key {following} does not come after {path}, or one begins with the other")


# ---------------------------------------------------------------- proofs


def _decoded(known: dict[bytes, bytes], reference: Any) -> Any:
    """A node as a list of 2 or 17, or empty bytes for none."""
    node = reference
    if isinstance(reference, bytes) and reference:
        if reference not in known:
            raise TrieError(f"the proof lacks the node 0x{reference.hex()}")
        try:
            node = rlp.decode(known[reference])
        except DecodingError as error:
            raise TrieError(f"the node 0x{reference.hex()} is no RLP: {error}") from error
    if node == b"" or (isinstance(node, list) and len(node) in (2, _CHILDREN + 1)):
        return node
    raise TrieError("a node of the proof is neither a branch nor a leaf nor an extension")


def _part(node: Any) -> tuple[str, bool]:
    """The digits that a leaf or extension stands for, and whether it is a leaf."""
    packed = node[0]
    if not isinstance(packed, bytes) or not packed or packed[0] >> 4 > 3:
        raise TrieError("a node of the proof has no path")
    kind = packed[0] >> 4
    return packed.hex()[1 if kind % 2 else 2 :], kind >= 2


def _value(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TrieError("a node of the proof has a list where its value should be")
    return value
