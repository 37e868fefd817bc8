"""Makes entries as the contract would, so that a test can compare a replay of lots with them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import insert
from sqlalchemy.orm import Session

from clearing.kit.identity import SECONDS_A_DAY
from clearing.ledger.journal.effects import Effects, recipient_of
from clearing.ledger.journal.models import Block
from clearing.ledger.journal.models import Entry as EntryRow
from clearing.parties.agreements.models import Route
from tongdui.encoding import ZERO_WORD, address_word, word
from tongdui.orders import Kind
from tongdui.receipts import Entry

FUEL, CINE = 1, 2
EXCHANGE, ACCEPTANCE, KEEPING = 1, 2, 3
"""Agreements. `KEEPING` is an exchange under which points keep their expiry."""
ROUTES = {EXCHANGE: Route(1, 2, CINE), ACCEPTANCE: Route(1, 2, 0), KEEPING: Route(1, 2, CINE)}
TARGETS = {EXCHANGE: CINE, ACCEPTANCE: 0, KEEPING: CINE}


def store(session: Session, history: EntryHistory) -> None:
    """Writes a history's blocks, one a day, and its entries as the projector would."""
    days = sorted({day for _, day in history.entries})
    blocks = [{"number": day, "timestamp": day * SECONDS_A_DAY - 28_800, "day": day} for day in days]
    if not blocks:
        return
    session.execute(insert(Block), [block | {"hash": b"h" * 32, "parent_hash": b"p" * 32} for block in blocks])
    session.execute(insert(EntryRow), [row_of(entry, day) for entry, day in history.entries])


def row_of(entry: Entry, block: int) -> dict[str, object]:
    """The row of an entry in this block."""
    row = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    row["address"] = row.pop("member")
    return row | {"leaf": entry.leaf(), "block_number": block}


def address(number: int) -> str:
    return "0x" + f"{number:040x}"


@dataclass
class EntryHistory:
    """Entries, each with the day of its block. The exchange gives two points of CINE for three of FUEL."""

    entries: list[tuple[Entry, int]] = field(default_factory=list)
    day: int = 100
    reversed: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    first: int = 0
    """Number of the first entry."""

    def after(self, day: int) -> EntryHistory:
        """Returns an empty history that continues this one from `day` on."""
        return EntryHistory(day=day, first=self.first + len(self.entries))

    def balance(self, member: str, program: int) -> int:
        originals = {entry.leaf(): entry for entry, _ in self.entries}
        return Effects.of([entry for entry, _ in self.entries], ROUTES, originals).points[member, program]

    def issue(self, member: str, points: int, expiry_day: int = 0, program: int = FUEL) -> Entry:
        return self._post(Kind.ISSUE, member, program, points, expiry_day=expiry_day)

    def burn(self, kind: Kind, member: str, points: int, program: int = FUEL, *, held_on: int = 0) -> Entry:
        agreement = ACCEPTANCE if kind is Kind.SPEND else 0
        return self._post(kind, member, program, points, agreement=agreement, link=word(held_on))

    def transfer(self, member: str, recipient: str, points: int, program: int = FUEL) -> Entry:
        return self._post(Kind.TRANSFER, member, program, points, link=address_word(recipient))

    def exchange(
        self, member: str, points: int, expiry_day: int = 0, *, agreement: int = EXCHANGE, held_on: int = 0
    ) -> Entry:
        out = points * 2 // 3
        return self._post(
            Kind.EXCHANGE,
            member,
            FUEL,
            -(-out * 3 // 2),
            agreement=agreement,
            out=out,
            expiry_day=expiry_day,
            link=word(held_on),
        )

    def reverse(self, original: Entry, points: int) -> Entry:
        leaf, whole = original.leaf(), original.points
        before = self.reversed[leaf]
        self.reversed[leaf] += points
        out = -(-original.out * (before + points) // whole) + (-original.out * before // whole)
        return self._post(
            Kind.REVERSE, original.member, original.program, points, agreement=original.agreement, out=out, link=leaf
        )

    def taken_from(self, original: Entry, points: int) -> tuple[str, int, int]:
        """Returns the account that a reversal of `points` takes points from, and how many."""
        leaf, whole = original.leaf(), original.points
        before = self.reversed[leaf]
        out = -(-original.out * (before + points) // whole) + (-original.out * before // whole)
        match Kind(original.kind):
            case Kind.ISSUE:
                return original.member, original.program, points
            case Kind.TRANSFER:
                return recipient_of(original), original.program, points
            case Kind.EXCHANGE:
                return original.member, CINE, out
            case _:
                return original.member, original.program, 0

    def _post(
        self,
        kind: Kind,
        member: str,
        program: int,
        points: int,
        *,
        expiry_day: int = 0,
        agreement: int = 0,
        out: int = 0,
        link: bytes = ZERO_WORD,
    ) -> Entry:
        number = self.first + len(self.entries)
        entry = Entry(
            batch=1 + number // 3,
            index=number % 3,
            merchant=1,
            nonce=number,
            item=0,
            kind=int(kind),
            expiry_day=expiry_day,
            program=program,
            agreement=agreement,
            member=member,
            points=points,
            out=out,
            settled=0,
            fee=0,
            ref=ZERO_WORD,
            link=link,
        )
        self.entries.append((entry, self.day))
        return entry
