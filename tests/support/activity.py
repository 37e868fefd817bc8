"""Daily totals as a plain reading of the entries: slow, one entry and one merchant at a time, to compare the stored ones with."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.ledger.activity.models import DailyTotal
from clearing.ledger.journal.models import Block, ChainEvent, Entry
from clearing.parties.agreements.models import Agreement
from clearing.parties.programs.models import Program
from tongdui.orders import Kind

Key = tuple[int, int, int, int, int, int, int]
Sums = tuple[int, int, int, int]
_BACK = (Kind.REDEEM, Kind.EXPIRE)


def stored_totals(session: Session) -> dict[Key, Sums]:
    """The totals that the projector has kept."""
    rows = session.scalars(select(DailyTotal)).all()
    return {
        (row.merchant, row.counterparty, row.day, row.program, row.kind, row.reversed_kind, row.flow): (
            row.entries,
            row.points,
            row.micros,
            row.fees,
        )
        for row in rows
    }


def expected_totals(session: Session) -> dict[Key, Sums]:
    """The totals that all entries and bank movements of the database add up to."""
    days = {block.number: block.day for block in session.scalars(select(Block))}
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    def add(merchant: int, other: int, day: int, place: tuple[int, int, int, int], sums: Sums) -> None:
        for counterparty, when in {(other, day), (-1, day), (-1, 0)}:
            row = found[(merchant, counterparty, when, *place)]
            row[:] = [a + b for a, b in zip(row, sums, strict=True)]

    entries = {entry.leaf: entry for entry in session.scalars(select(Entry))}
    agreements = {one.number: one for one in session.scalars(select(Agreement)) if one.number}
    owners = {program.number: program.merchant_number for program in session.scalars(select(Program))}
    for entry in entries.values():
        day, kind = days[entry.block_number], Kind(entry.kind)
        undone = entries[entry.link].kind if kind is Kind.REVERSE else 0
        if not entry.agreement:
            comes = kind is Kind.ISSUE or undone in _BACK
            place = (entry.program, kind, undone, int(comes))
            add(owners[entry.program], -1, day, place, (1, entry.points, 0, 0))
            continue
        terms = agreements[entry.agreement]
        source, target = terms.source_merchant, terms.target_merchant
        out_flow = 1 if undone else 0
        place = (entry.program, kind, undone, out_flow)
        add(source, target, day, place, (1, entry.points, entry.settled, entry.fee))
        gained, program = (entry.out, terms.target_program) if terms.target_program else (entry.points, entry.program)
        place = (program, kind, undone, 1 - out_flow)
        add(target, source, day, place, (1, gained, entry.settled, entry.fee if undone else 0))
        if entry.fee and not undone:
            counted = 0 if target == 0 and program == entry.program else 1
            add(0, source, day, (entry.program, kind, 0, 1), (counted, 0, 0, entry.fee))
    for event in session.scalars(select(ChainEvent).where(ChainEvent.name.in_(("Deposited", "Withdrawn")))):
        flow = int(event.name == "Deposited")
        sums = (1, 0, event.arguments["micros"], 0)
        add(event.arguments["merchant"], -1, days[event.block_number], (0, 0, 0, flow), sums)
    return {key: (row[0], row[1], row[2], row[3]) for key, row in found.items()}
