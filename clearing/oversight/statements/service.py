"""Rules of daily statements: exact, and the same whenever they are made from the same blocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import NotFound
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.identity import NetworkIdentity, instant
from clearing.kit.ids import new_id
from clearing.kit.locks import lock_until_commit
from clearing.kit.viewer import Viewer
from clearing.ledger.journal.effects import Effects
from clearing.ledger.journal.models import Block
from clearing.ledger.journal.repository import BlockRepository
from clearing.ledger.journal.service import JournalService
from clearing.oversight.statements.builder import MerchantDay, StatementBuilder
from clearing.oversight.statements.models import Statement
from clearing.oversight.statements.repository import StatementRepository
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import require_merchant
from clearing.parties.programs.repository import ProgramRepository

GRACE = timedelta(minutes=5)
"""How long after midnight a day counts as over, because clocks do not agree."""
_LOOK_BACK = 7
"""Days that are checked for reorganisations."""


class StatementService:
    """Statements in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._statements = StatementRepository(session)
        self._blocks = BlockRepository(session)
        self._journal = JournalService(session)

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
            newest = self._network.day_at(first) - 1
        return newest + 1 if self._is_over(newest + 1) else None

    def make(self, day: int) -> Sequence[Statement]:
        """Makes the day's statements, or makes them again where the chain has changed since."""
        lock_until_commit(self._session, "statements")
        known = self._statements.of_day(day)
        last = self._last_block(day)
        if last is None or (known and not self._differs(next(iter(known.values())))):
            return []
        first = self._last_block(day - 1)
        days = self._merchant_days(first.number if first else -1, last.number)
        before = self._statements.of_day(day - 1)
        openings = {number: yesterday.closing for number, yesterday in before.items()} or self._positions(first)
        return [
            self._make_one(number, day, openings.get(number, 0), days[number], last, known.get(number))
            for number in MerchantRepository(self._session).numbers()
        ]

    # ---------------------------------------------------------------- what a viewer may see

    def list(
        self,
        viewer: Viewer,
        *,
        merchant: str | None = None,
        first_day: date | None = None,
        end_day: date | None = None,
        after: str | None,
        limit: int,
    ) -> Sequence[Statement]:
        """The statements that the viewer may see, the last day first; of days from `first_day` to before `end_day`, if they are
        given."""
        number = viewer.merchant_number
        if merchant is not None:
            number = require_merchant(self._session, merchant).number
            if not viewer.sees(number):
                return []
        first, end = (None if day is None else self._network.day_of(day) for day in (first_day, end_day))
        return self._statements.list(merchant_number=number, first_day=first, end_day=end, after=after, limit=limit)

    def visible(self, viewer: Viewer, statement_id: str) -> Statement:
        """The statement with this id, or NotFound where it is another merchant's."""
        statement = self._statements.by_id(statement_id)
        if statement is None or not viewer.sees(statement.merchant_number):
            raise NotFound(f"there is no statement {statement_id}")
        return statement

    # ---------------------------------------------------------------- days

    def _is_over(self, day: int) -> bool:
        """Whether the day has ended and the projector has read all of it."""
        end = instant(self._network.end_of(day))
        return clock_of(self._session).now() >= end + GRACE and self._statements.is_complete(end)

    def _last_block(self, day: int) -> Block | None:
        return self._blocks.last_before(self._network.end_of(day))

    def _stale_day(self) -> int | None:
        """The oldest of the last days whose statements were made from blocks that are no longer in the chain."""
        newest = self._statements.newest_day()
        for day in range(newest - _LOOK_BACK, newest + 1) if newest is not None else ():
            some = next(iter(self._statements.of_day(day).values()), None)
            if (
                some is not None
                and self._differs(some)
                and self._statements.is_complete(instant(self._network.end_of(day)))
            ):
                return day
        return None

    def _differs(self, statement: Statement) -> bool:
        last = self._last_block(statement.day)
        return last is None or (last.number, last.hash) != (statement.last_block, statement.last_hash)

    # ---------------------------------------------------------------- sums

    def _merchant_days(self, after_block: int, last_block: int) -> dict[int, MerchantDay]:
        """What a range of blocks did for each merchant."""
        owners = ProgramRepository(self._session).owners()
        builder = StatementBuilder(AgreementRepository(self._session).routes(), owners)
        for entries in self._statements.entries(after_block, last_block):
            originals = self._journal.originals(entries)
            for entry in entries:
                builder.add_entry(entry, originals)
        for event in self._statements.bank_events(after_block, last_block):
            builder.add_bank_event(event)
        return builder.days

    def _positions(self, last: Block | None) -> dict[int, int]:
        """Every merchant's position after a block, summed up from the first block on."""
        if last is None:
            return {}
        effects = Effects()
        routes = AgreementRepository(self._session).routes()
        for entries in self._statements.entries(-1, last.number):
            originals = self._journal.originals(entries)
            for entry in entries:
                effects.add(entry, routes, originals)
        for event in self._statements.bank_events(-1, last.number):
            sign = 1 if event.name == "Deposited" else -1
            effects.micros[event.arguments["merchant"]] += sign * event.arguments["micros"]
        return effects.micros

    def _make_one(
        self, merchant: int, day: int, opening: int, sums: MerchantDay, last: Block, known: Statement | None
    ) -> Statement:
        statement = known or Statement(id=new_id("stm"), merchant_number=merchant, day=day)
        statement.revision = known.revision + 1 if known else 1
        statement.opening, statement.closing = opening, opening + sums.net
        statement.deposited, statement.withdrawn = sums.deposited, sums.withdrawn
        statement.lines = sums.as_json()
        statement.last_block, statement.last_hash = last.number, last.hash
        self._statements.add(statement)
        EventRecorder(self._session).record(
            "statement.ready",
            statement.id,
            actor="worker",
            merchants=[merchant],
            data={
                "statement": statement.id,
                "day": self._network.date_of(day).isoformat(),
                "revision": statement.revision,
                "opening_micros": statement.opening,
                "closing_micros": statement.closing,
            },
        )
        return statement
