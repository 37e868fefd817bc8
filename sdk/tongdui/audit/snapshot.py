"""Snapshots as files: a line that says of what, then a line for each leaf.

The same frozen contract always makes the same bytes: leaves come in the order of kind, key and word, and nothing says when or by
whom the file was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ..encoding import hex_of
from .findings import CannotCheck
from .leaves import CHUNK, Leaf, SnapshotTree

FORMAT = "tongdui-snapshot/1"


@dataclass(frozen=True, slots=True)
class SnapshotHead:
    """What a snapshot is of."""

    chain_id: int
    contract: str
    """Address of the frozen clearing house, in lower case."""
    block: int
    """The block in which it was frozen."""
    batches: int
    head: str
    """The final head of its journal, hex."""
    funds_micros: int
    leaves: int
    root: str
    """Merkle root of the leaves, hex."""


class Snapshot:
    """A snapshot file whose root is that of its leaves."""

    def __init__(self, path: Path) -> None:
        """Opens a file and works its root out.

        Raises:
            CannotCheck: It is no snapshot, or was changed.
        """
        self.path = path
        self.tree = SnapshotTree()
        try:
            self.head = _head_of(path)
            for leaf in self.leaves():
                self.tree.add(leaf)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CannotCheck(
                f"{path} is no snapshot: {error}. Make one with `tongdui audit run --snapshot FILE`."
            ) from error
        if (self.tree.count, hex_of(self.tree.root())) != (self.head.leaves, self.head.root):
            raise CannotCheck(f"{path} was changed: its leaves do not have the root that it says. Make it again.")

    def leaves(self, first: int = 0) -> Iterator[Leaf]:
        """The leaves from number `first` on."""
        with self.path.open() as lines:
            for number, line in enumerate(lines, -1):
                if number >= first:
                    kind, key, packed = line.split()
                    yield Leaf(int(kind), int(key, 16), int(packed, 16))

    def chunk(self, number: int) -> list[Leaf]:
        """The leaves of a chunk."""
        found = self.leaves(number * CHUNK)
        return [leaf for leaf, _ in zip(found, range(CHUNK), strict=False)]


def _head_of(path: Path) -> SnapshotHead:
    with path.open() as lines:
        first = json.loads(lines.readline())
    if first.pop("format", None) != FORMAT:
        raise ValueError(f"it does not begin with the format {FORMAT}")
    return SnapshotHead(**first)


def write_snapshot(path: Path, head: SnapshotHead, leaves: Iterator[Leaf]) -> None:
    """Writes a snapshot whole, or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("w") as file:
            file.write(json.dumps({"format": FORMAT, **asdict(head)}) + "\n")
            for leaf in leaves:
                file.write(f"{leaf.kind} {leaf.key:x} {leaf.word:x}\n")
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise CannotCheck(f"{path} cannot be written: {error.strerror}.") from error
