"""Takes a snapshot of the state that a replay has led to."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..encoding import hex_of, word
from .chain.layout import leaf_parts
from .findings import CannotCheck
from .leaves import Leaf, LeafKind, LotWord, SnapshotTree
from .model.clearing_house import ClearingHouse
from .model.records import Stage
from .rules.lots import Lots
from .snapshot import SnapshotHead, write_snapshot


def take_snapshot(path: Path, house: ClearingHouse, lots: Lots, frozen_in: int) -> SnapshotHead:
    """Write the snapshot of a frozen clearing house.

    Args:
        path: The file.
        house: The model, after the contract's last block. Compare its storage with the contract's before.
        lots: The lots that the same replay has led to.
        frozen_in: The block in which the contract was frozen.

    Returns:
        What the file begins with.

    Raises:
        CannotCheck: The contract is not frozen, so that its state is not final; or the file cannot be written.
    """
    if house.stage != Stage.FROZEN:
        raise CannotCheck(
            f"The contract {house.domain.contract} is not frozen: its state is not final. Freeze it with `clearing freeze`."
        )
    with _Sorted(_parts(house, lots)) as leaves:
        tree = SnapshotTree()
        for leaf in leaves.all():
            tree.add(leaf)
        head = SnapshotHead(
            house.domain.chain_id,
            house.domain.contract.lower(),
            frozen_in,
            house.count("batches"),
            hex_of(house.head),
            house.funds,
            tree.count,
            hex_of(tree.root()),
        )
        write_snapshot(path, head, leaves.all())
    return head


def _parts(house: ClearingHouse, lots: Lots) -> Iterator[Leaf]:
    """All leaves in any order; those of balances of one page in parts."""
    yield from leaf_parts(house)
    for merchant, name in house.names.stored():
        yield Leaf(LeafKind.NAME, merchant, int.from_bytes(name, "big"))
    for number, agreement in house.agreements.stored():
        yield Leaf(LeafKind.DOCUMENT, number, int.from_bytes(agreement.terms.document, "big"))
    for (member, program), account in lots.all():
        key = program << 160 | int(member, 16)
        for lot in account:
            packed = LotWord(lot.points, lot.made_on, lot.expiry_day, lot.batch, lot.index).packed()
            yield Leaf(LeafKind.LOT, key, packed)


class _Sorted:
    """Leaves in order, with their parts joined, in a temporary file."""

    def __init__(self, parts: Iterable[Leaf]) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="tongdui-snapshot-")
        self._db = sqlite3.connect(Path(self._directory.name) / "leaves.sqlite")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE parts (kind INTEGER, key BLOB, word BLOB)")
        rows = ((int(part.kind), word(part.key), word(part.word)) for part in parts)
        self._db.executemany("INSERT INTO parts VALUES (?, ?, ?)", rows)

    def __enter__(self) -> _Sorted:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._directory.cleanup()

    def all(self) -> Iterator[Leaf]:
        """The leaves."""
        last: Leaf | None = None
        for kind, key, packed in self._db.execute("SELECT kind, key, word FROM parts ORDER BY kind, key, word"):
            leaf = Leaf(kind, int.from_bytes(key, "big"), int.from_bytes(packed, "big"))
            if last is not None and kind == LeafKind.BALANCES and leaf[:2] == last[:2]:
                last = last._replace(word=last.word | leaf.word)
                continue
            if last is not None:
                yield last
            last = leaf
        if last is not None:
            yield last
