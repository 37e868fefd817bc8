"""Roots and proofs of tries, beside an implementation that works in another way."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from tongdui.audit.chain.trie import (
    EMPTY_ROOT,
    TrieError,
    by_hash,
    node_at,
    ordered_root,
    proven,
    root_of,
    root_of_paths,
)
from tongdui.encoding import keccak256

VALUES = st.binary(min_size=1, max_size=80)
SHORT = st.dictionaries(st.binary(min_size=2, max_size=2), VALUES, min_size=1, max_size=60)
HASHED = st.dictionaries(st.integers(0, 2**256 - 1).map(lambda n: keccak256(n.to_bytes(32, "big"))), VALUES, min_size=1)


def other_trie(pairs: dict[bytes, bytes]) -> Any:
    trie = HexaryTrie({})
    for key, value in pairs.items():
        trie[key] = value
    return trie


def proof_of(trie: Any, key: bytes) -> list[bytes]:
    return [rlp.encode(node) for node in trie.get_proof(key)]


@given(SHORT | HASHED)
def test_root_is_the_root_of_the_other_implementation(pairs: dict[bytes, bytes]) -> None:
    assert root_of(sorted(pairs.items())) == other_trie(pairs).root_hash


def test_trie_with_nothing_in_it() -> None:
    assert root_of([]) == EMPTY_ROOT == HexaryTrie({}).root_hash
    assert proven(EMPTY_ROOT, bytes(32), []) is None


@pytest.mark.parametrize("count", [0, 1, 2, 16, 127, 128, 129, 300])
def test_root_of_a_list(count: int) -> None:
    items = [keccak256(bytes([n % 256, n // 256])) * (n % 5 + 1) for n in range(count)]
    assert ordered_root(items) == other_trie({rlp.encode(n): item for n, item in enumerate(items)}).root_hash


@pytest.mark.parametrize("keys", [("02", "01"), ("01", "01"), ("01", "0102"), ("0102", "01")])
def test_keys_out_of_order_or_within_each_other_are_refused(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="does not come after"):
        root_of([(bytes.fromhex(key), b"value") for key in keys])


@given(SHORT | HASHED, st.binary(min_size=2, max_size=2))
def test_proof_of_what_is_there_and_of_what_is_not(pairs: dict[bytes, bytes], other: bytes) -> None:
    trie = other_trie(pairs)
    for key in [*list(pairs)[:3], keccak256(other) if len(next(iter(pairs))) == 32 else other]:
        assert proven(trie.root_hash, key, proof_of(trie, key)) == pairs.get(key)


def test_branches_lead_to_tries_of_their_own() -> None:
    """What is below a branch has the root that the branch refers to."""
    pairs = sorted((keccak256(bytes([n])), bytes([n]) * 40) for n in range(1, 200))
    trie = other_trie(dict(pairs))
    top = node_at(by_hash(proof_of(trie, pairs[0][0])), trie.root_hash)
    assert top is not None
    for digit, child in enumerate(top.children):
        below = [(key.hex()[1:], value) for key, value in pairs if key[0] >> 4 == digit]
        assert root_of_paths(below) == child


@given(HASHED, st.data())
def test_proof_with_a_changed_byte_never_proves_something_else(pairs: dict[bytes, bytes], data: st.DataObject) -> None:
    trie = other_trie(pairs)
    key = data.draw(st.sampled_from(sorted(pairs)))
    nodes = proof_of(trie, key)
    node = data.draw(st.integers(0, len(nodes) - 1))
    place = data.draw(st.integers(0, len(nodes[node]) - 1))
    changed = bytearray(nodes[node])
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TrieError, match="lacks the node"):
        proven(trie.root_hash, key, [*nodes[:node], bytes(changed), *nodes[node + 1 :]])


def test_proof_without_its_last_node_proves_nothing() -> None:
    pairs = {keccak256(bytes([n])): bytes([n]) * 40 for n in range(1, 50)}
    trie = other_trie(pairs)
    for key in pairs:
        with pytest.raises(TrieError, match="lacks the node"):
            proven(trie.root_hash, key, proof_of(trie, key)[:-1])


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (b"\xf8", "no RLP"),
        (rlp.encode([b"a", b"b", b"c"]), "neither a branch"),
        (rlp.encode(b"text"), "neither a branch"),
        (rlp.encode([b"", b"value"]), "no path"),
        (rlp.encode([b"\x40", b"value"]), "no path"),
        (rlp.encode([[b"\x20"], b"value"]), "no path"),
        (rlp.encode([b"\x20\x01", [b"value"]]), "a list where its value"),
        (rlp.encode([b"\x10", b"\x01" * 32]), "lacks the node"),
        (rlp.encode([b"\x00", rlp.encode([b"a", b"b", b"c"])]), "lacks the node"),
    ],
)
def test_nodes_that_make_no_sense_prove_nothing(node: bytes, says: str) -> None:
    with pytest.raises(TrieError, match=says):
        proven(keccak256(node), b"\x01", [node])
