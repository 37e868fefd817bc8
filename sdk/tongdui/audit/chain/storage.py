"""The contract's whole storage, compared with the state of the network that the audit computed.

The root of the storage is computed from that state, and compared with the one that the block's state root proves. If they are the
same, every slot is as it must be and there is no other one. If not, both tries are walked down to the slots that differ.
"""

from __future__ import annotations

import sqlite3
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ...encoding import bytes_of, hex_of, keccak256, word
from ..findings import Finding, NotChecked, Place
from ..network import NetworkState
from .account import ask_proof, hashed, word_of
from .layout import Kind, Slot, possible_slots, slots
from .node import Node, NodeRefused
from .rlp_writing import string
from .trie import TrieError, by_hash, node_at, root_of, root_of_paths

RULES = {
    "storage.agreement": "the terms, the end and the use of an agreement in the contract are those that its history leads to",
    "storage.balance": "the points of a member in the contract are those that its history leads to",
    "storage.bank_reference": "the bank references that the contract has marked as used are those that its history leads to",
    "storage.batch": "the newest batch in the contract is the one that its history leads to",
    "storage.count": "the contract counts as many merchants, programs and agreements as were registered",
    "storage.credit_limit": "the credit limit of a merchant in the contract is the one that its history leads to",
    "storage.funds": "the settlement funds in the contract are the deposits minus the withdrawals",
    "storage.head": "the head of the journal in the contract is the one that its history leads to",
    "storage.issuance_cap": "a program's cap of a day's issues in the contract, and its use, are those that its history leads to",
    "storage.nonce": "the nonces that the contract has marked as used are those that its history leads to",
    "storage.owner": "the owner of the contract is the one that its history leads to",
    "storage.paused": "the contract is paused if, and only if, its history says so",
    "storage.position": "the position of a merchant in the contract is the one that its history leads to",
    "storage.program": "a program's merchant, code, name and pause in the contract are those that its history leads to",
    "storage.proof": "what the node shows of the contract's storage is proven by the state root of the block",
    "storage.reversed": "how much of an entry counts as reversed in the contract is what its history leads to",
    "storage.role": "the accounts that hold a role in the contract are those that its history leads to",
    "storage.root": "the root of a batch in the contract is the one that its entries lead to",
    "storage.signer": "the keys in the contract, their merchants and times are those that its history leads to",
    "storage.status": "the status of a merchant in the contract is the one that its history leads to",
    "storage.succession": "what the contract says of its own end and of its predecessor is what its history leads to",
    "storage.totals": "a program's totals in the contract are those that its history leads to",
    "storage.unknown": "the contract's storage holds nothing that its history does not lead to",
}

MOST_NAMED = 200
"""Slots that differ and are named. With more, something is wrong at the root of it."""
_MOST_TRIES = 32_000_000
"""Hashes to find numbers of slots that lie beside unknown ones, half a minute: enough for one beside a million others."""
_DIGITS = 5
"""Of the paths below which a slot's number is kept."""
_MOST_PARTS = 20_000
"""Nodes of the trie that are looked at where it differs."""
_PROOFS_AT_ONCE = 200
"""Slots of which the node is asked for proofs in one request."""
_AT_ONCE = 2_000
"""Slots read with one call of the contract: some 6 million gas, which every node grants."""

_EXTSLOAD = keccak256(b"extsload(bytes32[])")[:4]


@dataclass(frozen=True, slots=True)
class Checked:
    """What the comparison found, and what it could not look at."""

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


def check_storage(node: Node, contract: str, block: int, state_root: bytes, state: NetworkState) -> Checked:
    """Compares the contract's storage after a block with the state of the network.

    Args:
        node: Is asked and not believed, as far as it offers proofs.
        contract: The contract's address.
        block: The block's number.
        state_root: The block's state root, proven.
        state: What the storage must say.

    Raises:
        CannotCheck: The node does not answer.
    """
    with _Expected(slots(state)) as expected:
        try:
            return _check_by_proof(node, contract, block, state_root, expected, state)
        except TrieError as error:
            must = f"a proof under the state root {hex_of(state_root)} of block {block}"
            subject = f"the storage of the contract {contract}"
            return Checked((Finding("storage.proof", subject, must, str(error), Place(block=block)),))
        except (NodeRefused, _TooMuchDiffersError) as error:
            return _check_by_reading(_Reading(node, contract, block), expected, state, str(error))


