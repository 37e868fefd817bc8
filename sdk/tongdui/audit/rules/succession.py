"""What a successor took over is what its predecessor had: each leaf beside that of a snapshot that the auditor took itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...encoding import hex_of
from ..chain.layout import LANES
from ..days import day_text
from ..findings import Finding, NotChecked, Place
from ..leaves import Leaf, LeafKind, LotWord
from ..snapshot import Snapshot
from ..tables import Tables
from ..watching import EventSeen, Watcher

RULES = {
    "succession.snapshot": "a successor names the predecessor and the snapshot that the auditor found",
    "succession.leaf": "a successor takes over what its predecessor's own chain led to",
}

_MOST_NAMED = 200
_NETWORK = ("numbers of merchants and programs", "number of agreements", "settlement funds", "newest batch", "head")
_SUBJECTS = {
    LeafKind.NETWORK: "{network}",
    LeafKind.MERCHANT: "merchant {key}",
    LeafKind.SIGNER: "key {member}",
    LeafKind.NONCES: "nonces of merchant {merchant}, page {page}",
    LeafKind.PROGRAM: "program {number}, word {field}",
    LeafKind.AGREEMENT: "agreement {number}, word {field}",
    LeafKind.TERMS: "terms with the digest {word}",
    LeafKind.BALANCES: "balances of {member}",
    LeafKind.BANK_REFERENCE: "bank reference {word}",
    LeafKind.ROOT: "root of batch {key}",
    LeafKind.REVERSED: "reversed points of the entry with leaf {word}",
    LeafKind.NAME: "name of merchant {key}",
    LeafKind.DOCUMENT: "document of agreement {key}",
    LeafKind.LOT: "lot of {member} in program {program}",
}


class Succession(Watcher):
    """Compares an import with a snapshot, and keeps when a contract was frozen."""

    def __init__(self, tables: Tables, snapshot: Snapshot | None) -> None:
        self._snapshot = snapshot
        self._known = tables.table("rule.succession", default=0)
        """`frozen`: the block of the freeze; `imports`: 1 with a predecessor; `named`: leaves that were found different."""
        self._ours: Iterator[Leaf] = iter(())
        self._next = -1

    @property
    def frozen_in(self) -> int:
        """The block in which the contract was frozen; 0 if it was not."""
        return int(self._known["frozen"])

    def on_event(self, seen: EventSeen) -> Sequence[Finding]:
        """Takes in the end, or the beginning."""
        match seen.name, seen.values:
            case "Frozen", _:
                self._known["frozen"] = seen.block.number
            case "ImportBegun", ((chain_id, house, leaves, head, root),):
                self._known["imports"] = 1
                if self._snapshot is not None:
                    ours = self._snapshot.head
                    must = (ours.chain_id, ours.contract, ours.leaves, ours.head, ours.root)
                    return self._named(seen, must, (chain_id, house.lower(), leaves, hex_of(head), hex_of(root)))
            case "LeafImported", (index, kind, key, packed) if self._snapshot is not None:
                return self._compared(seen, self._snapshot, index, Leaf(kind, key, packed))
        return ()

    def _named(self, seen: EventSeen, must: tuple[object, ...], found: tuple[object, ...]) -> list[Finding]:
        if must == found:
            return []
        place = Place(seen.block.number, seen.transaction)
        return [Finding("succession.snapshot", "the predecessor", _in_words(*must), _in_words(*found), place)]

    def _compared(self, seen: EventSeen, snapshot: Snapshot, index: int, leaf: Leaf) -> list[Finding]:
        if index != self._next:
            self._ours = snapshot.leaves(index)
        self._next = index + 1
        must = next(self._ours, None)
        if must == leaf or self._known["named"] >= _MOST_NAMED:
            return []
        self._known["named"] += 1
        place = Place(seen.block.number, seen.transaction)
        shown = "nothing" if must is None else f"{_subject(must)}: {_value(must)}"
        return [Finding("succession.leaf", f"leaf {index}", shown, f"{_subject(leaf)}: {_value(leaf)}", place)]

    def not_checked(self) -> list[NotChecked]:
        """What needs the predecessor's chain."""
        if not self._known["imports"] or self._snapshot is not None:
            return []
        return [
            NotChecked(
                "whether the predecessor had what this contract took over",
                "audit the predecessor with --snapshot FILE, and this contract with --predecessor FILE",
            )
        ]


def _in_words(chain_id: object, house: object, leaves: object, head: object, root: object) -> str:
    return f"contract {house} on chain {chain_id}: {leaves} leaves, head {head}, root {root}"


def _subject(leaf: Leaf) -> str:
    """What a leaf is about, in words."""
    if leaf.kind not in _SUBJECTS:
        return f"kind {leaf.kind}, key 0x{leaf.key:x}"
    low = leaf.key & 2**160 - 1
    of = {"key": leaf.key, "word": f"0x{leaf.key:x}", "member": f"0x{low:040x}", "program": leaf.key >> 160}
    of |= {"number": leaf.key >> 8, "field": leaf.key & 0xFF, "merchant": leaf.key >> 40, "page": leaf.key & 2**40 - 1}
    of["network"] = _NETWORK[leaf.key] if leaf.key < len(_NETWORK) else f"network {leaf.key}"
    return _SUBJECTS[LeafKind(leaf.kind)].format(**of)


def _value(leaf: Leaf) -> str:
    packed = leaf.word
    if leaf.kind == LeafKind.BALANCES:
        first = (leaf.key >> 160) * LANES + 1
        lanes = ((first + lane, packed >> 64 * lane & 2**64 - 1) for lane in range(LANES))
        return ", ".join(f"{points} points of program {program}" for program, points in lanes if points)
    if leaf.kind == LeafKind.LOT:
        lot = LotWord.of(packed)
        until = f"over from {day_text(lot.expiry_day)} on" if lot.expiry_day else "that never expire"
        return f"{lot.points} points {until}"
    if leaf.kind == LeafKind.MERCHANT:
        micros = packed >> 160
        limit = packed >> 96 & 2**64 - 1
        return f"position {micros - (2**96 if micros >> 95 else 0)}, credit limit {limit}, status {packed & 0xFF}"
    return f"0x{packed:x}"
