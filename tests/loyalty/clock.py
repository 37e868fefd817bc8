"""Moves the clock of a test's programme."""

from __future__ import annotations

from datetime import datetime, timedelta

from loyalty.kit.clock import ShiftedClock


def show(clock: ShiftedClock, moment: datetime) -> None:
    """Lets the clock show a moment, from which it goes on."""
    clock.ahead = timedelta()
    clock.ahead = moment - clock.now()
