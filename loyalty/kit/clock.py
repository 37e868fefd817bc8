"""The time. A database carries its clock to every session, so a test or a rehearsal can move it in one place."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The system's time."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow: the difference of two is a duration."""
        return time.monotonic()


class ShiftedClock(Clock):
    """The system's time and so much more, as a test wants it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The shifted moment, in UTC."""
        return super().now() + self.ahead
