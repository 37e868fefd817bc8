"""Rules of daily statements: exact, and the same again whenever they are made from the same blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.clock import now
from clearing.kit.errors import NotFound
from clearing.kit.events.repository import EventRepository
from clearing.kit.identity import SECONDS_A_DAY, NetworkIdentity, instant
from clearing.kit.ids import new_id
from clearing.kit.locks import lock_until_commit
from clearing.kit.viewer import Viewer
from clearing.ledger.journal.effects import OPERATOR_MERCHANT, Effects
from clearing.ledger.journal.models import Block
from clearing.oversight.statements.models import Statement
from clearing.oversight.statements.repository import StatementRepository
from clearing.parties.agreements.models import Route
from clearing.parties.merchants.models import Merchant
from clearing.parties.programs.models import Program
from tongdui import receipts
from tongdui.orders import Kind

LineKey = tuple[str, str | None, int, int]
"""(kind, kind of what it reverses, program, agreement)"""

GRACE = timedelta(minutes=5)
"""After midnight, for clocks that do not agree."""
_LOOK_BACK = 7
"""Days that are checked for reorganisations."""


@dataclass(slots=True)
class Line:
    """What entries of one kind did for one merchant on one day. `out` is of the agreement's target program."""

    kind: str
    of: str | None
    """Of a reversal: what it reversed."""
    program: int
    agreement: int
    count: int = 0
    points: int = 0
    out: int = 0
    received: int = 0
    """Micros."""
    paid: int = 0
    fees_paid: int = 0
    fees_received: int = 0

    @property
    def net(self) -> int:
        """What it did to the position."""
        return self.received - self.paid - self.fees_paid + self.fees_received


@dataclass(slots=True)
class DayBook:
    """One merchant's day."""

    lines: dict[LineKey, Line] = field(default_factory=dict)
    deposited: int = 0
    withdrawn: int = 0

    def line(self, key: LineKey) -> Line:
        """The line with this key."""
        if key not in self.lines:
            self.lines[key] = Line(*key)
        return self.lines[key]

    @property
    def net(self) -> int:
        """What the day did to the position."""
        return sum(line.net for line in self.lines.values()) + self.deposited - self.withdrawn

    def as_json(self) -> list[dict[str, Any]]:
        """The lines, in an order of their own."""
        return [asdict(self.lines[key]) for key in sorted(self.lines, key=lambda key: (key[0], key[1] or "", key[2:]))]


class Books:
    """The day books of all merchants, entry by entry."""

    def __init__(self, routes: Mapping[int, Route], owners: Mapping[int, int]) -> None:
        """`owners`: program -> merchant."""
        self._routes = routes
        self._owners = owners
        self.of_merchant: dict[int, DayBook] = defaultdict(DayBook)

    def add(self, entry: receipts.Entry, originals: Mapping[bytes, receipts.Entry]) -> None:
        """Adds an entry to the book of everyone who has a part in it."""
        kind = Kind(entry.kind)
        original = originals[entry.link] if kind is Kind.REVERSE else None
        of = Kind(original.kind).label if original is not None else None
        key = (kind.label, of, entry.program, entry.agreement)
        route = self._routes[entry.agreement] if entry.agreement else None
        parties = {route.source_merchant, route.target_merchant} if route else {self._owners[entry.program]}
        if entry.fee:
            parties.add(OPERATOR_MERCHANT)
        for merchant in parties:
            line = self.of_merchant[merchant].line(key)
            line.count += 1
            line.points += entry.points
            line.out += entry.out
        if route is not None:
            self._settle(key, entry, route, backwards=original is not None)

    def _settle(self, key: LineKey, entry: receipts.Entry, route: Route, *, backwards: bool) -> None:
        payer, payee = route.source_merchant, route.target_merchant
        self.of_merchant[payer].line(key).fees_paid += entry.fee
        if entry.fee:
            self.of_merchant[OPERATOR_MERCHANT].line(key).fees_received += entry.fee
        if backwards:
            payer, payee = payee, payer
        self.of_merchant[payer].line(key).paid += entry.settled
        self.of_merchant[payee].line(key).received += entry.settled


