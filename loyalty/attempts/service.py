"""Counts attempts. Who counts a subject holds it first, so many attempts at once count as many."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from loyalty.attempts.models import Attempt
from loyalty.attempts.repository import AttemptRepository
from loyalty.kit.database import clock_of, lock

LONGEST_WINDOW: Final = timedelta(hours=1)
"""Nothing counts for longer."""


class AttemptService:
    """Attempts in one transaction. For the time of `window` they count."""

    def __init__(self, session: Session, window: timedelta) -> None:
        assert window <= LONGEST_WINDOW, "what counts for longer is forgotten too early"
        self._session = session
        self._attempts = AttemptRepository(session)
        self._window = window

    def hold(self, *subjects: str) -> None:
        """Lets nobody else count these subjects before the transaction ends."""
        for subject in subjects:
            lock(self._session, f"attempt:{subject}")

    def of(self, subject: str) -> int:
        """How many there were of late."""
        found = self._attempts.get(subject)
        return 0 if found is None or clock_of(self._session).now() - found.since > self._window else found.count

    def count(self, subject: str) -> None:
        """Counts one more."""
        found = self._attempts.get(subject)
        now = clock_of(self._session).now()
        if found is None:
            self._attempts.add(Attempt(subject=subject, count=1))
        elif now - found.since > self._window:
            found.count, found.since = 1, now
        else:
            found.count += 1

    def forget(self, subject: str) -> None:
        """Forgets what was counted of a subject."""
        self._attempts.forget(subject)

    @staticmethod
    def clean_up(session: Session) -> None:
        """Forgets what counts no more, of all subjects."""
        AttemptRepository(session).remove_before(clock_of(session).now() - LONGEST_WINDOW)
