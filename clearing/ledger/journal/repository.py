"""SQL of the journal: blocks, and the entries with their proofs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, delete, false, func, or_, select, text, tuple_
from sqlalchemy.orm import Session

from clearing.kit.bulk_insert import insert_rows
from clearing.kit.in_list import in_list
from clearing.kit.paging import Page, equal_given
from clearing.kit.sources import Walk, newest_of, oldest_of
from clearing.ledger.journal.models import Batch, Block, ChainEvent, Entry, Proof, QuarantinedEvent, Rejection
from tongdui import receipts
from tongdui.receipts import merkle_proof


class BlockRepository:
    """Blocks that the read model contains."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def last(self) -> Block | None:
        """The newest block."""
        return self._session.scalar(select(Block).order_by(Block.number.desc()).limit(1))

    def by_number(self, number: int) -> Block | None:
        """The block with this number."""
        return self._session.get(Block, number)

    def by_numbers(self, numbers: Iterable[int]) -> dict[int, Block]:
        """The blocks with these numbers."""
        query = select(Block).where(in_list(self._session, Block.number, set(numbers)))
        return {block.number: block for block in self._session.scalars(query)}

    def last_before(self, at: int) -> Block | None:
        """The newest block older than Unix time `at`."""
        query = select(Block).where(Block.timestamp < at).order_by(Block.timestamp.desc(), Block.number.desc())
        return self._session.scalar(query.limit(1))

    def last_batch_up_to(self, number: int) -> int:
        """The newest batch in this block or before it; 0 if there is none."""
        query = select(Batch.number).where(Batch.block_number <= number)
        return self._session.scalar(query.order_by(Batch.block_number.desc(), Batch.number.desc()).limit(1)) or 0

    def first_batch(self, number: int) -> int | None:
        """The first batch in a block, if there is any."""
        return self._session.scalar(select(func.min(Batch.number)).where(Batch.block_number == number))

    def remove_content(self, number: int) -> None:
        """Removes the entries, rejections, batches and quarantined events of a block."""
        for table in (Entry, Rejection, Batch, QuarantinedEvent):
            self._session.execute(delete(table).where(table.block_number == number))

    def remove(self, block: Block) -> None:
        """Removes a block whose content is gone."""
        self._session.delete(block)


class ChainEventRepository:
    """The rare events that were applied, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, event: ChainEvent) -> None:
        """Stores an event with what it replaced."""
        self._session.add(event)

    def of_block(self, block_number: int) -> Sequence[ChainEvent]:
        """The rare events of a block, newest first."""
        query = select(ChainEvent).where(ChainEvent.block_number == block_number).order_by(ChainEvent.log_index.desc())
        return self._session.scalars(query).all()

    def newest(self, names: Collection[str]) -> ChainEvent | None:
        """The last event with one of these names."""
        query = select(ChainEvent).where(ChainEvent.name.in_(names))
        return self._session.scalar(
            query.order_by(ChainEvent.block_number.desc(), ChainEvent.log_index.desc()).limit(1)
        )

    def remove(self, event: ChainEvent) -> None:
        """Removes an event whose effect was taken back."""
        self._session.delete(event)


class QuarantineRepository:
    """Rare events that could not be decoded or applied, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, event: QuarantinedEvent) -> None:
        """Puts an event into quarantine."""
        self._session.add(event)

    def list(self) -> Sequence[QuarantinedEvent]:
        """All events in quarantine, oldest first."""
        query = select(QuarantinedEvent).order_by(QuarantinedEvent.block_number, QuarantinedEvent.log_index)
        return self._session.scalars(query).all()

    def page(self, after: tuple[int, int] | None, limit: int) -> Sequence[QuarantinedEvent]:
        """At most `limit` events in quarantine, oldest first, after this block and log index."""
        place = tuple_(QuarantinedEvent.block_number, QuarantinedEvent.log_index)
        query = select(QuarantinedEvent).order_by(QuarantinedEvent.block_number, QuarantinedEvent.log_index)
        query = query if after is None else query.where(place > tuple_(*after))
        return self._session.scalars(query.limit(limit)).all()

    def remove(self, event: QuarantinedEvent) -> None:
        """Takes an event out of quarantine."""
        self._session.delete(event)


