"""The time. A database carries its clock to every session, so one place decides what time it is, and a test can move it.

Durations within a process (how long to wait, how often to look) are not what a clock on the wall shows: somebody may set that
back. Whoever has a database measures them with its clock's `monotonic`, so that a simulation can decide how long things take.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Session


class Clock:
    """The system's time."""

    def now(self) -> datetime:
        """The current moment, in UTC."""
        return datetime.now(UTC)

    def unix(self) -> int:
        """The current moment in Unix seconds, as the chain counts."""
        return int(self.now().timestamp())

    def monotonic(self) -> float:
        """Seconds since some moment, which only ever grow, whatever becomes of `now`: the difference of two is a duration."""
        return time.monotonic()


class MovableClock(Clock):
    """The system's time, ahead of or behind itself by an offset that a test or a sandbox sets; or stopped at a moment."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._stopped_at: datetime | None = None

    def now(self) -> datetime:
        """The moved moment, in UTC."""
        return self._stopped_at or super().now() + self._offset

    def move(self, offset: timedelta) -> None:
        """Moves the clock by `offset`, on top of earlier moves. A stopped clock shows it once it runs again."""
        self._offset += offset

    @contextmanager
    def stopped(self, at: datetime) -> Iterator[None]:
        """Stops the clock at this moment for as long as the block runs."""
        before, self._stopped_at = self._stopped_at, at
        try:
            yield
        finally:
            self._stopped_at = before


SYSTEM_CLOCK = Clock()

_KEY = "clock"


def carried(clock: Clock) -> dict[str, Clock]:
    """What an engine and its sessions carry so that `clock_of` and `time_of_insert` find the clock."""
    return {_KEY: clock}


def clock_of(session: Session) -> Clock:
    """The clock of the database that the session belongs to."""
    clock: Clock = session.info[_KEY]
    return clock


def time_of_insert(context: DefaultExecutionContext) -> datetime:
    """Column default: the moment at which the row is written, by its database's clock."""
    clock: Clock = context.execution_options.get(_KEY, SYSTEM_CLOCK)
    return clock.now()
