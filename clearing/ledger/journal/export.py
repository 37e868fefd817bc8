"""A merchant's entries of some days with their receipts, in the chain's order: what tax offices and regulators ask for.

The lines are those of `tongdui._export`, which the auditor's kit writes from the chain alone: both files must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from sqlalchemy.orm import Session

from clearing.kit.errors import InvalidRequest, NotFound
from clearing.kit.identity import NetworkIdentity
from clearing.kit.viewer import Viewer
from clearing.ledger.journal.effects import OPERATOR_MERCHANT
from clearing.ledger.journal.models import Batch, Entry
from clearing.ledger.journal.repository import BlockRepository, EntryRepository, EntrySource
from clearing.ledger.journal.service import EntryService
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.merchants.service import require_merchant
from clearing.parties.programs.directory import programs_in
from tongdui._export import ExportedEntry, Sides, Target
from tongdui.encoding import hex_of
from tongdui.receipts import merkle_proofs

_MOST_LEAVES = 20_000
"""Of the batches that a page proves entries of: each proof needs all leaves of its batch. A page has one batch at least."""
_HEAD = slice(0, 8)
"""Bytes of a batch's head that a place remembers: enough to see that the chain has changed before it."""


@dataclass(frozen=True, slots=True)
class ExportPlace:
    """The last entry of a page, and the journal's head after its batch: that stands for all that came before."""

    batch: int
    index: int
    head: bytes


@dataclass(frozen=True, slots=True)
class ExportPage:
    """A part of an export. It may be short, or empty, and not be the last one."""

    merchant: int
    """Its number."""
    entries: Sequence[ExportedEntry]
    next: ExportPlace | None
    """After which the next page begins; None on the last."""


class ExportService:
    """Exports in one session. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._blocks = BlockRepository(session)
        self._entries = EntryRepository(session)
        self._agreements = agreements_in(session)
        self._programs = programs_in(session)

    def page(
        self,
        viewer: Viewer,
        merchant: str | None,
        *,
        first_day: int | None,
        last_day: int | None,
        after: ExportPlace | None,
        limit: int,
    ) -> ExportPage:
        """The next entries of a merchant's days; the viewer's own, or the operator's, where no merchant is named."""
        number = self._merchant(viewer, merchant)
        start = (
            self._checked(after) if after else (self._last_batch(None if first_day is None else first_day - 1), _LAST)
        )
        end = self._last_batch(last_day) if last_day is not None else None
        rows = self._entries.ascending(self._sources(number), start, end, limit)
        batches = self._entries.batches(row.batch for row in rows)
        shown = _within_leaves(rows, batches)
        if not rows:
            return ExportPage(number, (), None)
        exported = [each for each in self._exported(shown, batches) if each.sides.concern(number, each.entry)]
        last = shown[-1]
        is_last = len(shown) == len(rows) < limit
        place = None if is_last else ExportPlace(last.batch, last.index, batches[last.batch].head[_HEAD])
        return ExportPage(number, exported, place)

    def _merchant(self, viewer: Viewer, merchant: str | None) -> int:
        if merchant is None:
            return OPERATOR_MERCHANT if viewer.merchant_number is None else viewer.merchant_number
        named = require_merchant(self._session, merchant)
        if not viewer.sees(named.number):
            raise NotFound(f"there is no merchant {merchant}", code="unknown_merchant")
        return named.number

    def _checked(self, after: ExportPlace) -> tuple[int, int]:
        batch = self._entries.batches([after.batch]).get(after.batch)
        if batch is None or batch.head[_HEAD] != after.head:
            raise InvalidRequest.of_parameter(
                "cursor",
                "the chain has replaced blocks since that page: throw the file away and begin with the first page",
            )
        return after.batch, after.index

    def _last_batch(self, day: int | None) -> int:
        """The last batch of a day or before it; 0 for no day."""
        block = None if day is None else self._blocks.last_before(self._network.end_of(day))
        return 0 if block is None else self._blocks.last_batch_up_to(block.number)

    def _sources(self, merchant: int) -> Sequence[EntrySource] | None:
        """Where the merchant's entries come from. The operator earns fees of any: it looks at all, and some pages are short."""
        return None if merchant == OPERATOR_MERCHANT else EntryService(self._session).sources_of(merchant)

    def _exported(self, rows: Sequence[Entry], batches: dict[int, Batch]) -> Iterator[ExportedEntry]:
        blocks = self._blocks.by_numbers(batch.block_number for batch in batches.values())
        for number, group in groupby(rows, key=attrgetter("batch")):
            batch, some = batches[number], list(group)
            proofs = merkle_proofs(self._entries.leaves(number), [row.index for row in some])
            block = blocks[batch.block_number]
            for row, proof in zip(some, proofs, strict=True):
                yield ExportedEntry(
                    row.wire(),
                    *self._names(row),
                    block=block.number,
                    transaction=hex_of(batch.tx_hash),
                    time=block.timestamp,
                    day=block.day,
                    root=batch.root,
                    proof=proof,
                )

    def _names(self, row: Entry) -> tuple[Sides, str, Target | None]:
        program = self._programs.by_number(row.program)
        assert program is not None, "an entry's program is registered"
        agreement = self._agreements.by_number(row.agreement) if row.agreement else None
        if agreement is None:
            return Sides(program.merchant_number, program.merchant_number), program.code, None
        target = self._programs.by_number(agreement.target_program) if agreement.target_program else None
        sides = Sides(agreement.source_merchant, agreement.target_merchant)
        return sides, program.code, Target(target.number, target.code) if target is not None else None


_LAST = 2**16
"""As an index: after all entries of a batch."""


def _within_leaves(rows: Sequence[Entry], batches: dict[int, Batch]) -> Sequence[Entry]:
    """The first of these entries, as long as their batches have not too many leaves."""
    leaves, seen = 0, 0
    shown: list[Entry] = []
    for row in rows:
        if row.batch != seen:
            leaves, seen = leaves + batches[row.batch].entries, row.batch
            if shown and leaves > _MOST_LEAVES:
                break
        shown.append(row)
    return shown