class EntrySource(NamedTuple):
    """Where entries come from: all those of a program, or of an agreement. `but` are programs that have a source of their own."""

    program: int | None = None
    agreement: int | None = None
    but: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries; None means any."""

    address: str | None = None
    batch: int | None = None
    sources: Sequence[EntrySource] | None = None
    """No entry has two of them."""


_WIRE_NAMES = {"address": "member"}
_ENTRY_COLUMNS = [c.name for c in Entry.__table__.columns if c.name not in ("leaf", "block_number")]
_content_of = attrgetter(*(_WIRE_NAMES.get(name, name) for name in _ENTRY_COLUMNS))
_LEAVES_AT_ONCE = 1_000
_HAS_AGREEMENT: ColumnElement[bool] = text("entries.agreement > 0")  # type: ignore[assignment]
"""Word for word the condition of the partial index: given a parameter instead, SQLite would not use it."""


class EntryRepository:
    """Accepted instructions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, entries: Sequence[receipts.Entry], leaves: Sequence[bytes], block_number: int) -> None:
        """Stores the entries of a block with their leaves."""
        rows = [(*_content_of(entry), leaf, block_number) for entry, leaf in zip(entries, leaves, strict=True)]
        insert_rows(self._session, Entry, [*_ENTRY_COLUMNS, "leaf", "block_number"], rows)

    def of_block(self, block_number: int) -> list[receipts.Entry]:
        """The entries of a block, in order."""
        query = select(Entry).where(Entry.block_number == block_number).order_by(Entry.batch, Entry.index)
        return [entry.wire() for entry in self._session.scalars(query)]

    def by_leaves(self, leaves: Sequence[bytes]) -> dict[bytes, receipts.Entry]:
        """The entries with these leaves, by leaf."""
        found: dict[bytes, receipts.Entry] = {}
        for start in range(0, len(leaves), _LEAVES_AT_ONCE):
            some = leaves[start : start + _LEAVES_AT_ONCE]
            rows = self._session.scalars(select(Entry).where(Entry.leaf.in_(some)))
            found |= {row.leaf: row.wire() for row in rows}
        return found

    def of_day(self, leaves: Sequence[bytes], day: int) -> frozenset[bytes]:
        """Those of these leaves whose entries are in a block of this day."""
        of_day = select(Entry.leaf).join(Block, Block.number == Entry.block_number).where(Block.day == day)
        found: set[bytes] = set()
        for start in range(0, len(leaves), _LEAVES_AT_ONCE):
            found.update(self._session.scalars(of_day.where(Entry.leaf.in_(leaves[start : start + _LEAVES_AT_ONCE]))))
        return frozenset(found)

    def by_leaf(self, leaf: bytes) -> Entry | None:
        """The entry with this leaf."""
        return self._session.scalar(select(Entry).where(Entry.leaf == leaf))

    def list(self, wanted: EntryFilter, after: tuple[int, int] | None, limit: int) -> Sequence[Entry]:
        """Entries newest first; `after` is (batch, index) of the last one of the page before."""
        filters = equal_given((Entry.address, wanted.address), (Entry.batch, wanted.batch))
        if after is not None:
            filters.append(tuple_(Entry.batch, Entry.index) < tuple_(*after))
        newest = (Entry.batch.desc(), Entry.index.desc())

        def page_of(conditions: Sequence[ColumnElement[bool]], most: int) -> Select[int, int]:
            return select(Entry.batch, Entry.index).where(*conditions, *filters).order_by(*newest).limit(most)

        if wanted.sources is None:
            pages: Page | None = page_of([], limit)
        elif wanted.address is not None or wanted.batch is not None:  # few entries, with an index of their own
            pages = page_of([or_(false(), *map(_condition, wanted.sources))], limit)
        else:
            pages = newest_of(self._session, _walks(wanted.sources), page_of, limit)
        if pages is None:
            return []
        keys = pages.subquery("page")
        same = and_(keys.c.batch == Entry.batch, keys.c.index == Entry.index)
        return self._session.scalars(select(Entry).join(keys, same).order_by(*newest).limit(limit)).all()

    def ascending(
        self, sources: Sequence[EntrySource] | None, after: tuple[int, int], last_batch: int | None, limit: int
    ) -> Sequence[Entry]:
        """Entries of these sources (None: of all) after this (batch, index), in the chain's order, up to a batch."""
        bounds: list[ColumnElement[bool]] = [tuple_(Entry.batch, Entry.index) > tuple_(*after)]
        if last_batch is not None:
            bounds.append(Entry.batch <= last_batch)
        order = (Entry.batch, Entry.index)

        def page_of(conditions: Sequence[ColumnElement[bool]], most: int) -> Select[int, int]:
            return select(*order).where(*conditions, *bounds).order_by(*order).limit(most)

        pages = page_of([], limit) if sources is None else oldest_of(self._session, _walks(sources), page_of, limit)
        if pages is None:
            return []
        keys = pages.subquery("page")
        same = and_(keys.c.batch == Entry.batch, keys.c.index == Entry.index)
        return self._session.scalars(select(Entry).join(keys, same).order_by(*order).limit(limit)).all()

    def leaves(self, batch: int) -> Sequence[bytes]:
        """All leaves of a batch, in order."""
        return self._session.scalars(select(Entry.leaf).where(Entry.batch == batch).order_by(Entry.index)).all()

    def batches(self, numbers: Iterable[int]) -> dict[int, Batch]:
        """The batches with these numbers."""
        query = select(Batch).where(in_list(self._session, Batch.number, set(numbers)))
        return {batch.number: batch for batch in self._session.scalars(query)}

    def receipt(self, leaf: bytes) -> Proof | None:
        """The entry with its Merkle proof, made from its batch's leaves."""
        entry = self.by_leaf(leaf)
        if entry is None:
            return None
        batch = self._session.get(Batch, entry.batch)
        leaves = self.leaves(entry.batch)
        if batch is None or leaf not in leaves:  # its block fell out of the chain since
            return None
        return Proof(entry, batch, merkle_proof(leaves, entry.index))


def _walks(sources: Sequence[EntrySource]) -> Sequence[Walk]:
    programs = [(source.program,) for source in sources if source.program is not None]
    agreements: dict[tuple[int, ...], list[tuple[int]]] = defaultdict(list)
    for source in sources:
        if source.agreement is not None:
            agreements[source.but].append((source.agreement,))
    return [
        Walk((Entry.program,), programs),
        *(
            Walk((Entry.agreement,), numbers, (_HAS_AGREEMENT, *([Entry.program.not_in(but)] if but else ())))
            for but, numbers in agreements.items()
        ),
    ]


def _condition(source: EntrySource) -> ColumnElement[bool]:
    conditions = equal_given((Entry.program, source.program), (Entry.agreement, source.agreement))
    if source.agreement is not None:
        conditions.append(_HAS_AGREEMENT)
    if source.but:
        conditions.append(Entry.program.not_in(source.but))
    return and_(*conditions)