def _check_by_proof(
    node: Node, contract: str, block: int, state_root: bytes, expected: _Expected, state: NetworkState
) -> Checked:
    account = ask_proof(node, contract, block).account_under(state_root)
    if account is None:
        raise TrieError("it proves that there is no such account")
    if account.storage_root == expected.root():
        return Checked()
    walk = _Walk(node, contract, block, expected)
    wrong = dict(islice(walk.differences(account.storage_root), MOST_NAMED + 1))
    named = _named(wrong, expected, state, block)
    hidden = (f"slots whose numbers have hashes that begin with 0x{path}" for path in walk.hidden)
    return Checked((*named.findings, *(_unknown(subject, "something", block) for subject in hidden)), named.not_checked)


def _check_by_reading(reading: _Reading, expected: _Expected, state: NetworkState, why: str) -> Checked:
    """Reads all slots that must hold something, and believes what the node says of them."""
    try:
        wrong = dict(islice(reading.differences(expected), MOST_NAMED + 1))
    except NodeRefused as refused:
        return Checked(not_checked=(NotChecked("the contract's storage", f"{why} {refused}"),))
    instead = (
        f"{why} Instead, all {expected.count():,} slots that must hold something were read, and the node believed. "
        "Other slots may hold something, too."
    )
    found = _named(wrong, expected, state, reading.block)
    return Checked(found.findings, (*found.not_checked, NotChecked("the root of the contract's storage", instead)))


# ---------------------------------------------------------------- names


def _named(wrong: dict[str, int], expected: _Expected, state: NetworkState, block: int) -> Checked:
    """Says what is wrong in words. `wrong` is what slots hold, by the hashes of their numbers as hex digits."""
    not_checked: tuple[NotChecked, ...] = ()
    if len(wrong) > MOST_NAMED:
        wrong = dict(islice(wrong.items(), MOST_NAMED))
        why = f"More than {MOST_NAMED:,} slots differ. Look for the first finding of the audit: others follow from it."
        not_checked = (NotChecked("other slots of the contract's storage", why),)
    known = _known(wrong, state)
    findings: list[Finding] = []
    for key, found in wrong.items():
        must = expected.word(key)
        if key in known:
            findings += _differing_fields(known[key], must, found, block)
        else:
            findings.append(_unknown(f"the slot whose number has the hash 0x{key}", _word(found), block))
    findings.sort(key=lambda finding: (finding.rule, finding.subject))
    return Checked(tuple(findings), not_checked)


def _unknown(subject: str, found: str, block: int) -> Finding:
    return Finding("storage.unknown", subject, _word(0), found, Place(block=block))


def _known(wrong: dict[str, int], state: NetworkState) -> dict[str, Slot]:
    """The slots with these hashes that have a meaning."""
    known: dict[str, Slot] = {}
    if not wrong:
        return known
    for slot in chain(slots(state), possible_slots(state)):
        key = hashed(slot.number).hex()
        if key in wrong:
            known[key] = slot
            if len(known) == len(wrong):
                break
    return known


def _differing_fields(slot: Slot, must: int, found: int, block: int) -> Iterator[Finding]:
    kind: Kind = slot.kind
    for field in kind.fields:
        if field.of(must) != field.of(found):
            shown = field.show(field.of(must)), field.show(field.of(found))
            yield Finding(field.rule, field.subject(*slot.ids), *shown, Place(block=block))
    unused = found & ~kind.used
    if unused:
        subject = f"unused bits in the word of {kind.name(*slot.ids)}"
        yield Finding(kind.fields[0].rule, subject, _word(0), _word(unused), Place(block=block))


def _word(packed: int) -> str:
    return hex_of(word(packed)) if packed else "nothing"


# ---------------------------------------------------------------- what must be there


