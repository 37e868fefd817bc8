"""Rules of closings: which day can be asked for, and from which end it is reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import InvalidRequest
from clearing.kit.identity import NetworkIdentity
from clearing.kit.viewer import Viewer
from clearing.ledger.activity.repository import ActivityRepository
from clearing.ledger.availability.accounts import AccountService, Holder
from clearing.ledger.journal.effects import Effects
from clearing.ledger.journal.models import Block
from clearing.ledger.journal.repository import BlockRepository
from clearing.ledger.journal.service import JournalService
from clearing.ledger.lots.repository import LotRepository
from clearing.ledger.settlement.models import Position
from clearing.ledger.settlement.service import SettlementService
from clearing.oversight.statements.repository import StatementRepository


@dataclass(frozen=True, slots=True)
class ClosingDay:
    """A network day that is over, as far as the read model knows it."""

    day: int
    last_block: Block | None
    """The last block of this day, or of the days before it; None if the first one came later."""
    is_final: bool
    """Whether a block of a later day is there, so that nothing can come to this one."""


class ClosingService:
    """Closings in one session. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._activity = ActivityRepository(session)
        self._blocks = BlockRepository(session)
        self._journal = JournalService(session)
        self._lots = LotRepository(session)
        self._settlement = SettlementService(session)
        self._statements = StatementRepository(session)

    def day(self, as_of: date) -> ClosingDay:
        """The day of this date; a refusal where it is not over."""
        day = self._network.day_of(as_of)
        yesterday = self._network.day_at(clock_of(self._session).unix()) - 1
        if day > yesterday:
            last = self._network.date_of(yesterday)
            raise InvalidRequest.of_parameter(
                "as_of", f"must be a day of the network that is over: {last} or before; leave it out for what is so now"
            )
        newest = self._blocks.last()
        return ClosingDay(
            day, self._blocks.last_before(self._network.end_of(day)), newest is not None and newest.day > day
        )

    # ---------------------------------------------------------------- positions

    def positions(
        self, viewer: Viewer, closing: ClosingDay, *, after: int | None, limit: int
    ) -> Sequence[tuple[int, int]]:
        """(merchant, position in micros) of those that the viewer may see, by merchant number."""
        rows = self._settlement.positions(viewer, after=after, limit=limit)
        return list(self._at_end(closing, rows).items())

    def position(self, viewer: Viewer, closing: ClosingDay, merchant: str) -> tuple[int, int]:
        """(merchant, position in micros), or NotFound where the viewer is another merchant."""
        return next(iter(self._at_end(closing, [self._settlement.position(viewer, merchant)]).items()))

    def _at_end(self, closing: ClosingDay, rows: Sequence[Position]) -> dict[int, int]:
        """The positions at the end of the day, by merchant: from the statements of the last day up to it that has some, or else
        from what they are now. Both lead to the same; the statements are nearer."""
        numbers = [row.merchant_number for row in rows]
        if closing.last_block is None:
            return dict.fromkeys(numbers, 0)
        stated = self._stated(closing.day, numbers)
        if stated is not None:
            day, closings = stated
            since = self._activity.net(numbers, day + 1, closing.day)
            return {number: closings.get(number, 0) + since.get(number, 0) for number in numbers}
        after = self._activity.net(numbers, closing.day + 1)
        return {row.merchant_number: row.position - after.get(row.merchant_number, 0) for row in rows}

    def _stated(self, day: int, numbers: Collection[int]) -> tuple[int, dict[int, int]] | None:
        """The last day up to `day` that has statements, with what they close with; None if there is none, or it was made from
        blocks that are no longer in the chain."""
        newest = self._statements.newest_day()
        if newest is None:
            return None
        found = self._statements.closings(min(day, newest), numbers)
        if not found:
            return None
        last = found[0]
        block = self._blocks.by_number(last.last_block)
        if block is None or block.hash != last.last_hash:
            return None
        return last.day, {each.merchant_number: each.closing for each in found}

    # ---------------------------------------------------------------- accounts

    def balances(self, viewer: Viewer, closing: ClosingDay, holder: Holder) -> Mapping[int, int]:
        """The points that the holder had in each program of which the viewer may see the account now: what is there now, less
        what its entries since have changed."""
        now = AccountService(self._session, network=self._network).posted(viewer, holder)
        if closing.last_block is None:
            return dict.fromkeys(now, 0)
        since = self._effects_since(closing.last_block, holder.address)
        return {program: points - since.points.get((holder.address, program), 0) for program, points in now.items()}

    def _effects_since(self, block: Block, address: str) -> Effects:
        effects = Effects()
        for entries in self._lots.entries_after(address, self._blocks.last_batch_up_to(block.number)):
            effects.add_all(entries, self._journal.routes_of(entries), self._journal.originals(entries))
        return effects
