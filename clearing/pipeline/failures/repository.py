"""SQL of the daemons whose steps fail."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete
from sqlalchemy.orm import Session

from clearing.kit.in_list import in_list
from clearing.pipeline.failures.models import LONGEST_ERROR, Failure


class FailureRepository:
    """Failures in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, daemon: str) -> Failure | None:
        """Why a daemon does not get on; None while it does."""
        return self._session.get(Failure, daemon)

    def note(self, daemons: Sequence[str], error: str) -> None:
        """A step of a process that is these daemons has failed."""
        for daemon in daemons:
            failure = self.of(daemon)
            if failure is None:
                self._session.add(Failure(daemon=daemon, error=error[:LONGEST_ERROR]))
            else:
                failure.error = error[:LONGEST_ERROR]

    def clear(self, daemons: Sequence[str]) -> None:
        """A step of theirs has succeeded."""
        self._session.execute(delete(Failure).where(in_list(self._session, Failure.daemon, daemons)))
