"""SQL of the journal: blocks, and the entries with their proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from clearing.ledger.journal.models import Batch, Block, Entry
from tongdui.receipts import merkle_proof


class BlockRepository:
    """Blocks that the read model contains."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def last(self) -> Block | None:
        """The newest block."""
        return self._session.scalar(select(Block).order_by(Block.number.desc()).limit(1))


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries; None means any."""

    program: int | None = None
    address: str | None = None
    batch: int | None = None
    programs: Sequence[int] | None = None
    merchant: int | None = None
    """With `programs`: what a merchant may see (its own orders, its programs' and its agreements' entries)."""
    agreements: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry with what proves it."""

    entry: Entry
    batch: Batch
    path: tuple[bytes, ...]


class EntryRepository:
    """Accepted instructions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def by_leaf(self, leaf: bytes) -> Entry | None:
        """The entry with this leaf."""
        return self._session.scalar(select(Entry).where(Entry.leaf == leaf))

    def list(self, wanted: EntryFilter, after: tuple[int, int] | None, limit: int) -> Sequence[Entry]:
        """Entries newest first; `after` is (batch, index) of the last one of the page before."""
        query = select(Entry).order_by(Entry.batch.desc(), Entry.index.desc()).limit(limit)
        for condition in _conditions(wanted):
            query = query.where(condition)
        if after is not None:
            batch, index = after
            query = query.where((Entry.batch < batch) | and_(Entry.batch == batch, Entry.index < index))
        return self._session.scalars(query).all()

    def receipt(self, leaf: bytes) -> Proof | None:
        """The entry with its Merkle proof, made from its batch's leaves."""
        entry = self.by_leaf(leaf)
        if entry is None:
            return None
        batch = self._session.get_one(Batch, entry.batch)
        query = select(Entry.leaf).where(Entry.batch == entry.batch).order_by(Entry.index)
        leaves = list(self._session.scalars(query))
        return Proof(entry, batch, merkle_proof(leaves, entry.index))


def _conditions(wanted: EntryFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.program is not None:
        conditions.append(Entry.program == wanted.program)
    if wanted.address is not None:
        conditions.append(Entry.address == wanted.address)
    if wanted.batch is not None:
        conditions.append(Entry.batch == wanted.batch)
    if wanted.programs is not None:
        own = Entry.program.in_(wanted.programs) | (Entry.merchant == wanted.merchant)
        conditions.append(own | Entry.agreement.in_(wanted.agreements))
    return conditions
