"""The export of a merchant's entries with their receipts, from the chain alone. The gateway's file is the same, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._export import ExportedEntry, Sides, Target, export_lines
from ..._whole_file import replacing
from ...encoding import hex_of
from ...orders import AgreementTerms
from ...receipts import Entry, merkle_proofs, merkle_root
from ..chain.reading import Block
from ..days import day_text
from ..findings import CannotCheck, Finding
from .figures import text_of


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the network, counted from 1970-01-01, both included. None is without end."""

    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise CannotCheck(
                f"the export ends on {day_text(self.last)}, before it begins on {day_text(self.first)}; "
                "give --from and --to the other way round"
            )

    def contains(self, day: int) -> bool:
        """Whether a day is one of them."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def write_export(path: Path, merchant: int, period: Period, blocks: Iterable[Block], utc_offset: int) -> int:
    """Write a merchant's entries as a CSV file.

    Args:
        path: The file. It is only there, or changed, when all of it was written.
        merchant: The merchant's number; 0 for the operator, whose entries are those with a fee.
        period: The days.
        blocks: All blocks from the contract's creation on, proven.
        utc_offset: Of the network's days, in seconds.

    Returns:
        How many entries it has.

    Raises:
        CannotCheck: The chain has no such merchant, a block proves nothing, or the file cannot be written.
    """
    reader = _Reader(merchant, period, utc_offset)
    count = -1  # the head is no entry
    try:
        with replacing(path) as file:
            for line in export_lines(merchant, reader.entries(blocks)):
                file.write(line.encode())
                count += 1
            reader.require_merchant()
    except OSError as error:
        raise CannotCheck(f"{path} cannot be written: {error.strerror}") from error
    return count


class _Reader:
    """Reads a merchant's entries from blocks: batch after batch, with what must be known of programs and agreements."""

    def __init__(self, merchant: int, period: Period, utc_offset: int) -> None:
        self._merchant = merchant
        self._period = period
        self._utc_offset = utc_offset
        self._merchants = 0
        self._programs: dict[int, tuple[int, str]] = {}
        """The merchant and the code of each."""
        self._agreements: dict[int, tuple[Sides, int]] = {}
        """The sides and the target program of each."""

    def entries(self, blocks: Iterable[Block]) -> Iterator[ExportedEntry]:
        """The merchant's entries, in the order of the chain."""
        for block in blocks:
            if block.faults:
                raise CannotCheck(f"nothing can be exported from block {block.number}: {_in_words(block.faults[0])}")
            for call in block.calls:
                batch: list[Entry] = []
                for name, values in call.events:
                    if name in ("EntryPosted", "LinkedEntryPosted"):
                        batch.append(values[0])
                    elif name == "BatchClosed":
                        yield from self._batch(batch, values, block, call.transaction)
                        batch = []
                    else:
                        self._learn(name, values)

    def require_merchant(self) -> None:
        """Refuses a merchant that the chain does not have."""
        if self._merchant >= self._merchants:
            raise CannotCheck(
                f"the chain has no merchant {self._merchant}; its merchants are numbered from 0, the operator, "
                f"to {self._merchants - 1}"
            )

    def _learn(self, name: str, values: tuple[Any, ...]) -> None:
        """Remembers what an event says of merchants, programs and agreements."""
        if name == "MerchantRegistered":
            self._merchants += 1
        elif name == "ProgramRegistered":
            program, merchant, code, _ = values
            self._programs[program] = (merchant, text_of(code))
        elif name == "AgreementRegistered":
            terms = AgreementTerms(*values[2])
            self._agreements[values[0]] = (Sides(terms.source_merchant, terms.target_merchant), terms.target_program)

    def _batch(
        self, batch: list[Entry], closed: tuple[Any, ...], block: Block, transaction: str
    ) -> Iterator[ExportedEntry]:
        """Those entries of a closed batch that belong into the export."""
        number, count, root, _ = closed
        day = (block.time + self._utc_offset) // 86_400
        if not self._period.contains(day):
            return
        leaves = [entry.leaf() for entry in batch]
        found = merkle_root(leaves)
        if (len(leaves), found) != (count, root):
            raise CannotCheck(
                f"nothing can be exported from batch {number}: its {len(leaves)} entries lead to the root {hex_of(found)}, and the "
                f"contract says {count} and {hex_of(root)}; run `tongdui audit run` to learn more"
            )
        concerned = [entry for entry in batch if self._sides_of(entry).concern(self._merchant, entry)]
        proofs = merkle_proofs(leaves, [entry.index for entry in concerned])
        for entry, proof in zip(concerned, proofs, strict=True):
            yield ExportedEntry(
                entry,
                self._sides_of(entry),
                self._programs[entry.program][1],
                self._target_of(entry),
                block.number,
                transaction,
                block.time,
                day,
                root,
                proof,
            )

    def _sides_of(self, entry: Entry) -> Sides:
        if entry.agreement:
            return self._agreements[entry.agreement][0]
        runs = self._programs[entry.program][0]
        return Sides(runs, runs)

    def _target_of(self, entry: Entry) -> Target | None:
        program = self._agreements[entry.agreement][1] if entry.agreement else 0
        return Target(program, self._programs[program][1]) if program else None


def _in_words(finding: Finding) -> str:
    return f"{finding.subject} should be {finding.expected}, and is {finding.found}"
