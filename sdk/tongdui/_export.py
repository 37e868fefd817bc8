"""The export for tax offices and regulators: entries of a merchant with their receipts, as lines of a CSV file.

The gateway writes it from its database, and `tongdui audit export` from the chain. Columns and lines are defined here only, so both
files are the same, byte for byte: UTF-8 without a byte order mark, lines end with CR LF, ordered by batch and index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ._csv import Cell, csv_line
from .encoding import hex_of
from .orders import Kind
from .receipts import Entry

OPERATOR = 0
"""The network operator's number as a merchant."""

EXPORT_COLUMNS = (
    "batch",
    "index",
    "block",
    "transaction",
    "time",
    "day",
    "kind",
    "merchant",
    "nonce",
    "item",
    "member",
    "program",
    "program_code",
    "points",
    "agreement",
    "source_merchant",
    "target_merchant",
    "target_program",
    "target_program_code",
    "out",
    "settled_micros",
    "fee_micros",
    "received_micros",
    "paid_micros",
    "fees_received_micros",
    "fees_paid_micros",
    "expiry_day",
    "ref",
    "link",
    "leaf",
    "root",
    "proof",
)
"""`time` is the block's, in UTC; `day` the network's. `merchant` signed. The entry's fields are as they are hashed into `leaf`,
from which the words of `proof`, with a space between, lead to the batch's `root`. What was received and paid, the exporting
merchant did."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The merchants that an entry concerns: of its agreement, or twice the one that runs its program, if it has no agreement."""

    source: int
    target: int

    def concern(self, merchant: int, entry: Entry) -> bool:
        """Tell whether an entry belongs into a merchant's export: it is one of its sides, or the operator, who earned a fee."""
        return merchant in (self.source, self.target) or (merchant == OPERATOR and _earns_fee(entry))


@dataclass(frozen=True, slots=True)
class Target:
    """The program whose points an entry's `out` counts."""

    program: int
    code: str


@dataclass(frozen=True, slots=True)
class ExportedEntry:
    """An entry with its receipt and the names that a line shows."""

    entry: Entry
    sides: Sides
    program_code: str
    target: Target | None
    """None where the agreement is no exchange, or there is none."""
    block: int
    transaction: str
    """Its hash, 0x and lower case."""
    time: int
    """Of the block, in Unix seconds."""
    day: int
    """Of the network, days since 1970-01-01."""
    root: bytes
    proof: tuple[bytes, ...]


def export_lines(merchant: int, entries: Iterable[ExportedEntry]) -> Iterator[str]:
    """Write the export of a merchant.

    Args:
        merchant: The merchant's number on the chain.
        entries: Its entries (`Sides.concern`) by batch and index.

    Yields:
        The lines of the file, the head first, each with its end.
    """
    yield csv_line(EXPORT_COLUMNS)
    for exported in entries:
        yield csv_line(export_row(merchant, exported))


def export_row(merchant: int, exported: ExportedEntry) -> tuple[Cell, ...]:
    """Write an entry as the cells of a line, in the order of `EXPORT_COLUMNS`."""
    entry, target = exported.entry, exported.target
    has_agreement = entry.agreement != 0
    return (
        entry.batch,
        entry.index,
        exported.block,
        exported.transaction,
        datetime.fromtimestamp(exported.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        _day_text(exported.day),
        Kind(entry.kind).label,
        entry.merchant,
        entry.nonce,
        entry.item,
        entry.member.lower(),
        entry.program,
        exported.program_code,
        entry.points,
        entry.agreement or None,
        exported.sides.source if has_agreement else None,
        exported.sides.target if has_agreement else None,
        target.program if target else None,
        target.code if target else None,
        entry.out,
        entry.settled,
        entry.fee,
        *_money(merchant, entry, exported.sides),
        entry.expiry_day,
        hex_of(entry.ref),
        hex_of(entry.link),
        hex_of(entry.leaf()),
        hex_of(exported.root),
        " ".join(map(hex_of, exported.proof)),
    )


def _day_text(day: int) -> str:
    """A day, counted from 1970-01-01, as `2026-11-26`."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def _money(merchant: int, entry: Entry, sides: Sides) -> tuple[int, int, int, int]:
    """What the merchant received and paid, and the fees that it received and paid, in micros.

    A reversal goes the other way; its fee is what the giver pays back to the source side, and not the operator's.
    """
    is_reversal = entry.kind == Kind.REVERSE
    payer, payee = (sides.target, sides.source) if is_reversal else (sides.source, sides.target)
    fee_payee = payee if is_reversal else OPERATOR
    return (
        entry.settled if merchant == payee else 0,
        entry.settled if merchant == payer else 0,
        entry.fee if merchant == fee_payee else 0,
        entry.fee if merchant == payer else 0,
    )


def _earns_fee(entry: Entry) -> bool:
    return entry.fee > 0 and entry.kind != Kind.REVERSE
