"""SQL of attempts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from loyalty.attempts.models import Attempt


class AttemptRepository:
    """Attempts in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, subject: str) -> Attempt | None:
        """What was counted of a subject, held."""
        return self._session.get(Attempt, subject, with_for_update=True, populate_existing=True)

    def add(self, attempt: Attempt) -> None:
        """Adds a subject."""
        self._session.add(attempt)
        self._session.flush()

    def forget(self, subject: str) -> None:
        """Forgets what was counted of a subject."""
        self._session.execute(delete(Attempt).where(Attempt.subject == subject))

    def remove_before(self, moment: datetime) -> None:
        """Forgets all that began before a moment."""
        self._session.execute(delete(Attempt).where(Attempt.since < moment))
