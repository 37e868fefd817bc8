"""How far the events can be read in strict order: no event with a number up to there can appear any more.

A reader that stays behind the horizon can say with one number what it has read, and misses nothing
(docs/decisions/0025-both-sides-are-notified.md).
"""

from __future__ import annotations

from itertools import pairwise

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.events.gaps import UNKNOWN, Gap, missing_between, still_missing
from clearing.kit.events.reader import EventReader

_PATIENCE = 2
"""Seconds. Whoever waits for the horizon waits for lost numbers, too, so it is shorter than a webhook's."""
_LOOKED_BACK = 10_000
_NUMBERS_A_STEP = 50_000


class EventHorizon:
    """Follows the horizon from the moment of its first step. It keeps nothing anywhere else."""

    def __init__(self) -> None:
        self._seq: int | None = None
        self._gaps: list[Gap] = []
        self._first_step = 0
        """Transactions before this one were running when the following began."""
        self._is_complete = False
        """Whether they are all over: until then, one of them may hold a number further back than was looked."""

    def advance(self, session: Session) -> int | None:
        """Where the horizon is now; None while that cannot be said. The session must see what others commit meanwhile."""
        reader = EventReader(session)
        if self._seq is None:
            self._seq = self._begin(session, reader)
        before = reader.snapshot()
        found = reader.numbers_within(self._gaps)
        fresh = reader.numbers_after(self._seq, _NUMBERS_A_STEP)
        after = reader.snapshot()
        at = clock_of(session).unix()
        self._gaps = still_missing(self._gaps, set(found), before, after, at, _PATIENCE)
        self._gaps += missing_between(self._seq, fresh, at)
        self._seq = fresh[-1] if fresh else self._seq
        self._is_complete = self._is_complete or before.oldest_running >= self._first_step
        if not self._is_complete:
            return None
        return self._gaps[0][0] - 1 if self._gaps else self._seq

    def _begin(self, session: Session, reader: EventReader) -> int:
        """Looks at the newest events. What is missing among those that are old enough is missing for as long."""
        self._first_step = reader.snapshot().next_to_begin
        at = clock_of(session).unix()
        numbers = reader.newest_with_times(_LOOKED_BACK)
        for (before, _), (number, created_at) in pairwise(numbers):
            since = min(at, int(created_at.timestamp()))
            bound = self._first_step if at - since > _PATIENCE else UNKNOWN
            self._gaps += [[first, last, bound, since] for first, last, *_ in missing_between(before, [number], at)]
        return numbers[-1][0] if numbers else 0