class _Expected:
    """The slots that the storage must have, in the order of the trie, in a temporary file."""

    def __init__(self, parts: Iterable[Slot]) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="tongdui-audit-")
        self._db = sqlite3.connect(Path(self._directory.name) / "slots.sqlite")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE parts (key BLOB, slot BLOB, bits BLOB)")
        self._db.executemany("INSERT INTO parts VALUES (?, ?, ?)", map(_row, parts))
        self._root: bytes | None = None
        self._has_index = False

    def __enter__(self) -> _Expected:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._directory.cleanup()

    def root(self) -> bytes:
        """The root of the trie."""
        rows = self._db.execute("SELECT key, slot, bits FROM parts ORDER BY key")
        return root_of((key, string(bits.lstrip(b"\0"))) for key, _, bits in _joined(rows) if any(bits))

    def all(self) -> Iterator[tuple[str, int, int]]:
        """Key, number and word of all slots, also of those that must hold nothing."""
        for key, slot, bits in _joined(self._db.execute("SELECT key, slot, bits FROM parts ORDER BY key")):
            yield key.hex(), int.from_bytes(slot, "big"), int.from_bytes(bits, "big")

    def count(self) -> int:
        """How many slots must be read."""
        return int(self._db.execute("SELECT count(DISTINCT key) FROM parts").fetchone()[0])

    def word(self, key: str) -> int:
        """What the slot with this key must hold."""
        return dict(self.below(key)).get(key, 0)

    def below(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Keys that begin with a prefix, and the words that are not zero."""
        rows = self._between("SELECT key, slot, bits FROM parts WHERE key BETWEEN ? AND ? ORDER BY key", prefix)
        for key, _, bits in _joined(rows):
            if any(bits):
                yield key.hex(), int.from_bytes(bits, "big")

    def reference(self, prefix: str) -> bytes:
        """What a branch must refer to where a path leads on with this prefix."""
        below = ((key[len(prefix) :], string(_stripped(packed))) for key, packed in self.below(prefix))
        first = next(below, None)
        return b"" if first is None else root_of_paths(chain([first], below))

    def number_below(self, prefix: str) -> int | None:
        """The number of some slot with such a key."""
        found = self._between("SELECT slot FROM parts WHERE key BETWEEN ? AND ? LIMIT 1", prefix).fetchone()
        return None if found is None else int.from_bytes(found[0], "big")

    def _between(self, query: str, prefix: str) -> sqlite3.Cursor:
        if not self._has_index:
            self._db.execute("CREATE INDEX by_key ON parts (key)")
            self._has_index = True
        bounds = (bytes.fromhex(prefix.ljust(64, digit)) for digit in "0f")
        return self._db.execute(query, tuple(bounds))


def _row(part: Slot) -> tuple[bytes, bytes, bytes]:
    slot = word(part.number)
    return keccak256(slot), slot, word(part.bits)


def _joined(rows: Iterable[tuple[bytes, bytes, bytes]]) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Rows with the parts of each slot joined."""
    rows = iter(rows)
    last = next(rows, None)
    if last is None:
        return
    for row in rows:
        if row[0] == last[0]:
            last = (*last[:2], word(int.from_bytes(last[2], "big") | int.from_bytes(row[2], "big")))
        else:
            yield last
            last = row
    yield last


def _stripped(packed: int) -> bytes:
    return packed.to_bytes((packed.bit_length() + 7) // 8, "big")


# ---------------------------------------------------------------- what is there


class _TooMuchDiffersError(Exception):
    """The tries differ in more places than can be looked at."""


class _Walk:
    """Goes down the storage's trie where it differs from the expected one. Each node that it sees is proven by its hash."""

    def __init__(self, node: Node, contract: str, block: int, expected: _Expected) -> None:
        self._node = node
        self._contract = contract
        self._block = block
        self._expected = expected
        self._seen: dict[bytes, bytes] = by_hash(())
        self._numbers = _Numbers()
        self.hidden: list[str] = []
        """Beginnings of keys below which there is something that must not be there, and could not be looked at."""

    def differences(self, root: bytes) -> Iterator[tuple[str, int]]:
        """Keys of slots that differ, each with the word that is there. Goes down level by level, to ask for many nodes at once.

        A leaf with a zero means nothing and is none on a chain; anvil keeps such leaves.

        Raises:
            TrieError: The node's proofs do not lead there.
            _TooMuchDiffersError: There are more different nodes than can be looked at.
        """
        parts: list[tuple[str, Any]] = [("", root)]
        looked_at = 0
        while parts:
            looked_at += len(parts)
            if looked_at > _MOST_PARTS:
                raise _TooMuchDiffersError(
                    f"The storage differs from what it must be in more than {_MOST_PARTS:,} places."
                )
            self._ask_for(parts)
            following: list[tuple[str, Any]] = []
            for prefix, reference in parts:
                if prefix not in self.hidden:
                    yield from self._compare(prefix, reference, following)
            parts = following

    def _compare(self, prefix: str, reference: Any, following: list[tuple[str, Any]]) -> Iterator[tuple[str, int]]:
        """What differs at a node; what differs below it goes to `following`."""
        there = node_at(self._seen, reference)
        if there is None:
            yield from ((key, 0) for key, _ in self._expected.below(prefix))
            return
        here = prefix + there.path
        if there.children:
            branches = zip("0123456789abcdef", there.children, strict=True)
            following += [(here + d, child) for d, child in branches if child != self._expected.reference(here + d)]
            return
        yield from ((key, 0) for key, _ in self._expected.below(prefix) if not key.startswith(here))
        if there.below:
            following.append((here, there.below))
        elif word_of(there.value) != self._expected.word(here):
            yield here, word_of(there.value)

    def _ask_for(self, parts: Sequence[tuple[str, Any]]) -> None:
        """Asks for the nodes that these references lead to."""
        slots: list[int] = []
        for prefix, reference in parts:
            if isinstance(reference, bytes) and reference and reference not in self._seen:
                slot = self._expected.number_below(prefix)
                if slot is None:
                    slot = self._numbers.below(prefix)
                if slot is None:
                    self.hidden.append(prefix)
                else:
                    slots.append(slot)
        for start in range(0, len(slots), _PROOFS_AT_ONCE):
            part = slots[start : start + _PROOFS_AT_ONCE]
            proof = ask_proof(self._node, self._contract, self._block, part)
            self._seen |= by_hash(node for nodes in proof.slots.values() for node in nodes)


class _Numbers:
    """Numbers of slots by the beginnings of their hashes, found by trying: nodes show a path only to who names a slot on it."""

    def __init__(self) -> None:
        self._tried = 0
        self._by_path = array("L", [0]) * 16**_DIGITS  # one more than the number; 0 for unknown

    def below(self, prefix: str) -> int | None:
        """The number of any slot whose hash begins with these digits. None if it would take too long."""
        low, high = (int(prefix.ljust(_DIGITS, digit)[:_DIGITS], 16) for digit in "0f")
        known: int = max(self._by_path[low : high + 1])
        if len(prefix) <= _DIGITS and known:
            return known - 1
        for slot in range(self._tried, _MOST_TRIES):
            self._tried = slot + 1
            key = hashed(slot).hex()
            self._by_path[int(key[:_DIGITS], 16)] = slot + 1
            if key.startswith(prefix):
                return slot
        return None


class _Reading:
    """Reads slots: many with a call of the contract or, where that fails, one by one from the node."""

    def __init__(self, node: Node, contract: str, block: int) -> None:
        self.block = block
        self._node = node
        self._contract = contract
        self._one_by_one = False

    def differences(self, expected: _Expected) -> Iterator[tuple[str, int]]:
        """Keys of slots that differ, each with the word that is there.

        Raises:
            NodeRefused: The node has no state of that block.
        """
        rest = expected.all()
        while part := list(islice(rest, _AT_ONCE)):
            found = self._words([slot for _, slot, _ in part])
            yield from ((key, there) for (key, _, must), there in zip(part, found, strict=True) if there != must)

    def _words(self, numbers: Sequence[int]) -> list[int]:
        tag = hex(self.block)
        if not self._one_by_one:
            data = _EXTSLOAD + word(32) + word(len(numbers)) + b"".join(word(number) for number in numbers)
            try:
                raw = bytes_of(self._node.ask("eth_call", [{"to": self._contract, "data": hex_of(data)}, tag]))
                if len(raw) == 64 + 32 * len(numbers):
                    return [int.from_bytes(raw[at : at + 32], "big") for at in range(64, len(raw), 32)]
            except (NodeRefused, AttributeError, ValueError):
                pass
            self._one_by_one = True
        params = [[self._contract, hex_of(word(number)), tag] for number in numbers]
        answers = self._node.ask_all("eth_getStorageAt", params)
        return [self._node.quantity(answer, "eth_getStorageAt") for answer in answers]