class StatementService:
    """Statements in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._statements = StatementRepository(session)

    def next_day(self) -> int | None:
        """The next day that can have statements; None if there is none yet."""
        stale = self._stale_day()
        if stale is not None:
            return stale
        newest = self._statements.newest_day()
        if newest is None:
            first = self._statements.first_time()
            if first is None:
                return None
            newest = (first + self._network.utc_offset_seconds) // SECONDS_A_DAY - 1
        return newest + 1 if self._is_over(newest + 1) else None

    def make(self, day: int) -> Sequence[Statement]:
        """Makes the day's statements, or makes them again where the chain has changed since."""
        lock_until_commit(self._session, "statements")
        known = self._statements.of_day(day)
        last = self._last_block(day)
        if last is None or (known and not self._differs(next(iter(known.values())))):
            return []
        first = self._last_block(day - 1)
        books = self._books(first.number if first else -1, last.number)
        before = self._statements.of_day(day - 1)
        openings = {number: s.closing for number, s in before.items()} or self._positions(first)
        numbers = self._session.scalars(select(Merchant.number).order_by(Merchant.number)).all()
        return [
            self._make_one(number, day, openings.get(number, 0), books.of_merchant[number], last, known.get(number))
            for number in numbers
        ]

    # ---------------------------------------------------------------- what a viewer may see

    def list(self, viewer: Viewer, *, after: str | None, limit: int) -> Sequence[Statement]:
        """The statements that the viewer may see, newest first."""
        return self._statements.list(merchant_number=viewer.merchant_number, after=after, limit=limit)

    def visible(self, viewer: Viewer, statement_id: str) -> Statement:
        """The statement with this id, or NotFound where it is another merchant's."""
        statement = self._statements.by_id(statement_id)
        if statement is None or not viewer.sees(statement.merchant_number):
            raise NotFound(f"there is no statement {statement_id}")
        return statement

    # ---------------------------------------------------------------- days

    def _end(self, day: int) -> int:
        """Unix time at which the day ends."""
        return (day + 1) * SECONDS_A_DAY - self._network.utc_offset_seconds

    def _is_over(self, day: int) -> bool:
        """Whether the day has ended and the projector has seen all of it."""
        end = instant(self._end(day))
        return now() >= end + GRACE and self._statements.is_complete(end)

    def _last_block(self, day: int) -> Block | None:
        return self._statements.last_block_before(self._end(day))

    def _stale_day(self) -> int | None:
        """The oldest of the last days whose blocks are not those from which its statements were made."""
        newest = self._statements.newest_day()
        for day in range(newest - _LOOK_BACK, newest + 1) if newest is not None else ():
            some = next(iter(self._statements.of_day(day).values()), None)
            if some is not None and self._differs(some) and self._statements.is_complete(instant(self._end(day))):
                return day
        return None

    def _differs(self, statement: Statement) -> bool:
        last = self._last_block(statement.day)
        return last is None or (last.number, last.hash) != (statement.last_block, statement.last_hash)

    # ---------------------------------------------------------------- sums

    def _books(self, after_block: int, last_block: int) -> Books:
        owners = dict(self._session.execute(_OWNERS).all())
        books = Books(self._statements.routes(), owners)
        for entries in self._statements.entries(after_block, last_block):
            originals = self._statements.originals(entries)
            for entry in entries:
                books.add(entry, originals)
        for event in self._statements.bank_events(after_block, last_block):
            book = books.of_merchant[event.arguments["merchant"]]
            if event.name == "Deposited":
                book.deposited += event.arguments["micros"]
            else:
                book.withdrawn += event.arguments["micros"]
        return books

    def _positions(self, last: Block | None) -> dict[int, int]:
        """Every merchant's position after a block, from the first block on."""
        if last is None:
            return {}
        effects = Effects()
        routes = self._statements.routes()
        for entries in self._statements.entries(-1, last.number):
            originals = self._statements.originals(entries)
            for entry in entries:
                effects.add(entry, routes, originals)
        for event in self._statements.bank_events(-1, last.number):
            sign = 1 if event.name == "Deposited" else -1
            effects.micros[event.arguments["merchant"]] += sign * event.arguments["micros"]
        return effects.micros

    def _make_one(
        self, merchant: int, day: int, opening: int, book: DayBook, last: Block, known: Statement | None
    ) -> Statement:
        statement = known or Statement(id=new_id("stm"), merchant_number=merchant, day=day)
        statement.revision = known.revision + 1 if known else 1
        statement.opening, statement.closing = opening, opening + book.net
        statement.deposited, statement.withdrawn = book.deposited, book.withdrawn
        statement.lines = book.as_json()
        statement.last_block, statement.last_hash = last.number, last.hash
        self._session.add(statement)
        data = {
            "statement": statement.id,
            "day": self._network.date_of(day).isoformat(),
            "revision": statement.revision,
            "opening_micros": statement.opening,
            "closing_micros": statement.closing,
        }
        EventRepository(self._session).add("statement.ready", statement.id, "worker", merchant, data)
        return statement


_OWNERS = select(Program.number, Program.merchant_number)


def recomputed(lines: Sequence[Mapping[str, int]], opening: int, deposited: int, withdrawn: int) -> int:
    """The closing position that a statement's own lines lead to: what its reader checks."""
    net = sum(line["received"] - line["paid"] - line["fees_paid"] + line["fees_received"] for line in lines)
    return opening + net + deposited - withdrawn
